//! Random values of every kind that serde writes, and a text of each like that of
//! `oracle/normal.py`.

use fastrand::Rng;
use serde::ser::{Serialize, SerializeMap, SerializeSeq, SerializeTuple, Serializer};

#[derive(Clone, Debug)]
pub(crate) enum Any {
    None,
    Bool(bool),
    Small(i32),
    Integer(i128),
    Large(u128),
    Float(f64),
    Letter(char),
    Text(String),
    Bytes(Vec<u8>),
    List(Vec<Any>),
    Tuple(Vec<Any>),
    Map(Vec<(Any, Any)>),
}

impl Serialize for Any {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::None => serializer.serialize_none(),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Small(number) => serializer.serialize_i32(*number),
            Self::Integer(number) => serializer.serialize_i128(*number),
            Self::Large(number) => serializer.serialize_u128(*number),
            Self::Float(number) => serializer.serialize_f64(*number),
            Self::Letter(letter) => serializer.serialize_char(*letter),
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bytes(bytes) => serializer.serialize_bytes(bytes),
            Self::List(items) => {
                let mut list = serializer.serialize_seq(None)?;
                items.iter().try_for_each(|item| list.serialize_element(item))?;
                list.end()
            }
            Self::Tuple(items) => {
                let mut tuple = serializer.serialize_tuple(items.len())?;
                items.iter().try_for_each(|item| tuple.serialize_element(item))?;
                tuple.end()
            }
            Self::Map(entries) => {
                let mut map = serializer.serialize_map(None)?;
                entries.iter().try_for_each(|(key, value)| map.serialize_entry(key, value))?;
                map.end()
            }
        }
    }
}

impl Any {
    /// The value's text, tuples in these brackets.
    pub(crate) fn text(&self, tuples: &str) -> String {
        let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
        let all = |items: &[Self]| {
            items.iter().map(|item| item.text(tuples)).collect::<Vec<_>>().join(",")
        };
        match self {
            Self::None => "none".to_owned(),
            Self::Bool(value) => value.to_string(),
            Self::Small(number) => number.to_string(),
            Self::Integer(number) => number.to_string(),
            Self::Large(number) => number.to_string(),
            Self::Float(number) => format!("f{:016x}", number.to_bits()),
            Self::Letter(letter) => format!("t{}", hex(letter.to_string().as_bytes())),
            Self::Text(text) => format!("t{}", hex(text.as_bytes())),
            Self::Bytes(bytes) => format!("b{}", hex(bytes)),
            Self::List(items) => format!("[{}]", all(items)),
            Self::Tuple(items) => format!("{}{}{}", &tuples[..1], all(items), &tuples[1..]),
            Self::Map(entries) => {
                let entry = |(key, value): &(Self, Self)| {
                    format!("{}:{}", key.text(tuples), value.text(tuples))
                };
                format!("{{{}}}", entries.iter().map(entry).collect::<Vec<_>>().join(","))
            }
        }
    }
}

/// A random value, in at most so many containers.
pub(crate) fn any(rng: &mut Rng, depth: usize) -> Any {
    let length = if rng.u8(..100) == 0 { rng.usize(..300) } else { rng.usize(..5) };
    let items = |rng: &mut Rng| (0..length).map(|_| any(rng, depth - 1)).collect();
    match rng.u8(..if depth > 0 { 12 } else { 8 }) {
        8 => Any::List(items(rng)),
        9 => Any::Tuple(items(rng)),
        10.. => {
            let mut entries: Vec<(Any, Any)> = Vec::new();
            for _ in 0..length.min(8) {
                let key = key(rng, 2);
                // What Python takes for the same key is not there twice.
                if entries.iter().all(|(other, _)| other.text("()") != key.text("()")) {
                    entries.push((key, any(rng, depth - 1)));
                }
            }
            Any::Map(entries)
        }
        _ => scalar(rng),
    }
}

/// A random value that Python can hash. No two of them are equal in Python, unless they are alike.
fn key(rng: &mut Rng, depth: usize) -> Any {
    if depth > 0 && rng.u8(..6) == 0 {
        return Any::Tuple((0..rng.usize(..3)).map(|_| key(rng, depth - 1)).collect());
    }
    match scalar(rng) {
        // 1, 1.0 and True are one key to Python.
        Any::Bool(_) | Any::Float(_) => Any::None,
        key => key,
    }
}

fn scalar(rng: &mut Rng) -> Any {
    let letters = |rng: &mut Rng, most: usize| -> String {
        let pool: Vec<char> = "ab\0\n\r\t\\'\"ä€\u{2028}😀\u{10ffff}\u{7f}\u{80}".chars().collect();
        (0..rng.usize(..most)).map(|_| pool[rng.usize(..pool.len())]).collect()
    };
    match rng.u8(..11) {
        0 => Any::None,
        1 => Any::Bool(rng.bool()),
        2 => Any::Small(rng.i32(..) >> rng.u32(..31)),
        3 | 4 => Any::Integer(rng.i128(..) >> rng.u32(..127)),
        5 => Any::Large(rng.u128(..) >> rng.u32(..127)),
        6 => float(rng),
        7 => Any::Letter(rng.char(..)),
        8 => Any::Bytes((0..rng.usize(..20)).map(|_| rng.u8(..)).collect()),
        9 => Any::Text(letters(rng, 8)),
        _ => Any::Text(letters(rng, 300)),
    }
}

fn float(rng: &mut Rng) -> Any {
    let edges = [0.0, -0.0, 0.1, 5e-324, f64::MAX, f64::INFINITY, f64::NEG_INFINITY, f64::NAN];
    let any = f64::from_bits(rng.u64(..));
    // Python writes no more of a NaN than that it is one, in protocol 0.
    Any::Float(if rng.bool() && !any.is_nan() { any } else { edges[rng.usize(..edges.len())] })
}
