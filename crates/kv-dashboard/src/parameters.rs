//! The names and values of a query or a form, bounded and decoded.

use crate::failure::{Failure, Result};

/// The longest query of an address in bytes.
pub(crate) const MAX_QUERY: usize = 8 << 10;

/// The most names in a form: a page shows fewer jobs to select.
const MAX_NAMES: usize = 1_000;

/// What a query or a form says, in its order.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    /// Reads a text as forms are encoded.
    pub(crate) fn parse(text: &[u8]) -> Result<Self> {
        let mut pairs = form_urlencoded::parse(text);
        let read: Vec<_> =
            pairs.by_ref().take(MAX_NAMES).map(|(k, v)| (k.into_owned(), v.into_owned())).collect();
        if pairs.next().is_some() {
            return Err(Failure::bad(format!("more than {MAX_NAMES} fields; expected fewer")));
        }
        Ok(Self(read))
    }

    /// The first value of a name that is not empty.
    pub(crate) fn get<'a>(&'a self, name: &'a str) -> Option<&'a str> {
        self.all(name).next()
    }

    /// All values of a name that are not empty.
    pub(crate) fn all<'a>(&'a self, name: &'a str) -> impl Iterator<Item = &'a str> {
        let named = self.0.iter().filter(move |(own, value)| own == name && !value.is_empty());
        named.map(|(_, value)| value.as_str())
    }

    /// The value of a name without which nothing can be done.
    pub(crate) fn required<'a>(&'a self, name: &'static str) -> Result<&'a str> {
        self.get(name).ok_or_else(|| Failure::bad(format!("the field `{name}` is missing")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_decoded_and_may_repeat() {
        let form = Parameters::parse(b"id=1&id=2&name=a%26b+c&empty=&id=").unwrap();
        assert_eq!(form.all("id").collect::<Vec<_>>(), ["1", "2"]);
        assert_eq!(form.get("name"), Some("a&b c"));
        assert!(form.get("empty").is_none() && form.required("empty").is_err());
    }

    #[test]
    fn too_many_fields_are_refused() {
        let many = "a=1&".repeat(MAX_NAMES);
        assert!(Parameters::parse(many.as_bytes()).is_ok());
        assert!(Parameters::parse((many + "a=1").as_bytes()).is_err());
    }
}
