//! The types, most of which are written by no means in every form: what is buffered at the read is.

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::num::{NonZeroU64, Wrapping};
use std::ops::{Bound, Range};
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use serde_json::Value;

use crate::random;
use crate::round::{Round, round};

random! {
    struct Plain { id: u64, name: String, score: f64, tags: Vec<String>, note: Option<String> }
    struct Nested { plain: Plain, more: Vec<Plain>, map: HashMap<String, Plain> }
    struct Empty {}
    struct Nothings { unit: (), some: Option<()>, twice: Option<Option<u8>>, unit_struct: Nothing }
    struct Values { value: Value, maybe: Option<Value>, list: Vec<Option<Value>> }
    struct Numbers { a: i8, b: u8, c: i16, d: u16, e: i32, f: u32, g: i64, h: u64 }
    struct Wide { a: i128, b: u128 }
    struct Keys { a: BTreeMap<u32, u8>, b: HashMap<bool, u8>, c: BTreeMap<char, u8> }
    struct OddKeys { a: BTreeMap<Option<u8>, u8>, b: BTreeMap<(u8, u8), u8> }
    struct NewtypeKeys { a: BTreeMap<Id, u8>, b: BTreeMap<Level, u8>, c: BTreeMap<Choice, u8> }
    struct Times { a: Duration, b: SystemTime, c: Option<Duration> }
    struct Places { a: IpAddr, b: SocketAddr, c: PathBuf }
    struct Std { a: Range<i32>, b: Bound<String>, c: Result<u8, Option<String>>, d: NonZeroU64 }
    struct Wraps { a: Wrapping<i16>, b: Reverse<u8>, c: Box<Plain>, d: Cow<'static, str> }
    struct Arrays { a: [u8; 3], b: [(); 2], c: [Option<i8>; 0], d: (u8, String, f32) }
    struct Sets { a: BTreeSet<i64>, b: HashSet<String>, c: VecDeque<Option<bool>> }
    struct Floats { a: f32, b: f64, c: Vec<f32>, d: Option<f64> }
    #[serde(default)]
    #[derive(Default)]
    struct Skipping {
        #[serde(skip_serializing_if = "Option::is_none")]
        a: Option<u8>,
        #[serde(skip_serializing_if = "Vec::is_empty")]
        b: Vec<u8>,
        #[serde(rename = "weird name")]
        c: bool,
    }
    struct FlatStruct { id: u8, #[serde(flatten)] plain: Plain }
    struct FlatMap { id: u8, #[serde(flatten)] rest: BTreeMap<String, u64> }
    struct FlatShort { a: u8, #[serde(flatten)] rest: BTreeMap<String, Value> }
    struct FlatWide { id: u8, #[serde(flatten)] wide: Wide }
    struct FlatWideMap { #[serde(flatten)] wide: BTreeMap<String, i128> }
    struct FlatKeys { id: u8, #[serde(flatten)] keys: Keys }
    struct FlatTagged { id: u8, #[serde(flatten)] tagged: Internal }
    struct FlatAdjacent { id: u8, #[serde(flatten)] tagged: Adjacent }
    struct FlatExternal { id: u8, #[serde(flatten)] external: External }
    struct FlatPlaces { id: u8, #[serde(flatten)] places: Places }
    struct FlatNothings { id: u8, #[serde(flatten)] nothings: Nothings }
    struct FlatIntegers { id: u8, #[serde(flatten)] rest: BTreeMap<u32, u8> }
    struct FlatTwice { x: u8, #[serde(flatten)] rest: Inner2 }
    struct Inner2 { y: f32, #[serde(flatten)] z: FlatStruct2 }
    struct FlatStruct2 { z: Option<u64> }
    #[serde(tag = "t")]
    struct TaggedStruct { a: u8, b: BTreeMap<u8, u8> }
    struct Inner { t: String, x: u8 }
    struct Small { x: u8, y: Option<String> }
    #[serde(deny_unknown_fields)]
    struct Strict { x: Option<u8>, y: Level }
    struct Bytes { #[serde(with = "raw")] a: Vec<u8>, b: Vec<u8> }
    #[serde(transparent)]
    struct Transparent { inner: Option<Plain> }
    struct Deep { a: Option<Box<Deep2>>, b: Vec<Option<Nothing>> }
    struct Deep2 { a: Option<Transparent>, b: Option<Box<(Option<Value>, Internal)>> }
    struct Timed { at: Internal, tail: AdjacentWide }
}

random! {
    struct Nothing();
    struct Pair(u8, Option<String>);
    #[derive(PartialOrd, Eq, Ord, Hash)]
    struct Id(u64);
    struct Newtype(Option<Box<Value>>);
    #[serde(transparent)]
    struct Through(Option<()>);
}

random! {
    #[derive(PartialOrd, Eq, Ord, Hash)]
    enum Level { Low, High }
}

random! {
    #[derive(PartialOrd, Eq, Ord, Hash)]
    enum Choice { A, B(u8) }
    enum External { Unit, New(u8), NewOption(Option<u8>), Tuple(i64, String), Struct { a: Value, b: Option<()> } }
    #[serde(tag = "t")]
    enum Internal { Unit, New(Small), Struct { a: u64, b: Option<f64> }, Map(BTreeMap<String, u8>) }
    #[serde(tag = "t")]
    enum InternalClash { New(Inner), Map(BTreeMap<String, String>) }
    #[serde(tag = "t")]
    enum InternalWide { New(Wide), Struct { a: i128 }, Other { b: u128, c: u8 } }
    #[serde(tag = "t")]
    enum InternalKeys { New(Keys), Struct { a: HashMap<i64, u8> }, Floats { f: Floats } }
    #[serde(tag = "t")]
    enum InternalPlaces { New(Places), Struct { ip: IpAddr, level: Level, e: External } }
    #[serde(tag = "t")]
    enum InternalOdd { Unit(()), Nested(External), Deep(Box<Internal>), Nothing(Nothings), Bytes(Bytes) }
    #[serde(tag = "t", content = "c")]
    enum Adjacent { Unit, New(Option<u8>), Tuple(u8, char), Struct { a: Nothings, b: Plain } }
    #[serde(tag = "t", content = "c")]
    enum AdjacentWide { New(i128), Tuple(u128, u8), Struct { a: i128 }, Keys(BTreeMap<u8, IpAddr>) }
    #[serde(untagged)]
    enum Untagged { Number(u64), Text(String), List(Vec<Option<u8>>), Struct { a: u8, b: Level } }
    #[serde(untagged)]
    enum UntaggedWide { New(i128), Struct { a: u128 }, Tuple(u128, u8) }
    #[serde(untagged)]
    enum UntaggedStruct { Wide(Wide), Small(Small), Text(String) }
    #[serde(untagged)]
    enum UntaggedNil { Nil, Number(u8), Some(Vec<Option<Value>>) }
}

mod raw {
    use serde::de::{self, Deserializer, Visitor};

    pub(super) fn serialize<S: serde::Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
        to.serialize_bytes(bytes)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Vec<u8>, D::Error> {
        from.deserialize_byte_buf(Raw)
    }

    struct Raw;

    impl<'de> Visitor<'de> for Raw {
        type Value = Vec<u8>;

        fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
            f.write_str("bytes")
        }

        fn visit_bytes<E: de::Error>(self, bytes: &[u8]) -> Result<Vec<u8>, E> {
            Ok(bytes.to_vec())
        }

        fn visit_seq<A: de::SeqAccess<'de>>(self, mut items: A) -> Result<Vec<u8>, A::Error> {
            let mut bytes = Vec::new();
            while let Some(byte) = items.next_element()? {
                bytes.push(byte);
            }
            Ok(bytes)
        }
    }
}

macro_rules! shapes {
    ($($type:ty),* $(,)?) => { &[$((stringify!($type), round::<$type> as Round)),*] };
}

/// Written in every format, whatever their value is.
pub(crate) const PLAIN: &[(&str, Round)] = shapes![
    Plain, Nested, Empty, Numbers, Keys, Places, Wraps, Sets, Skipping, Strict, Bytes, Pair, Id,
    Level, Untagged, Value, i128, (i64, u128), Option<u128>, BTreeMap<String, i128>,
    HashMap<u128, Vec<i128>>, BTreeMap<IpAddr, Duration>, Result<(), String>, (), Nothing,
];

/// Refused for some of their values, or in one of the formats.
pub(crate) const OTHERS: &[(&str, Round)] = shapes![
    Nothings,
    Values,
    OddKeys,
    NewtypeKeys,
    Times,
    Std,
    Arrays,
    Floats,
    FlatStruct,
    FlatMap,
    FlatShort,
    FlatKeys,
    FlatTagged,
    FlatAdjacent,
    FlatExternal,
    FlatPlaces,
    FlatNothings,
    FlatIntegers,
    FlatTwice,
    TaggedStruct,
    Transparent,
    Deep,
    Newtype,
    Through,
    External,
    Internal,
    InternalClash,
    InternalKeys,
    InternalPlaces,
    InternalOdd,
    Adjacent,
    UntaggedStruct,
    UntaggedNil,
    Option<Value>,
    Option<()>,
    Option<Option<u8>>,
    Vec<Option<Option<u8>>>,
    f32,
    Option<Result<(), ()>>,
    [Option<()>; 2],
];

/// Refused always: integers of 128 bits in types of the program's own.
pub(crate) const WIDE: &[(&str, Round)] = shapes![Wide, FlatWide, InternalWide, UntaggedWide];

/// Refused where such an integer is in it.
pub(crate) const PARTLY_WIDE: &[(&str, Round)] = shapes![FlatWideMap, Timed, AdjacentWide];
