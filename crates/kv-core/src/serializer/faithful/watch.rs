//! A serializer that passes every call on, unless the rule refuses it.

use std::fmt;

use serde::ser::{Serialize, Serializer};

use super::entries::Entries;
use super::parts::{Fields, Items};
use super::refusal::{COMPACT, NOT_FINITE, NULL, NUMBER_AS_KEY, RAW, WIDE};
use super::{Faithful, Place, Rule, Step};

/// The name under which `serde_json` writes a text that is JSON already.
const RAW_VALUE: &str = "$serde_json::private::RawValue";

pub(super) struct Watch<'r, S> {
    pub(super) inner: S,
    pub(super) rule: &'r Rule,
    pub(super) place: Place,
}

impl<'r, S: Serializer> Watch<'r, S> {
    /// Where the parts of this one stand.
    fn inside(&self) -> Place {
        Place { some: false, key: false, buffered: self.place.buffered }
    }

    /// The same place once more, for a part that is written as if it was the whole.
    fn same<'v, T: ?Sized>(&self, value: &'v T, place: Place) -> Faithful<'v, T>
    where
        'r: 'v,
    {
        Faithful { value, rule: self.rule, place }
    }

    #[inline]
    fn null(&self) -> Result<(), S::Error> {
        if self.place.some { Err(self.rule.refuse(NULL)) } else { Ok(()) }
    }

    /// A number or a boolean.
    #[inline]
    fn number(&self) -> Result<(), S::Error> {
        if self.place.key && self.place.buffered && self.rule.like_json {
            return Err(self.rule.refuse(NUMBER_AS_KEY));
        }
        Ok(())
    }

    #[inline]
    fn float(&self, is_finite: bool) -> Result<(), S::Error> {
        if !is_finite && self.rule.like_json {
            return Err(self.rule.refuse(NOT_FINITE));
        }
        self.number()
    }

    fn wide(&self) -> Result<(), S::Error> {
        if self.rule.is_read_directly() { Ok(()) } else { Err(self.rule.refuse(WIDE)) }
    }

    fn raw(&self) -> Result<(), S::Error> {
        if self.rule.like_json && !self.place.some && !self.place.buffered {
            return Ok(());
        }
        Err(self.rule.refuse(RAW))
    }

    /// The format's serializer, and what parts of this one need.
    fn open(self) -> (S, &'r Rule, Place) {
        let place = self.inside();
        (self.inner, self.rule, place)
    }
}

macro_rules! numbers {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(#[inline] fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.number()?;
            self.inner.$method(value)
        })*
    };
}

macro_rules! texts {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(#[inline] fn $method(self, value: $type) -> Result<S::Ok, S::Error> {
            self.inner.$method(value)
        })*
    };
}

impl<'r, S: Serializer> Serializer for Watch<'r, S> {
    type Ok = S::Ok;
    type Error = S::Error;
    type SerializeSeq = Items<'r, S::SerializeSeq>;
    type SerializeTuple = Items<'r, S::SerializeTuple>;
    type SerializeTupleStruct = Items<'r, S::SerializeTupleStruct>;
    type SerializeTupleVariant = Items<'r, S::SerializeTupleVariant>;
    type SerializeMap = Entries<'r, S::SerializeMap>;
    type SerializeStruct = Fields<'r, S::SerializeStruct>;
    type SerializeStructVariant = Fields<'r, S::SerializeStructVariant>;

    numbers! {
        serialize_bool: bool, serialize_i8: i8, serialize_i16: i16, serialize_i32: i32,
        serialize_i64: i64, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64,
    }

    texts! { serialize_char: char, serialize_str: &str, serialize_bytes: &[u8] }

    fn serialize_i128(self, value: i128) -> Result<S::Ok, S::Error> {
        self.wide()?;
        self.inner.serialize_i128(value)
    }

    fn serialize_u128(self, value: u128) -> Result<S::Ok, S::Error> {
        self.wide()?;
        self.inner.serialize_u128(value)
    }

    fn serialize_f32(self, value: f32) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f32(value)
    }

    fn serialize_f64(self, value: f64) -> Result<S::Ok, S::Error> {
        self.float(value.is_finite())?;
        self.inner.serialize_f64(value)
    }

    fn serialize_none(self) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.inner.serialize_none()
    }

    fn serialize_unit(self) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.inner.serialize_unit()
    }

    fn serialize_unit_struct(self, name: &'static str) -> Result<S::Ok, S::Error> {
        self.null()?;
        self.inner.serialize_unit_struct(name)
    }

    #[inline]
    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        let value = self.same(value, Place { some: true, ..self.place });
        self.inner.serialize_some(&value)
    }

    fn serialize_unit_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
    ) -> Result<S::Ok, S::Error> {
        self.inner.serialize_unit_variant(name, index, variant)
    }

    #[inline]
    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.same(value, self.place);
        self.inner.serialize_newtype_struct(name, &value)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<S::Ok, S::Error> {
        let value = self.same(value, self.inside());
        let (inner, rule, _) = self.open();
        let written = inner.serialize_newtype_variant(name, index, variant, &value);
        // An erased serializer tells of an error here only when the whole value is done.
        rule.within(Step::Name(variant), ());
        written
    }

    fn serialize_seq(self, length: Option<usize>) -> Result<Self::SerializeSeq, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Items::new(inner.serialize_seq(length)?, rule, place))
    }

    fn serialize_tuple(self, length: usize) -> Result<Self::SerializeTuple, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Items::new(inner.serialize_tuple(length)?, rule, place))
    }

    fn serialize_tuple_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleStruct, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Items::new(inner.serialize_tuple_struct(name, length)?, rule, place))
    }

    fn serialize_tuple_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeTupleVariant, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Items::new(inner.serialize_tuple_variant(name, index, variant, length)?, rule, place))
    }

    fn serialize_map(self, length: Option<usize>) -> Result<Self::SerializeMap, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Entries::new(inner.serialize_map(length)?, rule, place, length.is_none()))
    }

    #[inline]
    fn serialize_struct(
        self,
        name: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStruct, S::Error> {
        if name == RAW_VALUE {
            self.raw()?;
        }
        let (inner, rule, place) = self.open();
        Ok(Fields::new(inner.serialize_struct(name, length)?, rule, place))
    }

    fn serialize_struct_variant(
        self,
        name: &'static str,
        index: u32,
        variant: &'static str,
        length: usize,
    ) -> Result<Self::SerializeStructVariant, S::Error> {
        let (inner, rule, place) = self.open();
        Ok(Fields::new(inner.serialize_struct_variant(name, index, variant, length)?, rule, place))
    }

    fn collect_str<T: fmt::Display + ?Sized>(self, value: &T) -> Result<S::Ok, S::Error> {
        self.inner.collect_str(value)
    }

    /// What is buffered is always read as if the format was readable, so a type that has another
    /// form for formats like MessagePack would not know it.
    fn is_human_readable(&self) -> bool {
        let is_readable = self.inner.is_human_readable();
        if self.place.buffered && !is_readable {
            self.rule.note(COMPACT);
        }
        is_readable
    }
}
