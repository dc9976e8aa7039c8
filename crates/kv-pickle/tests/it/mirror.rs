//! Any value that serde can tell of, and a text of it like that of `golden/generate.py`.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

/// A value as its text.
#[derive(Debug, PartialEq)]
pub(crate) struct Mirror(pub(crate) String);

impl<'de> Deserialize<'de> for Mirror {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(Describe).map(Self)
    }
}

struct Describe;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

macro_rules! plain {
    ($($method:ident: $type:ty),* $(,)?) => {
        $(fn $method<E>(self, value: $type) -> Result<String, E> { Ok(value.to_string()) })*
    };
}

impl<'de> Visitor<'de> for Describe {
    type Value = String;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    plain! {
        visit_bool: bool, visit_i64: i64, visit_u64: u64, visit_i128: i128, visit_u128: u128,
    }

    fn visit_f64<E>(self, value: f64) -> Result<String, E> {
        Ok(format!("f{:016x}", value.to_bits()))
    }

    fn visit_str<E>(self, text: &str) -> Result<String, E> {
        Ok(format!("t{}", hex(text.as_bytes())))
    }

    fn visit_bytes<E>(self, bytes: &[u8]) -> Result<String, E> {
        Ok(format!("b{}", hex(bytes)))
    }

    fn visit_unit<E>(self) -> Result<String, E> {
        Ok("none".to_owned())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<String, A::Error> {
        let mut texts = Vec::new();
        while let Some(Mirror(text)) = items.next_element()? {
            texts.push(text);
        }
        Ok(format!("[{}]", texts.join(",")))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<String, A::Error> {
        let mut texts = Vec::new();
        while let Some((Mirror(key), Mirror(value))) = entries.next_entry()? {
            texts.push(format!("{key}:{value}"));
        }
        Ok(format!("{{{}}}", texts.join(",")))
    }
}
