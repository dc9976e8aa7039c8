//! Lists, tuples and structs, part by part.

use serde::ser::{
    Serialize, SerializeSeq, SerializeStruct, SerializeStructVariant, SerializeTuple,
    SerializeTupleStruct, SerializeTupleVariant,
};

use super::refusal::TWICE;
use super::{Faithful, Place, Rule, Step, is_text};

/// Parts without names.
pub(super) struct Items<'r, C> {
    inner: C,
    rule: &'r Rule,
    place: Place,
    count: usize,
}

impl<'r, C> Items<'r, C> {
    pub(super) fn new(inner: C, rule: &'r Rule, place: Place) -> Self {
        Self { inner, rule, place, count: 0 }
    }

    #[inline]
    fn next<'v, T: ?Sized>(&mut self, value: &'v T) -> (Step, Faithful<'v, T>)
    where
        'r: 'v,
    {
        let step = Step::Item(self.count);
        self.count += 1;
        (step, Faithful { value, rule: self.rule, place: self.place })
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl<C: $trait> $trait for Items<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), C::Error> {
                let (rule, (step, value)) = (self.rule, self.next(value));
                self.inner.$method(&value).map_err(|error| rule.within(step, error))
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

items! {
    SerializeSeq::serialize_element,
    SerializeTuple::serialize_element,
    SerializeTupleStruct::serialize_field,
    SerializeTupleVariant::serialize_field,
}

/// Parts with names. The first of them may be the tag of an enum: then a reader buffers the others.
pub(super) struct Fields<'r, C> {
    inner: C,
    rule: &'r Rule,
    place: Place,
    is_first: bool,
    tag: Option<&'static str>,
}

impl<'r, C> Fields<'r, C> {
    pub(super) fn new(inner: C, rule: &'r Rule, place: Place) -> Self {
        Self { inner, rule, place, is_first: true, tag: None }
    }

    /// Notes a tag, and tells whether the name is the tag's once more.
    #[inline]
    fn is_tag_again<T: ?Sized>(&mut self, name: &'static str) -> bool {
        if std::mem::take(&mut self.is_first) {
            if is_text::<T>() {
                self.tag = Some(name);
                self.place.buffered = true;
            }
            return false;
        }
        self.tag == Some(name)
    }
}

macro_rules! fields {
    ($($trait:ident),* $(,)?) => {
        $(impl<C: $trait> $trait for Fields<'_, C> {
            type Ok = C::Ok;
            type Error = C::Error;

            #[inline]
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), C::Error> {
                if self.is_tag_again::<T>(name) {
                    return Err(self.rule.within(Step::Name(name), self.rule.refuse(TWICE)));
                }
                let (rule, value) =
                    (self.rule, Faithful { value, rule: self.rule, place: self.place });
                let written = self.inner.serialize_field(name, &value);
                written.map_err(|error| rule.within(Step::Name(name), error))
            }

            fn skip_field(&mut self, name: &'static str) -> Result<(), C::Error> {
                self.inner.skip_field(name)
            }

            #[inline]
            fn end(self) -> Result<C::Ok, C::Error> {
                self.inner.end()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);
