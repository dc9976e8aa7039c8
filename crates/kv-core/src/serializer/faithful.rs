//! Refuses, at the write, what the same type would not read back equal.
//!
//! A serializer sees calls and no types. So the rule looks at what calls mean in every format, and
//! refuses those after which no format can give the same value back:
//!
//! - `Some` of a null is `None` to every reader.
//! - serde has no 128-bit integers in what it buffers for tagged, untagged and flattened types,
//!   and their calls are those of a plain type. Only what consists of the standard library's types
//!   is surely read without a buffer.
//! - A type with one form for people and another for programs, such as an `IpAddr`, is written in
//!   MessagePack in the second, and read from a buffer in the first.
//! - A key that stands twice in a tagged or flattened map is read once or refused.
//! - Where keys of maps are text, as in JSON, a buffered key is text for good.
//! - JSON has no word for a float that is not finite.

mod entries;
mod parts;
mod refusal;
mod watch;

use std::any::type_name;
use std::cell::RefCell;

use serde::ser::{self, Serialize};

use self::refusal::{Refusal, Step};
use self::watch::Watch;
use crate::BoxError;

/// Writes a value under the rule; its own error comes before the format's.
///
/// `like_json` tells that the format has text keys only, and no word for NaN.
pub(super) fn encode<T: Serialize + ?Sized>(
    value: &T,
    like_json: bool,
    write: impl FnOnce(&Faithful<'_, T>) -> Result<Vec<u8>, BoxError>,
) -> Result<Vec<u8>, BoxError> {
    let rule = Rule { like_json, root: type_name::<T>(), refusal: RefCell::default() };
    let written = write(&Faithful { value, rule: &rule, place: Place::default() });
    // A type may drop the error of a part and go on, so the bytes alone do not tell.
    match rule.refusal.into_inner() {
        Some(refusal) => Err(refusal.into()),
        None => written,
    }
}

/// What holds for the whole value.
pub(super) struct Rule {
    like_json: bool,
    /// The name of the type that is written as a whole.
    root: &'static str,
    refusal: RefCell<Option<Refusal>>,
}

impl Rule {
    fn refuse<E: ser::Error>(&self, why: &'static str) -> E {
        self.note(why);
        E::custom(why)
    }

    /// Refuses the value in the end, where no error can be returned.
    fn note(&self, why: &'static str) {
        self.refusal.borrow_mut().get_or_insert_with(|| Refusal::new(why));
    }

    /// Adds where it was to a refusal, on the way from the inside to the outside.
    #[cold]
    fn within<E>(&self, step: Step, error: E) -> E {
        if let Some(refusal) = self.refusal.borrow_mut().as_mut() {
            refusal.within(step);
        }
        error
    }

    /// Whether a reader of the whole value surely has no buffer between.
    fn is_read_directly(&self) -> bool {
        is_of_the_standard_library(self.root)
    }
}

/// Where a part stands.
#[derive(Clone, Copy, Default)]
struct Place {
    /// Directly in a `Some`.
    some: bool,
    /// As the key of a map.
    key: bool,
    /// In something that a reader may have to buffer.
    buffered: bool,
}

/// A value, or a part of one, that is written under the rule.
pub(super) struct Faithful<'v, T: ?Sized> {
    value: &'v T,
    rule: &'v Rule,
    place: Place,
}

impl<T: Serialize + ?Sized> Serialize for Faithful<'_, T> {
    #[inline]
    fn serialize<S: ser::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(Watch { inner: serializer, rule: self.rule, place: self.place })
    }
}

/// Whether it is text itself and no type that holds text: what derived code writes as a tag.
fn is_text<T: ?Sized>() -> bool {
    type_name::<T>() == "str"
}

const PRIMITIVES: [&str; 17] = [
    "bool", "char", "str", "f32", "f64", "i8", "i16", "i32", "i64", "i128", "isize", "u8", "u16",
    "u32", "u64", "u128", "usize",
];

/// Whether a type, with all that it is made of, is one of the standard library's: those read
/// themselves without a buffer. A name that is not understood is not.
fn is_of_the_standard_library(name: &str) -> bool {
    let part_of_a_path = |letter: char| letter.is_alphanumeric() || matches!(letter, '_' | ':');
    let is_known = |path: &str| {
        let crates = ["core::", "alloc::", "std::"];
        path.is_empty()
            || PRIMITIVES.contains(&path)
            || path.bytes().all(|letter| letter.is_ascii_digit())
            || crates.iter().any(|name| path.starts_with(name))
    };
    name.split(|letter| !part_of_a_path(letter)).all(is_known)
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;

    #[test]
    fn only_types_made_of_the_standard_library_alone_are_known() {
        struct Own<T>(T);
        for known in [
            type_name::<u128>(),
            type_name::<&[Option<i128>; 3]>(),
            type_name::<(i64, HashMap<String, Vec<u128>>)>(),
            type_name::<()>(),
        ] {
            assert!(is_of_the_standard_library(known), "{known}");
        }
        for other in [
            type_name::<Own<u128>>(),
            type_name::<Vec<Own<u128>>>(),
            type_name::<serde_json::Value>(),
            type_name::<dyn erased_serde::Serialize>(),
        ] {
            assert!(!is_of_the_standard_library(other), "{other}");
        }
    }

    #[test]
    fn only_bare_text_is_a_tag() {
        assert!(is_text::<str>());
        assert!(!is_text::<&str>() && !is_text::<String>() && !is_text::<Box<str>>());
    }
}
