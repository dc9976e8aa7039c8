//! What the formats promise: every digit both ways, and nothing hostile gets through.

#![cfg(test)]

use std::collections::BTreeMap;

use kv_core::{ErrorKind, MAX_DEPTH, Serializer, erased_serde};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

const BOTH: [Serializer; 2] = [Serializer::Json, Serializer::MessagePack];

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    none: Option<u8>,
    float: f64,
    nested: BTreeMap<String, Vec<Choice>>,
    unit: (),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    One(u64),
    Two(i64, bool),
    Named { a: char },
}

fn everything() -> Everything {
    let choices = vec![Choice::Unit, Choice::One(u64::MAX), Choice::Two(i64::MIN, true)];
    let more = vec![Choice::Named { a: 'é' }];
    let nested = BTreeMap::from([("k".to_owned(), choices), ("l".to_owned(), more)]);
    Everything { text: "ü\u{0}\n".into(), none: None, float: 0.1, nested, unit: () }
}

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    for serializer in BOTH {
        let bytes = serializer.encode(&everything()).unwrap();
        assert_eq!(serializer.decode::<Everything>(&bytes).unwrap(), everything());
    }
}

#[test]
fn a_float_that_is_not_finite_is_an_error_in_json_wherever_it_is() {
    for float in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let deep = Everything { float, ..everything() };
        assert_eq!(Serializer::Json.encode(&deep).unwrap_err().kind(), ErrorKind::Serialization);
        assert!(Serializer::Json.encode(&vec![Some(f32::NAN), None]).is_err());
        assert!(Serializer::Json.encode(&(None::<u8>, BTreeMap::from([(1, float)]))).is_err());
        let back: f64 = Serializer::MessagePack
            .decode(&Serializer::MessagePack.encode(&float).unwrap())
            .unwrap();
        assert_eq!(back.to_bits(), float.to_bits());
    }
}

#[test]
fn a_value_with_a_null_in_it_is_no_error() {
    let bytes = Serializer::Json.encode(&(None::<f64>, (), 1.5)).unwrap();
    assert_eq!(bytes.as_ref(), b"[null,null,1.5]");
}

#[test]
fn integers_keep_every_digit_as_in_python() {
    for number in [i128::from(i64::MIN), i128::from(u64::MAX), (1 << 53) + 1, i128::MAX] {
        let bytes = Serializer::Json.encode(&number).unwrap();
        assert_eq!(bytes.as_ref(), number.to_string().as_bytes());
        assert_eq!(Serializer::Json.decode::<i128>(&bytes).unwrap(), number);
    }
}

#[test]
fn floats_are_read_to_the_last_bit() {
    let rng = &mut fastrand::Rng::with_seed(7);
    for _ in 0..20_000 {
        let float = f64::from_bits(rng.u64(..));
        if float.is_finite() {
            let bytes = Serializer::Json.encode(&float).unwrap();
            let back: f64 = Serializer::Json.decode(&bytes).unwrap();
            assert_eq!(back.to_bits(), float.to_bits(), "{float:e}");
        }
    }
}

#[test]
fn text_that_python_wrote_is_read() {
    #[derive(Debug, PartialEq, Deserialize)]
    struct Record {
        url: String,
        processed_at: String,
        timestamp: f64,
        big: f64,
        count: u64,
        refs: Vec<String>,
        none: Option<bool>,
    }
    let python = br#"{"url": "https://example.org/\u00e9\ud83d\ude00", "none": null, "big": 1e+16,
        "processed_at": "2024-01-01T00:00:00.123456+00:00", "timestamp": 1766666666.123456,
        "count": 3, "refs": ["a", "b"]}"#;
    let record: Record = Serializer::Json.decode(python).unwrap();
    assert_eq!(record.url, "https://example.org/é😀");
    assert_eq!((record.timestamp, record.big), (1_766_666_666.123_456, 1e16));
    assert_eq!(record.processed_at, "2024-01-01T00:00:00.123456+00:00");
}

#[test]
fn the_words_that_python_writes_and_json_lacks_are_named_in_the_error() {
    let error = Serializer::Json.decode::<Value>(b"{\"a\": NaN}").unwrap_err();
    let cause = std::error::Error::source(&error).unwrap().to_string();
    assert!(cause.contains("NaN"), "{cause}");
}

#[test]
fn bytes_behind_a_value_are_refused() {
    for serializer in BOTH {
        let mut bytes = serializer.encode(&json!([1])).unwrap().to_vec();
        bytes.push(b'1');
        assert!(serializer.decode::<Value>(&bytes).is_err(), "{serializer:?}");
    }
}

