//! From a value to a pickle of protocol 4, with few opcodes and no references.

use kv_core::MAX_DEPTH;
use serde::ser::{self, Serialize};

use crate::bounds::too_deep;
use crate::error::{Error, Result};

/// `PROTO 4`. Frames, which that protocol also has, are optional and left out.
const START: [u8; 2] = [0x80, 4];
const STOP: u8 = b'.';

/// Writes one value.
pub(crate) struct Writer<'o> {
    out: &'o mut Vec<u8>,
    /// How many containers are around the value.
    depth: usize,
    /// Whether the value is a key of a dict, or inside of one.
    key: bool,
}

impl<'o> Writer<'o> {
    /// Writes a whole pickle, of the value that `write` hands over.
    pub(crate) fn start<E>(
        out: &mut Vec<u8>,
        write: impl FnOnce(Writer<'_>) -> std::result::Result<(), E>,
    ) -> std::result::Result<(), E> {
        out.extend(START);
        write(Writer { out, depth: 0, key: false })?;
        out.push(STOP);
        Ok(())
    }

    fn put(self, opcode: u8, argument: &[u8]) {
        self.out.push(opcode);
        self.out.extend_from_slice(argument);
    }

    fn integer(self, number: i128) {
        if let Ok(small) = u8::try_from(number) {
            self.put(b'K', &[small]);
        } else if let Ok(small) = u16::try_from(number) {
            self.put(b'M', &small.to_le_bytes());
        } else if let Ok(small) = i32::try_from(number) {
            self.put(b'J', &small.to_le_bytes());
        } else {
            let fill = if number < 0 { 0xff } else { 0 };
            self.long(number.to_le_bytes(), fill);
        }
    }

    /// `LONG1`: two's complement without bytes that only repeat the sign.
    fn long(self, digits: [u8; 16], fill: u8) {
        let mut bytes = [fill; 17];
        for (byte, digit) in bytes.iter_mut().zip(digits) {
            *byte = digit;
        }
        let mut long = bytes.as_slice();
        while let [rest @ .., before, last] = long
            && *last == fill
            && before & 0x80 == fill & 0x80
        {
            long = bytes.get(..=rest.len()).unwrap_or_default();
        }
        self.counted([0x8a, 0x8a, 0x8a], long);
    }

    /// Bytes behind their length, which is of 1, 4 or 8 bytes: there is an opcode for each.
    fn counted(self, opcodes: [u8; 3], bytes: &[u8]) {
        let [short, middle, long] = opcodes;
        if let Ok(length) = u8::try_from(bytes.len()) {
            self.out.extend([short, length]);
        } else if let Ok(length) = u32::try_from(bytes.len()) {
            self.out.push(middle);
            self.out.extend(length.to_le_bytes());
        } else {
            self.out.push(long);
            self.out.extend(bytes.len().to_le_bytes());
        }
        self.out.extend_from_slice(bytes);
    }

    /// Begins a container, which ends with the opcodes of `close`.
    fn open(self, open: &str, close: &'static str) -> Result<Container<'o>> {
        if self.key && open != TUPLE.0 {
            return Err("a list or a dict is no key of a dict in Python".into());
        }
        if self.depth >= MAX_DEPTH {
            return Err(too_deep().into());
        }
        self.out.extend_from_slice(open.as_bytes());
        Ok(Container { out: self.out, depth: self.depth + 1, key: self.key, close })
    }

    /// Begins `{"variant": …}`.
    fn variant(self, variant: &str) -> Result<Writer<'o>> {
        let mut dict = self.open("}", "")?;
        dict.write(variant)?;
        Ok(Writer { out: dict.out, depth: dict.depth, key: false })
    }
}

// What begins and what ends each container: an empty one, a mark; the opcode that takes what
// stands above the mark.
const LIST: (&str, &str) = ("](", "e");
const TUPLE: (&str, &str) = ("(", "t");
const DICT: (&str, &str) = ("}(", "u");
/// `SETITEM`, behind a key and a value.
const ENTRY: u8 = b's';

macro_rules! integers {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method(self, number: $type) -> Result<()> {
            self.integer(number.into());
            Ok(())
        })*
    };
}

