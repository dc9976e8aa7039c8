//! What the formats promise: every digit both ways, and nothing hostile gets through.

use std::collections::BTreeMap;

use kv_core::{ErrorKind, MAX_DEPTH, Serializer};
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