#[test]
fn a_deep_nest_is_an_error_and_not_a_crash() {
    #[derive(Debug, Deserialize)]
    enum Chain {
        #[expect(dead_code, reason = "only its shape is decoded")]
        Link(Box<Chain>),
    }
    let json = "[".repeat(1_000_000);
    assert!(Serializer::Json.decode::<Value>(json.as_bytes()).is_err());
    let lists = vec![0x91; 1_000_000];
    assert!(Serializer::MessagePack.decode::<Value>(&lists).is_err());
    // A chain of enums: {"Link": {"Link": …}}, whose depth the decoder itself does not count.
    let link = [&[0x81, 0xa4][..], b"Link"].concat();
    assert!(Serializer::MessagePack.decode::<Chain>(&link.repeat(60_000)).is_err());
}

#[test]
fn a_nest_of_the_allowed_depth_is_written_and_read_and_a_deeper_one_is_neither() {
    for serializer in BOTH {
        let mut value = json!(1);
        for _ in 0..MAX_DEPTH {
            value = json!([value]);
        }
        let bytes = serializer.encode(&value).unwrap();
        assert_eq!(serializer.decode::<Value>(&bytes).unwrap(), value, "{serializer:?}");
        assert!(serializer.encode(&[value]).is_err(), "what cannot be read is not written");
    }
}

#[test]
fn random_bytes_never_panic() {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    let rng = &mut fastrand::Rng::with_seed(seed);
    for _ in 0..20_000 {
        let bytes: Vec<u8> = (0..rng.usize(..64)).map(|_| rng.u8(..)).collect();
        for serializer in BOTH {
            let _ = serializer.decode::<Everything>(&bytes);
            let _ = serializer.decode::<Value>(&bytes);
        }
    }
}

