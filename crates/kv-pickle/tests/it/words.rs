//! What is said of a value of another shape: the field, and never a value, in every format.

use std::collections::BTreeMap;
use std::error::Error as StdError;
use std::fmt;

use fastrand::Rng;
use kv_core::Serializer;
use serde::de::{DeserializeOwned, Error as _, Unexpected};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};

use crate::pickle;

/// In every text of the data, also in the names of fields and variants.
const MARKER: &str = "hunter2";
/// In every number of the data.
const DIGITS: &str = "7351927";

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "its fields are only read into")]
struct User {
    mail: String,
    age: u8,
    home: Address,
    role: Role,
    more: Option<Vec<(bool, char)>>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(dead_code, reason = "its fields are only read into")]
struct Address {
    street: String,
    number: Option<i16>,
}

#[derive(Debug, Deserialize, PartialEq, Eq, PartialOrd, Ord)]
enum Role {
    Guest,
    Admin(u8),
    Owner { since: u16 },
    Both(String, bool),
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind", content = "body")]
#[expect(dead_code, reason = "its variants are only read into")]
enum Adjacent {
    One(u8),
    Two { left: bool },
}

#[derive(Debug, Deserialize)]
#[serde(tag = "kind")]
#[expect(dead_code, reason = "its variants are only read into")]
enum Internal {
    One { left: u8 },
    Two,
}

#[derive(Debug, Deserialize)]
#[serde(untagged)]
#[expect(dead_code, reason = "its variants are only read into")]
enum Untagged {
    One(User),
    Two(u8),
}

#[derive(Debug, Deserialize)]
#[expect(dead_code, reason = "its fields are only read into")]
struct Flattened {
    mail: u8,
    #[serde(flatten)]
    rest: BTreeMap<String, u8>,
}

#[derive(Debug, Deserialize)]
enum Never {}

/// A type whose refusals quote the value, each in another way.
#[derive(Debug)]
struct Quoting;

impl<'de> Deserialize<'de> for Quoting {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let quoted = format!("other than {text:?}");
        Err(match text.len() % 7 {
            0 => D::Error::custom(format!("bad {text}")),
            1 => D::Error::invalid_value(Unexpected::Str(&text), &"a mail address"),
            2 => D::Error::invalid_value(Unexpected::Other(&text), &quoted.as_str()),
            3 => D::Error::unknown_variant(&text, &[]),
            4 => D::Error::unknown_field(&format!("a`, expected {text}"), &[]),
            5 => D::Error::unknown_variant(&format!("a, expected {text}"), &["One", "Two"]),
            _ => D::Error::invalid_type(Unexpected::Bytes(text.as_bytes()), &"a mail address"),
        })
    }
}

fn formats() -> [Serializer; 3] {
    [Serializer::Json, Serializer::MessagePack, pickle()]
}

/// All that the error says with all its causes, if it is one.
fn told<T: DeserializeOwned + fmt::Debug>(
    serializer: &Serializer,
    value: &impl Serialize,
) -> Option<String> {
    let bytes = serializer.encode(value).ok()?;
    let error = serializer.decode::<T>(&bytes).err()?;
    let (mut text, mut next) = (format!("{error} {error:?}"), error.source());
    while let Some(cause) = next {
        text += &format!(" {cause} {cause:?}");
        next = cause.source();
    }
    Some(text)
}

/// A field's name or a variant's, mostly one that there is.
fn name(rng: &mut Rng) -> String {
    let known = [
        "mail", "age", "home", "role", "more", "street", "number", "Guest", "Admin", "Owner",
        "since", "Both", "kind", "body", "One", "Two", "left",
    ];
    match rng.u8(..10) {
        0 => format!("{MARKER}{}", "!".repeat(rng.usize(..7))),
        1 => format!("a`, expected {MARKER}"),
        _ => known[rng.usize(..known.len())].to_owned(),
    }
}

