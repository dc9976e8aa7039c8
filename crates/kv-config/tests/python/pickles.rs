//! Pickled values, from each language to the other, in each protocol that Python writes.

use std::collections::{BTreeMap, BTreeSet};

use kv_core::ErrorKind;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::service::{Both, both};

const PICKLE: &[(&str, &str)] = &[("SERIALIZER", "pickle")];

/// Lets Python pickle in this protocol from now on.
fn use_protocol(both: &mut Both, protocol: u8) {
    both.python.ask(&format!("setattr(original, 'PICKLE_PROTOCOL', {protocol})"));
}

/// What Python writes, and what Rust reads of it.
fn written_by_python() -> Vec<(&'static str, Value)> {
    vec![
        (
            "{'name': 'Jöhn', 'age': 30, 'tags': ('a', None)}",
            json!({"name": "Jöhn", "age": 30, "tags": ["a", null]}),
        ),
        ("[1, [2, [3, []]], {}, True, False]", json!([1, [2, [3, []]], {}, true, false])),
        (
            "'äöü € 😀 \\u2028 \\x00\\x1a\\n\\\\\\\\u0041'",
            json!("äöü € 😀 \u{2028} \u{0}\u{1a}\n\\\\u0041"),
        ),
        ("[2**63 - 1, -2**63, 2**64 - 1]", json!([i64::MAX, i64::MIN, u64::MAX])),
        ("[0.1, -0.0, 1e300, 5e-324]", json!([0.1, -0.0, 1e300, 5e-324])),
        ("[{3}, frozenset({4}), set()]", json!([[3], [4], []])),
        ("datetime(2024, 2, 29, 23, 59, 58, 7)", json!("2024-02-29T23:59:58.000007")),
        ("datetime(2024, 1, 2, tzinfo=timezone.utc)", json!("2024-01-02T00:00:00+00:00")),
        (
            "datetime(2024, 1, 2, tzinfo=timezone(timedelta(hours=5, minutes=30)))",
            json!("2024-01-02T00:00:00+05:30"),
        ),
        (
            "[date(1, 1, 1), time(1, 2, 3), time(4, tzinfo=timezone.utc)]",
            json!(["0001-01-01", "01:02:03", "04:00:00+00:00"]),
        ),
        ("[timedelta(days=1, seconds=30), timedelta(seconds=-5)]", json!(["P1DT30S", "-PT5S"])),
        ("[Decimal('1.50'), timezone.utc]", json!(["1.50", "+00:00"])),
        (
            "[x := ['shared'], x, {'again': x}]",
            json!([["shared"], ["shared"], {"again": ["shared"]}]),
        ),
    ]
}

#[tokio::test]
async fn what_python_pickles_in_any_protocol_is_read_by_rust() {
    let mut both = both(PICKLE).await;
    for protocol in 0..=5 {
        use_protocol(&mut both, protocol);
        for (value, expected) in written_by_python() {
            assert_eq!(both.python_writes::<Value>(value).await, expected, "{value}, {protocol}");
        }
    }
}

#[tokio::test]
async fn what_json_has_no_word_for_is_read_from_pickles_of_any_protocol() {
    let mut both = both(PICKLE).await;
    for protocol in 0..=5 {
        use_protocol(&mut both, protocol);
        assert_eq!(both.python_writes::<i128>("-2**127").await, i128::MIN);
        assert_eq!(both.python_writes::<u128>("2**128 - 1").await, u128::MAX);
        assert!(both.python_writes::<f64>("nan").await.is_nan());
        let infinite = [f64::INFINITY, f64::NEG_INFINITY];
        assert_eq!(both.python_writes::<[f64; 2]>("[inf, -inf]").await, infinite);
        let bytes: Vec<u8> = vec![0, 128, 255, 10];
        assert_eq!(both.python_writes::<Vec<u8>>("b'\\x00\\x80\\xff\\n'").await, bytes);
        assert_eq!(both.python_writes::<Vec<u8>>("bytearray(b'\\x00\\x80\\xff\\n')").await, bytes);
        let keys: BTreeMap<(i32, String), bool> = both.python_writes("{(1, 'a'): True}").await;
        assert_eq!(keys, BTreeMap::from([((1, "a".to_owned()), true)]));
        assert_eq!(both.python_writes::<Option<u8>>("None").await, None);
    }
}

