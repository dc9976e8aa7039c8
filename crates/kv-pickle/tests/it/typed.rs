//! Types through serde: what comes back, and what is refused.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::net::IpAddr;

use kv_core::{ErrorKind, MAX_DEPTH};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::{cause, pickle};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Everything {
    text: String,
    none: Option<u8>,
    some: Option<Option<i8>>,
    float: f64,
    small: f32,
    nested: BTreeMap<String, Vec<Choice>>,
    keyed: BTreeMap<(u8, char), BTreeSet<i64>>,
    unit: (),
    bytes: Vec<u8>,
    address: IpAddr,
    #[serde(flatten)]
    rest: HashMap<String, u64>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Choice {
    Unit,
    One(u64),
    Two(i64, bool),
    Named { a: char },
    Optional(Option<()>),
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind")]
enum Tagged {
    A { a: u8 },
    B,
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
enum Untagged {
    Number(i64),
    Text(String),
    List(Vec<Untagged>),
}

fn everything() -> Everything {
    let choices = vec![
        Choice::Unit,
        Choice::One(u64::MAX),
        Choice::Two(i64::MIN, true),
        Choice::Named { a: 'é' },
        Choice::Optional(None),
    ];
    Everything {
        text: "ü\u{0}\n".into(),
        none: None,
        some: Some(Some(-1)),
        float: f64::NEG_INFINITY,
        small: 0.1,
        nested: BTreeMap::from([("k".into(), choices), (String::new(), vec![])]),
        keyed: BTreeMap::from([((1, 'x'), BTreeSet::from([i64::MIN, i64::MAX]))]),
        unit: (),
        bytes: vec![0, 255],
        address: IpAddr::from([127, 0, 0, 1]),
        rest: HashMap::from([("more".into(), 1)]),
    }
}

fn comes_back<T: Serialize + DeserializeOwned + PartialEq + std::fmt::Debug>(value: &T) {
    assert_eq!(pickle().decode::<T>(&pickle().encode(value).unwrap()).unwrap(), *value);
}

#[test]
fn every_kind_of_value_comes_back_as_it_was() {
    comes_back(&everything());
    comes_back(&(i128::MIN, u128::MAX));
    comes_back(&(Tagged::A { a: 1 }, Tagged::B));
    let text = Untagged::Text("a".into());
    comes_back(&Untagged::List(vec![Untagged::Number(-1), text, Untagged::List(vec![])]));
    let nan = pickle().decode::<f64>(&pickle().encode(&f64::NAN).unwrap()).unwrap();
    assert_eq!(nan.to_bits(), f64::NAN.to_bits());
}

#[test]
fn json_values_come_back_and_read_what_python_wrote() {
    comes_back(&serde_json::json!({"a": [1, -1, 0.5, null, true, "x", {}], "b": u64::MAX}));
}

#[test]
fn bytes_of_python_are_read_into_a_vector_of_numbers() {
    assert_eq!(pickle().decode::<Vec<u8>>(b"\x80\x04C\x02\x00\xff.").unwrap(), [0, 255]);
    assert_eq!(pickle().decode::<[u8; 2]>(b"\x80\x04C\x02\x00\xff.").unwrap(), [0, 255]);
}

#[test]
fn a_value_of_another_shape_is_an_error_that_does_not_quote_it() {
    let bytes = pickle().encode("secret").unwrap();
    let error = pickle().decode::<u8>(&bytes).unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(!format!("{error:?}").contains("secret"));
    for wrong in [&b"80044b0a4b0b862e"[..], b"8004284b0a4b0b4b0c742e"] {
        assert!(pickle().decode::<(u8,)>(wrong).is_err());
    }
    assert!(pickle().decode::<u8>(&pickle().encode(&256).unwrap()).is_err());
}

/// Lists in each other.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Nest(Vec<Nest>);

fn nest(depth: usize) -> Nest {
    (1..depth).fold(Nest(vec![]), |inner, _| Nest(vec![inner]))
}

#[test]
fn a_value_is_written_and_read_down_to_the_deepest_nesting_and_no_further() {
    comes_back(&nest(MAX_DEPTH));
    assert!(pickle().encode(&nest(MAX_DEPTH + 1)).is_err());
    let raw = |depth: usize| [vec![b']'; depth], vec![b'a'; depth - 1], vec![b'.']].concat();
    assert_eq!(pickle().decode::<Nest>(&raw(MAX_DEPTH)).unwrap(), nest(MAX_DEPTH));
    assert!(cause(&raw(MAX_DEPTH + 1)).contains("nested deeper than 127"));
}

#[test]
fn a_key_that_python_cannot_hash_is_not_written() {
    let refused = [
        pickle().encode(&BTreeMap::from([(vec![1], 1)])),
        pickle().encode(&BTreeMap::from([((1, vec![1]), 1)])),
        pickle().encode(&BTreeMap::from([(BTreeMap::from([(1, 1)]), 1)])),
        pickle().encode(&BTreeMap::from([(Some([vec![1]]), 1)])),
    ];
    for result in refused {
        assert_eq!(result.unwrap_err().kind(), ErrorKind::Serialization);
    }
}