impl<'o> ser::Serializer for Writer<'o> {
    type Ok = ();
    type Error = Error;
    type SerializeSeq = Container<'o>;
    type SerializeTuple = Container<'o>;
    type SerializeTupleStruct = Container<'o>;
    type SerializeTupleVariant = Container<'o>;
    type SerializeMap = Container<'o>;
    type SerializeStruct = Container<'o>;
    type SerializeStructVariant = Container<'o>;

    integers! {
        serialize_i8: i8, serialize_i16: i16, serialize_i32: i32, serialize_i64: i64,
        serialize_i128: i128, serialize_u8: u8, serialize_u16: u16, serialize_u32: u32,
        serialize_u64: u64,
    }

    fn serialize_u128(self, number: u128) -> Result<()> {
        match i128::try_from(number) {
            Ok(number) => self.integer(number),
            Err(_) => self.long(number.to_le_bytes(), 0),
        }
        Ok(())
    }

    fn serialize_bool(self, value: bool) -> Result<()> {
        self.put(if value { 0x88 } else { 0x89 }, &[]);
        Ok(())
    }

    fn serialize_f32(self, number: f32) -> Result<()> {
        self.serialize_f64(number.into())
    }

    fn serialize_f64(self, number: f64) -> Result<()> {
        self.put(b'G', &number.to_be_bytes());
        Ok(())
    }

    fn serialize_char(self, value: char) -> Result<()> {
        self.serialize_str(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, text: &str) -> Result<()> {
        self.counted([0x8c, b'X', 0x8d], text.as_bytes());
        Ok(())
    }

    fn serialize_bytes(self, bytes: &[u8]) -> Result<()> {
        self.counted([b'C', b'B', 0x8e], bytes);
        Ok(())
    }

    fn serialize_none(self) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<()> {
        self.put(b'N', &[]);
        Ok(())
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<()> {
        self.serialize_unit()
    }

    fn serialize_unit_variant(self, _: &str, _: u32, variant: &'static str) -> Result<()> {
        self.serialize_str(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &str, value: &T) -> Result<()> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        value: &T,
    ) -> Result<()> {
        let Writer { out, depth, key } = self.variant(variant)?;
        value.serialize(Writer { out: &mut *out, depth, key })?;
        out.push(ENTRY);
        Ok(())
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Container<'o>> {
        self.open(LIST.0, LIST.1)
    }

    fn serialize_tuple(self, _: usize) -> Result<Container<'o>> {
        self.open(TUPLE.0, TUPLE.1)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Container<'o>> {
        self.open(TUPLE.0, TUPLE.1)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container<'o>> {
        self.variant(variant)?.open(TUPLE.0, "ts")
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Container<'o>> {
        self.open(DICT.0, DICT.1)
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Container<'o>> {
        self.open(DICT.0, DICT.1)
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Container<'o>> {
        self.variant(variant)?.open(DICT.0, "us")
    }
}

/// A container that is being written.
pub(crate) struct Container<'o> {
    out: &'o mut Vec<u8>,
    depth: usize,
    key: bool,
    close: &'static str,
}

impl Container<'_> {
    fn write<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        value.serialize(Writer { out: self.out, depth: self.depth, key: self.key })
    }

    fn write_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        key.serialize(Writer { out: self.out, depth: self.depth, key: true })
    }

    fn finish(self) -> Result<()> {
        self.out.extend_from_slice(self.close.as_bytes());
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident::$method:ident),* $(,)?) => {
        $(impl ser::$trait for Container<'_> {
            type Ok = ();
            type Error = Error;

            fn $method<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
                self.write(value)
            }

            fn end(self) -> Result<()> {
                self.finish()
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

impl ser::SerializeMap for Container<'_> {
    type Ok = ();
    type Error = Error;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<()> {
        self.write_key(key)
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<()> {
        self.write(value)
    }

    fn end(self) -> Result<()> {
        self.finish()
    }
}

macro_rules! fields {
    ($($trait:ident),* $(,)?) => {
        $(impl ser::$trait for Container<'_> {
            type Ok = ();
            type Error = Error;

            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<()> {
                self.write(name)?;
                self.write(value)
            }

            fn end(self) -> Result<()> {
                self.finish()
            }
        })*
    };
}

fields!(SerializeStruct, SerializeStructVariant);