/// Any value, with the marker in all that is not a name.
fn value(rng: &mut Rng, depth: u8) -> Value {
    match rng.u8(..if depth == 0 { 6 } else { 9 }) {
        0 => Value::Null,
        1 => rng.bool().into(),
        2 => 73_519_270_i64.wrapping_add(rng.i64(..10)).into(),
        3 => (-7_351_927.5).into(),
        4 => format!("{MARKER}{}", "!".repeat(rng.usize(..7))).into(),
        5 => format!("\", expected {MARKER}").into(),
        6 => (0..rng.usize(..4)).map(|_| value(rng, depth - 1)).collect::<Vec<_>>().into(),
        _ => {
            let fields = 0..rng.usize(..5);
            fields.map(|_| (name(rng), value(rng, depth - 1))).collect::<Map<_, _>>().into()
        }
    }
}

#[test]
fn whatever_is_read_as_whatever_type_no_value_of_the_data_is_told() {
    let seed =
        std::env::var("SEED").ok().map_or_else(|| fastrand::u64(..), |it| it.parse().unwrap());
    println!("SEED={seed}");
    let mut rng = Rng::with_seed(seed);
    let mut errors = 0;
    for _ in 0..2_000 {
        let value = value(&mut rng, 3);
        for serializer in &formats() {
            let all = [
                told::<User>(serializer, &value),
                told::<Role>(serializer, &value),
                told::<Adjacent>(serializer, &value),
                told::<Internal>(serializer, &value),
                told::<Untagged>(serializer, &value),
                told::<Flattened>(serializer, &value),
                told::<Never>(serializer, &value),
                told::<Vec<Address>>(serializer, &value),
                told::<BTreeMap<String, u8>>(serializer, &value),
                told::<BTreeMap<Role, u8>>(serializer, &value),
                told::<Quoting>(serializer, &value),
                told::<Vec<Quoting>>(serializer, &value),
                told::<(bool, u16)>(serializer, &value),
            ];
            for text in all.into_iter().flatten() {
                errors += 1;
                let shows = text.contains(MARKER) || text.contains(DIGITS);
                assert!(!shows, "{}: {text} of {value}", serializer.name());
            }
        }
    }
    assert!(errors > 10_000, "{errors} errors");
}

#[test]
fn the_field_and_what_was_expected_are_told_in_every_format() {
    let user = json!({"mail": "a", "age": 1, "home": {"street": "b"}, "role": "Guest"});
    let with = |field: &str, value: Value| {
        let mut user = user.clone();
        user[field] = value;
        user
    };
    let without = |field: &str| {
        let mut user = user.clone();
        user.as_object_mut().unwrap().remove(field);
        user
    };
    let cases = [
        (without("mail"), "missing field `mail`"),
        (without("role"), "missing field `role`"),
        (with("home", json!({})), "missing field `street`"),
        (
            with("home", json!({"street": "b", MARKER: 1})),
            "unknown field, expected `street` or `number`",
        ),
        (with("age", MARKER.into()), "invalid type: string, expected u8"),
        (with("age", 7_351_927.into()), "invalid value: integer, expected u8"),
        (with("mail", json!([MARKER])), "invalid type: sequence, expected a string"),
        (with("more", json!([[true, MARKER]])), "expected a character"),
        (with("more", json!([[true]])), "invalid length 1, expected a tuple of size 2"),
        (
            with("role", MARKER.into()),
            "unknown variant, expected one of `Guest`, `Admin`, `Owner`, `Both`",
        ),
        (with("role", json!({"Owner": {}})), "missing field `since`"),
    ];
    for serializer in &formats() {
        assert!(told::<User>(serializer, &user).is_none(), "{}", serializer.name());
        for (value, words) in &cases {
            let text = told::<User>(serializer, value).unwrap();
            // The decoder of MessagePack says of a number only that there is none.
            let is_told = serializer.name() != "msgpack" || !words.ends_with("string, expected u8");
            let words = if is_told { words } else { "wrong msgpack marker" };
            assert!(text.contains(words), "{}: {words:?} is not in {text}", serializer.name());
            assert!(!text.contains(MARKER), "{}: {text}", serializer.name());
        }
    }
}
