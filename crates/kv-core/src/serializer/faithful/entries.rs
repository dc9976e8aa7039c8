//! Maps, entry by entry.

use std::collections::BTreeSet;

use serde::ser::{Serialize, SerializeMap};

use super::refusal::TWICE;
use super::{Faithful, Place, Rule, Step, is_text};

/// Keys and values. A map of unknown length may be flattened, and one whose first key and value
/// are bare text begins with the tag of an enum: then a reader buffers what is in it.
pub(super) struct Entries<'r, C> {
    inner: C,
    rule: &'r Rule,
    place: Place,
    count: usize,
    /// Keys so far, as JSON texts, where one may come again.
    seen: Option<BTreeSet<String>>,
}

impl<'r, C> Entries<'r, C> {
    pub(super) fn new(inner: C, rule: &'r Rule, place: Place, is_flattened: bool) -> Self {
        let seen = is_flattened.then(BTreeSet::new);
        let place = Place { buffered: place.buffered || is_flattened, ..place };
        Self { inner, rule, place, count: 0, seen }
    }

    fn step(&self) -> Step {
        Step::Entry(self.count.saturating_sub(1))
    }

    /// Notes a key, and tells whether it was there before.
    fn is_there_again<T: Serialize + ?Sized>(&mut self, key: &T) -> bool {
        self.count += 1;
        if self.count == 1 && is_text::<T>() {
            self.seen.get_or_insert_default();
        }
        let Some(seen) = &mut self.seen else { return false };
        serde_json::to_string(key).is_ok_and(|key| !seen.insert(key))
    }

    /// Whether a tag is all that was there, as far as the keys tell.
    fn heed<T: ?Sized>(&mut self) {
        if self.count != 1 || self.seen.is_none() || self.place.buffered {
            return;
        }
        if is_text::<T>() {
            self.place.buffered = true;
        } else {
            self.seen = None;
        }
    }
}

impl<C: SerializeMap> SerializeMap for Entries<'_, C> {
    type Ok = C::Ok;
    type Error = C::Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), C::Error> {
        let rule = self.rule;
        if self.is_there_again(key) {
            return Err(rule.within(self.step(), rule.refuse(TWICE)));
        }
        let value = Faithful { value: key, rule, place: Place { key: true, ..self.place } };
        self.inner.serialize_key(&value).map_err(|error| rule.within(self.step(), error))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
        self.heed::<T>();
        let (rule, step) = (self.rule, self.step());
        let value = Faithful { value, rule, place: self.place };
        self.inner.serialize_value(&value).map_err(|error| rule.within(step, error))
    }

    fn end(self) -> Result<C::Ok, C::Error> {
        self.inner.end()
    }
}
