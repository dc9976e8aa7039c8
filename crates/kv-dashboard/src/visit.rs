//! One request of a viewer: what it asks for, and where the dashboard is for the viewer.

use axum::extract::{FromRequestParts, OriginalUri};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};

use crate::failure::{Failure, Result};
use crate::parameters::Parameters;

/// The viewer's address, with a name if there is one, as the guard found it.
#[derive(Clone, Debug)]
pub(crate) struct Viewer(pub(crate) String);

/// Where the dashboard is mounted, as the guard found it: what comes before every path of it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Base(pub(crate) String);

/// What a request asks for.
#[derive(Clone, Debug)]
pub(crate) struct Visit {
    pub(crate) base: Base,
    pub(crate) viewer: Viewer,
    pub(crate) parameters: Parameters,
    /// Whether a program asks.
    pub(crate) wants_json: bool,
}

impl<S: Sync> FromRequestParts<S> for Visit {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self> {
        let viewer = parts.extensions.get::<Viewer>().cloned();
        Ok(Self {
            base: parts.extensions.get::<Base>().cloned().unwrap_or_default(),
            // Without the guard nobody was checked.
            viewer: viewer.ok_or_else(|| Failure::forbidden("the request was not checked"))?,
            parameters: Parameters::parse(parts.uri.query().unwrap_or_default().as_bytes())?,
            wants_json: wants_json(&parts.uri, &parts.headers),
        })
    }
}

/// Whether a request asks for JSON: by `format=json` in its query, or by accepting it and no page.
pub(crate) fn wants_json(uri: &Uri, headers: &HeaderMap) -> bool {
    let accepts = |kind| {
        let values = headers.get_all(header::ACCEPT).into_iter();
        values.filter_map(|value| value.to_str().ok()).any(|value| value.contains(kind))
    };
    let query = form_urlencoded::parse(uri.query().unwrap_or_default().as_bytes());
    query.into_iter().any(|(name, value)| name == "format" && value == "json")
        || (accepts("application/json") && !accepts("text/html"))
}

impl Base {
    /// Where a service has nested the router, from the path before and after its prefix was
    /// removed.
    pub(crate) fn of(original: Option<&OriginalUri>, own: &Uri) -> Self {
        let Some(OriginalUri(original)) = original else { return Self::default() };
        let base = original.path().strip_suffix(own.path()).unwrap_or(original.path());
        let base = base.trim_end_matches('/');
        // A base such as `//host` would lead every link to another host.
        Self(if is_base(base) { base.to_owned() } else { String::new() })
    }

    /// The address of a page, with a query.
    pub(crate) fn link(&self, path: &str, query: &[(&str, &str)]) -> String {
        // A router that nests the dashboard knows its first page without a slash at the end.
        let path = if path == "/" && !self.0.is_empty() { "" } else { path };
        let mut link = [&self.0, path].concat();
        if !query.is_empty() {
            let mut pairs = form_urlencoded::Serializer::new(String::new());
            link.push('?');
            link.push_str(&pairs.extend_pairs(query).finish());
        }
        link
    }
}

/// Whether a text is what may come before every path: empty, or a path that names no host.
pub(crate) fn is_base(base: &str) -> bool {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "/-_.~%".contains(c);
    base.is_empty()
        || (base.starts_with('/') && !base.starts_with("//") && base.chars().all(is_plain))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn base(original: &str, own: &str) -> String {
        let original = OriginalUri(original.parse().unwrap());
        Base::of(Some(&original), &own.parse().unwrap()).0
    }

    #[test]
    fn the_base_is_what_the_service_removed() {
        assert_eq!(base("/queue?name=a", "/queue?name=a"), "");
        assert_eq!(base("/ops/kv/queue", "/queue"), "/ops/kv");
        assert_eq!(base("/ops", "/"), "/ops");
        assert_eq!(base("/ops/", "/"), "/ops");
    }

    #[test]
    fn a_base_leads_to_no_other_host() {
        assert_eq!(base("//evil.example/queue", "/queue"), "");
        for wrong in ["//evil", "evil", "/a\"b", "/a b", "/a\\b", "/a:b"] {
            assert!(!is_base(wrong), "{wrong}");
        }
    }

    #[test]
    fn a_link_escapes_what_it_carries() {
        let base = Base("/ops".to_owned());
        let link = base.link("/queue", &[("name", "../a&b=\"<c>#")]);
        assert_eq!(link, "/ops/queue?name=..%2Fa%26b%3D%22%3Cc%3E%23");
        assert_eq!(
            (base.link("/", &[]), Base::default().link("/", &[])),
            ("/ops".to_owned(), "/".to_owned())
        );
    }
}