#[test]
fn no_error_shows_the_value() {
    for serializer in BOTH {
        let bytes = serializer.encode("canary-7531").unwrap();
        let error = serializer.decode::<u32>(&bytes).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn a_type_that_refuses_to_be_written_does_not_show_its_value() {
    struct Card(&'static str);
    impl Serialize for Card {
        fn serialize<S: serde::Serializer>(&self, _: S) -> Result<S::Ok, S::Error> {
            Err(serde::ser::Error::custom(self.0))
        }
    }
    for serializer in BOTH {
        let error = serializer.encode(&(None::<u8>, Card("canary-7531"))).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Serialization);
        assert!(!format!("{error} {error:?}").contains("canary"), "{error:?}");
    }
}

#[test]
fn a_command_does_not_show_its_value() {
    let (key, value) = ("k".to_owned(), "canary-7531".into());
    let command = kv_core::Command::Set { key, value, write: kv_core::Write::ALWAYS };
    assert_eq!(format!("{command:?}"), "set(\"k\")");
}

/// JSON by a program's own hand: what is refused does not depend on who writes it.
struct OwnJson;

impl kv_core::Format for OwnJson {
    fn name(&self) -> &str {
        "own-json"
    }

    fn encode(&self, value: &dyn erased_serde::Serialize) -> Result<Vec<u8>, kv_core::BoxError> {
        Ok(serde_json::to_vec(value)?)
    }

    fn decode(
        &self,
        bytes: &[u8],
        read: &mut dyn FnMut(
            &mut dyn erased_serde::Deserializer<'_>,
        ) -> Result<(), kv_core::BoxError>,
    ) -> Result<(), kv_core::BoxError> {
        let mut json = serde_json::Deserializer::from_slice(bytes);
        read(&mut <dyn erased_serde::Deserializer<'_>>::erase(&mut json))
    }
}

/// Why each format refuses a value.
fn refusals<T: Serialize>(value: &T) -> Vec<String> {
    let formats = BOTH.into_iter().chain([Serializer::custom(OwnJson)]);
    let cause = |serializer: Serializer| {
        let error = serializer.encode(value).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Serialization);
        std::error::Error::source(&error).unwrap().to_string()
    };
    formats.map(cause).collect()
}

#[test]
fn some_of_a_null_is_refused_in_every_format_and_place() {
    #[derive(Serialize)]
    struct Nil;
    #[derive(Serialize)]
    struct Wrap<T>(T);
    #[derive(Serialize)]
    struct Field<T> {
        field: T,
    }
    #[derive(Serialize)]
    enum Variant<T> {
        New(T),
        Struct { field: T },
    }
    fn in_every_place<T: Serialize + Clone>(some: &T, path: &str) {
        for (causes, place) in [
            (refusals(some), String::new()),
            (refusals(&Wrap(some)), String::new()),
            (refusals(&(1, some)), "[1]".to_owned()),
            (refusals(&vec![Field { field: [some] }]), "[0].field[0]".to_owned()),
            (refusals(&BTreeMap::from([("secret", some)])), "[entry 0]".to_owned()),
            (refusals(&Variant::New(some)), "New".to_owned()),
            (refusals(&Variant::Struct { field: some }), "field".to_owned()),
        ] {
            for cause in causes {
                let place = if place.is_empty() { path } else { &format!("`{place}`: ") };
                assert!(cause.starts_with(&format!("{place}`Some` of a null")), "{place}{cause}");
            }
        }
    }
    in_every_place(&Some(()), "");
    in_every_place(&Some(None::<u8>), "");
    in_every_place(&Some(Value::Null), "");
    in_every_place(&Some(Box::new(std::marker::PhantomData::<u8>)), "");
    for cause in [refusals(&Some(Nil)), refusals(&Some(Wrap(Nil))), refusals(&Some(Some(Nil)))] {
        assert!(cause.iter().all(|cause| cause.contains("reads back as `None`")), "{cause:?}");
    }
}

#[test]
fn integers_of_128_bits_are_written_only_where_they_are_surely_read() {
    #[derive(Serialize)]
    struct Plain {
        size: u128,
    }
    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        A { size: i128 },
    }
    #[derive(Serialize)]
    #[serde(untagged)]
    enum Untagged {
        New(i128),
    }
    for causes in [
        refusals(&Plain { size: 1 }),
        refusals(&Tagged::A { size: 1 }),
        refusals(&Untagged::New(1)),
        refusals(&vec![Plain { size: 1 }]),
    ] {
        assert!(causes.iter().all(|cause| cause.contains("a 128-bit integer")), "{causes:?}");
    }
    for serializer in BOTH {
        let value = (i128::MIN, vec![Some(u128::MAX)], BTreeMap::from([(1_u128, ())]));
        let bytes = serializer.encode(&value).unwrap();
        assert_eq!(serializer.decode::<(i128, Vec<Option<u128>>, _)>(&bytes).unwrap(), value);
    }
}

#[test]
fn what_a_buffer_would_not_give_back_is_refused_inside_of_tagged_and_flattened_types() {
    #[derive(Serialize)]
    #[serde(tag = "kind")]
    enum Tagged<T> {
        New(T),
        Struct { inner: T },
    }
    #[derive(Serialize)]
    struct Flat<T> {
        #[serde(flatten)]
        inner: T,
    }
    let keys = BTreeMap::from([("map", BTreeMap::from([(1, 1)]))]);
    for value in [
        Serializer::Json.encode(&Tagged::Struct { inner: &keys }).unwrap_err(),
        Serializer::Json.encode(&Tagged::New(&keys)).unwrap_err(),
        Serializer::Json.encode(&Flat { inner: &keys }).unwrap_err(),
    ] {
        let cause = std::error::Error::source(&value).unwrap().to_string();
        assert!(cause.contains("use text keys"), "{cause}");
    }
    assert!(Serializer::MessagePack.encode(&Tagged::Struct { inner: &keys }).is_ok());
    assert!(Serializer::Json.encode(&keys).is_ok(), "a plain map with numbers as keys");
    for causes in [
        refusals(&Tagged::New(BTreeMap::from([("a", 1), ("kind", 2)]))),
        refusals(&Flat { inner: (Tagged::New(BTreeMap::from([("kind", 2)])),).0 }),
    ] {
        assert!(causes.iter().all(|cause| cause.contains("stands twice")), "{causes:?}");
    }
    let address = std::net::IpAddr::from([127, 0, 0, 1]);
    assert!(Serializer::MessagePack.encode(&Tagged::Struct { inner: address }).is_err());
    assert!(Serializer::MessagePack.encode(&[address]).is_ok());
    assert!(Serializer::Json.encode(&Tagged::Struct { inner: address }).is_ok());
}

#[test]
fn a_custom_format_is_like_json_unless_it_says_that_it_is_not() {
    let own = Serializer::custom(OwnJson);
    assert!(own.encode(&f64::NAN).is_err(), "it would be a null");
    assert!(own.encode(&(1.5, "a")).is_ok());
}
