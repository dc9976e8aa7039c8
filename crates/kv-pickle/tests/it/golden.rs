//! What Python wrote is read, and what is written Python reads: `golden/generate.py` wrote the one
//! and checked the other.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use serde::ser::SerializeMap;

use crate::{READ, describe, from_hex, pickle};

/// A name, what is written, and the `repr` of what Python reads from it.
const WRITTEN: &str = include_str!("../golden/written.tsv");

#[test]
fn every_pickle_of_python_is_read_as_its_value_raw_and_as_text_in_either_case() {
    for line in READ.lines() {
        let [name, protocol, text, value] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("four columns: {line}");
        };
        for bytes in [text.as_bytes(), text.to_uppercase().as_bytes(), &from_hex(text)] {
            let found = describe(bytes).unwrap_or_else(|error| {
                panic!("{name}, protocol {protocol}: {error}: {:?}", crate::cause(bytes))
            });
            assert_eq!(found, value, "{name}, protocol {protocol}");
        }
    }
}

#[test]
fn all_six_protocols_are_among_the_pickles_of_python() {
    let protocol = |line: &'static str| line.split('\t').nth(1);
    let protocols: BTreeSet<_> = READ.lines().filter_map(protocol).collect();
    assert_eq!(protocols, BTreeSet::from(["0", "1", "2", "3", "4", "5"]));
}

/// What Python 2.7's `pickle` and `cPickle` wrote of one value, in protocols 0 and 2.
const BY_PYTHON_2: [&str; 2] = [
    "286470300a532761270a70310a286c70320a49310a614c324c0a615678e40a70330a615322697427735c6e220a7034\
     0a6146312e350a614e614930310a612849310a7470350a6173532762270a70360a635f5f6275696c74696e5f5f0a73\
     65740a70370a28286c70380a49310a617470390a527031300a732e",
    "80027d7101285501615d7102284b018a0102580300000078c3a471035505697427730a7104473ff80000000000004e\
     884b0185710565550162635f5f6275696c74696e5f5f0a7365740a71065d71074b016185527108752e",
];

#[test]
fn pickles_of_python_2_are_read_where_their_texts_are_ascii() {
    for text in BY_PYTHON_2 {
        let value = "{t61:[1,2,t78c3a4,t697427730a,f3ff8000000000000,none,true,[1]],t62:[1]}";
        assert_eq!(describe(text.as_bytes()).unwrap(), value);
    }
}

#[derive(Serialize)]
struct Unit;

#[derive(Serialize)]
struct New(u8);

#[derive(Serialize)]
struct Pair(u8, char);

#[derive(Serialize)]
struct Page {
    url: &'static str,
    hits: u32,
    next: Option<&'static str>,
}

#[derive(Serialize)]
enum Choice {
    Unit,
    New(u8),
    Pair(u8, bool),
    Named { at: i8 },
}

struct Bytes(Vec<u8>);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(&self.0)
    }
}

/// Keys of every kind that Python can hash.
struct Keys;

impl Serialize for Keys {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut map = serializer.serialize_map(None)?;
        map.serialize_entry(&1, "int")?;
        map.serialize_entry(&(1, ("a", ())), "tuple")?;
        map.serialize_entry(&None::<u8>, "none")?;
        map.serialize_entry(&Bytes(vec![b'k']), "bytes")?;
        map.serialize_entry(&Choice::Unit, &BTreeMap::from([(2.5_f64.to_bits(), [()])]))?;
        map.end()
    }
}

/// What is written, under the names that `written.tsv` has.
fn written() -> Vec<(&'static str, String)> {
    macro_rules! rows {
        ($($name:literal => $value:expr),* $(,)?) => {
            vec![$(($name, String::from_utf8(pickle().encode(&$value).unwrap().into()).unwrap())),*]
        };
    }
    rows! {
        "scalars" => ((), true, false, 'é', Unit, New(7), Some(1), None::<u8>),
        "small integers" => [0, 1, -1, 127, 128, 255, 256, 65_535, 65_536, -128, -129],
        "32 bits" => [i64::from(i32::MAX), 1 << 31, i64::from(i32::MIN), -(1 << 31) - 1],
        "40 bits" => [0x7f_ffff_ffff_i64, 0x80_0000_0000, -0x80_0000_0000, -0x80_0000_0001],
        "64 bits" => (i64::MAX, i64::MIN, u64::MAX, i128::from(u64::MAX) + 1),
        "128 bits" => (i128::MAX, i128::MIN, u128::MAX, 1_u128 << 127),
        "floats" => [0.0, -0.0, 0.1, 1e300, 5e-324, f64::INFINITY, f64::NEG_INFINITY, f64::NAN],
        "small floats" => [0.5_f32, 0.1],
        "texts" => ["", "plain", "ä€😀", "\0\n\\'\""],
        "text of 255" => "x".repeat(255),
        "text of 256" => "x".repeat(256),
        "bytes" => (Bytes(vec![]), Bytes(vec![0, 127, 255]), Bytes(vec![7; 300])),
        "lists" => (Vec::<u8>::new(), vec![vec![1], vec![]], BTreeSet::from([1, 2])),
        "long list" => vec![(); 1_100],
        "tuples" => ((1,), (1, 2), (1, 2, 3, 4), Pair(1, 'b'), [(); 0]),
        "maps" => (BTreeMap::<u8, u8>::new(), BTreeMap::from([("a", [1]), ("b", [2])])),
        "struct" => Page { url: "https://a.example", hits: 3, next: None },
        "variants" => (Choice::Unit, Choice::New(1), Choice::Pair(1, true)),
        "variants in lists" => [Choice::Named { at: -1 }, Choice::New(2), Choice::Unit].as_slice(),
        "keys" => Keys,
    }
}

#[test]
fn what_is_written_is_byte_for_byte_what_python_was_seen_to_read() {
    let checked = WRITTEN.lines().filter_map(|line| line.rsplit_once('\t'));
    let checked: Vec<&str> = checked.map(|(row, _)| row).collect();
    let written: Vec<String> =
        written().iter().map(|(name, text)| format!("{name}\t{text}")).collect();
    assert_eq!(written, checked);
}