#[tokio::test]
async fn what_no_type_of_rust_holds_is_refused_and_left_alone() {
    let mut both = both(PICKLE).await;
    for protocol in 0..=5 {
        use_protocol(&mut both, protocol);
        for value in ["2**128", "-2**127 - 1", r"'\ud800'", "(x := [1], x.append(x))[0]"] {
            both.refused::<Value>(value).await;
        }
        both.refused::<u64>("2**64").await;
        both.refused::<Value>("eval('[' * 128 + ']' * 128)").await;
    }
}

#[tokio::test]
async fn objects_are_refused_by_the_name_of_their_class_and_stay_readable_to_python() {
    let mut both = both(PICKLE).await;
    for protocol in 0..=5 {
        use_protocol(&mut both, protocol);
        for (value, name) in [
            ("collections.OrderedDict(a=1)", "`collections.OrderedDict`"),
            ("collections.defaultdict(list)", "`collections.defaultdict`"),
            (
                "{'id': UUID(int=7)}",
                if protocol < 2 { "`copy_reg._reconstructor`" } else { "`uuid.UUID`" },
            ),
            ("complex(1, 2)", "complex`"),
        ] {
            let told = both.refused::<Value>(value).await;
            assert!(told.contains(name), "{told}");
            assert_eq!(both.python.ask(&format!("await store.get('refused') == {value}")), "True");
        }
    }
}

#[tokio::test]
async fn a_pickle_that_would_run_a_command_is_refused_by_its_name_and_runs_nothing() {
    let mut both = both(PICKLE).await;
    let marker = both.server.dir().join("executed");
    let command = format!("touch {}", marker.display());
    let class = format!(
        "type('Evil', (), {{'__reduce__': lambda self: (__import__('os').system, ({command:?},))}})()"
    );
    let told = both.refused::<Value>(&class).await;
    assert!(told.contains("`posix.system`"), "{told}");
    assert!(!marker.exists());
    both.python.ask("await store.get('refused')");
    assert!(marker.exists(), "Python itself runs it");
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    url: String,
    hits: u64,
    next: Option<f64>,
    tags: BTreeSet<String>,
    size: (u8, char),
}

fn page() -> Page {
    let tags = ["a".to_owned(), "ä".to_owned()].into();
    Page { url: "https://a.example/€".into(), hits: 1 << 63, next: None, tags, size: (1, '😀') }
}

#[tokio::test]
async fn what_rust_pickles_is_read_by_python() {
    let mut both = both(PICKLE).await;
    let expected = "{'url': 'https://a.example/€', 'hits': 9223372036854775808, \
                    'next': None, 'tags': ['a', 'ä'], 'size': (1, '😀')}";
    assert_eq!(both.rust_writes(&page()).await, expected);
    assert_eq!(both.rust_writes(&i128::MIN).await, i128::MIN.to_string());
    assert_eq!(both.rust_writes(&u128::MAX).await, u128::MAX.to_string());
    assert_eq!(
        both.rust_writes(&(f64::NAN, f64::NEG_INFINITY, -0.0, 0.1)).await,
        "(nan, -inf, -0.0, 0.1)"
    );
    assert_eq!(both.rust_writes(&[true, false].as_slice()).await, "[True, False]");
    assert_eq!(both.rust_writes(&BTreeMap::from([((1, "a"), ())])).await, "{(1, 'a'): None}");
    assert_eq!(both.rust_writes(&Bytes(b"\x00\x80\xff")).await, r"b'\x00\x80\xff'");
    assert_eq!(both.rust_writes("\u{0}\u{2028}\n").await, r"'\x00\u2028\n'");
}

struct Bytes(&'static [u8]);

impl Serialize for Bytes {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_bytes(self.0)
    }
}

#[tokio::test]
async fn a_value_goes_from_rust_through_python_and_back_in_any_protocol() {
    let mut both = both(PICKLE).await;
    for protocol in 0..=5 {
        use_protocol(&mut both, protocol);
        both.rust.set("page", &page()).await.unwrap();
        both.python.ask("await store.put('page', await store.get('page'))");
        assert_eq!(both.rust.get("page").await.unwrap(), Some(page()), "{protocol}");
    }
}

#[tokio::test]
async fn json_under_the_prefix_of_pickles_is_refused_by_both() {
    let mut both = both(PICKLE).await;
    both.python.ask("await client.set(full('json'), '{\"a\": 1}')");
    assert!(both.python.fails("await store.get('json')").starts_with("ValueError"));
    let error = both.rust.get::<Value>("json").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
}
