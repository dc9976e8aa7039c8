//! From nodes to the values of a type. The nodes are already checked: none is too deep or too
//! large.

use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{self, Error as _, IntoDeserializer, Unexpected, Visitor};
use serde::forward_to_deserialize_any;

use crate::error::{Error, Result};
use crate::nodes::{Id, Node, Nodes};
use crate::times;

/// One node, as serde reads it. The format counts as human-readable, so that types with a text form
/// use it, as Python does.
#[derive(Clone, Copy)]
pub(crate) struct Reader<'n, 'a> {
    nodes: &'n Nodes<'a>,
    id: Id,
}

impl<'n, 'a> Reader<'n, 'a> {
    pub(crate) fn new(nodes: &'n Nodes<'a>, id: Id) -> Self {
        Self { nodes, id }
    }

    fn node(self) -> &'n Node<'a> {
        &self.nodes[self.id]
    }

    fn beside(self, id: Id) -> Self {
        Self { id, ..self }
    }

    fn sequence<'de, V: Visitor<'de>>(self, items: &[Id], visitor: V) -> Result<V::Value> {
        let mut items = SeqDeserializer::new(items.iter().map(|id| self.beside(*id)));
        let value = visitor.visit_seq(&mut items)?;
        items.end()?;
        Ok(value)
    }

    fn map<'de, V: Visitor<'de>>(self, entries: &[Id], visitor: V) -> Result<V::Value> {
        let (pairs, _) = entries.as_chunks::<2>();
        let pairs = pairs.iter().map(|[key, value]| (self.beside(*key), self.beside(*value)));
        let mut entries = MapDeserializer::new(pairs);
        let value = visitor.visit_map(&mut entries)?;
        entries.end()?;
        Ok(value)
    }
}

impl<'de> de::Deserializer<'de> for Reader<'_, '_> {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.node() {
            Node::None => visitor.visit_unit(),
            Node::Bool(value) => visitor.visit_bool(*value),
            Node::Integer(number) => integer(*number, visitor),
            Node::Large(number) => visitor.visit_u128(*number),
            Node::Float(number) => visitor.visit_f64(*number),
            Node::Text(text) => visitor.visit_str(text),
            Node::Bytes(bytes) => visitor.visit_bytes(bytes),
            Node::List(items) | Node::Tuple(items) | Node::Set(items) => {
                self.sequence(items, visitor)
            }
            Node::Dict(entries) => self.map(entries, visitor),
            Node::Duration(microseconds) => {
                visitor.visit_string(times::duration_text(*microseconds))
            }
            Node::Offset(microseconds) => visitor.visit_string(times::offset_text(*microseconds)),
            Node::Class(_) => Err(Error::invalid_type(Unexpected::Other("class"), &visitor)),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.node() {
            Node::None => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value> {
        visitor.visit_newtype_struct(self)
    }

    /// Python's `bytes` are a sequence of numbers too, and so is a `Vec<u8>`.
    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value> {
        match self.node() {
            Node::Bytes(bytes) => visitor.visit_seq(SeqDeserializer::new(bytes.iter().copied())),
            _ => self.deserialize_any(visitor),
        }
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value> {
        self.deserialize_seq(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        match self.node() {
            Node::Text(_) => visitor.visit_enum(Variant { name: self, content: None }),
            Node::Dict(entries) => {
                let [name, content] = entries.as_slice() else {
                    let expected = &"a variant as a dict of one entry";
                    return Err(Error::invalid_value(Unexpected::Map, expected));
                };
                let (name, content) = (self.beside(*name), Some(self.beside(*content)));
                visitor.visit_enum(Variant { name, content })
            }
            _ => {
                let expected = &"a variant as a text or a dict";
                Err(Error::invalid_type(Unexpected::Other("value"), expected))
            }
        }
    }

    forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit
        unit_struct tuple_struct map struct identifier ignored_any
    }
}

impl<'de> IntoDeserializer<'de, Error> for Reader<'_, '_> {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Passes an integer in the smallest type that serde's visitors commonly take.
fn integer<'de, V: Visitor<'de>>(number: i128, visitor: V) -> Result<V::Value> {
    match (i64::try_from(number), u64::try_from(number)) {
        (Ok(number), _) => visitor.visit_i64(number),
        (_, Ok(number)) => visitor.visit_u64(number),
        _ => visitor.visit_i128(number),
    }
}

/// A variant of an enum: its name and its content.
struct Variant<'n, 'a> {
    name: Reader<'n, 'a>,
    content: Option<Reader<'n, 'a>>,
}

impl<'n, 'a> Variant<'n, 'a> {
    fn content(self) -> Result<Reader<'n, 'a>> {
        let lacking = || Error::invalid_type(Unexpected::UnitVariant, &"a variant with content");
        self.content.ok_or_else(lacking)
    }
}

impl<'de, 'n, 'a> de::EnumAccess<'de> for Variant<'n, 'a> {
    type Error = Error;
    type Variant = Self;

    fn variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<(T::Value, Self)> {
        Ok((seed.deserialize(self.name)?, self))
    }
}

impl<'de> de::VariantAccess<'de> for Variant<'_, '_> {
    type Error = Error;

    fn unit_variant(self) -> Result<()> {
        match self.content.map(Reader::node) {
            None | Some(Node::None) => Ok(()),
            Some(_) => Err(Error::invalid_type(Unexpected::NewtypeVariant, &"unit variant")),
        }
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value> {
        seed.deserialize(self.content()?)
    }

    fn tuple_variant<V: Visitor<'de>>(self, length: usize, visitor: V) -> Result<V::Value> {
        de::Deserializer::deserialize_tuple(self.content()?, length, visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value> {
        de::Deserializer::deserialize_any(self.content()?, visitor)
    }
}
