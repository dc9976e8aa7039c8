//! JSON values, from each language to the other.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use crate::service::both;

const JSON: &[(&str, &str)] = &[("SERIALIZER", "json")];

/// What Python writes, and what Rust reads of it.
fn written_by_python() -> Vec<(&'static str, Value)> {
    vec![
        (
            r#"{"name": "John", "age": 30, "active": True}"#,
            json!({"name": "John", "age": 30, "active": true}),
        ),
        ("[1, [2, [3, []]], {}]", json!([1, [2, [3, []]], {}])),
        ("(1, 'two', None)", json!([1, "two", null])),
        ("'äöü € 😀 \\u2028 \\x00\\x1f\\\\\"'", json!("äöü € 😀 \u{2028} \u{0}\u{1f}\\\"")),
        ("''", json!("")),
        ("None", json!(null)),
        ("[True, False]", json!([true, false])),
        ("[2**63 - 1, -2**63, 2**64 - 1]", json!([i64::MAX, i64::MIN, u64::MAX])),
        ("[0.1, -0.0, 1e300, 5e-324, 1e16, 2.0]", json!([0.1, -0.0, 1e300, 5e-324, 1e16, 2.0])),
        (
            "{1: 'int', None: 'none', False: 'bool'}",
            json!({"1": "int", "null": "none", "false": "bool"}),
        ),
        ("datetime(2024, 2, 29, 23, 59, tzinfo=timezone.utc)", json!("2024-02-29 23:59:00+00:00")),
        ("[date(2024, 2, 29), time(1, 2, 3)]", json!(["2024-02-29", "01:02:03"])),
        ("[timedelta(days=1, seconds=30), Decimal('1.50')]", json!(["1 day, 0:00:30", "1.50"])),
        ("[b'x', {1}, frozenset({1})]", json!(["b'x'", "{1}", "frozenset({1})"])),
        (
            "[UUID(int=7), Page('a')]",
            json!(["00000000-0000-0000-0000-000000000007", "Page(url='a')"]),
        ),
    ]
}

#[tokio::test]
async fn what_python_writes_as_json_is_read_by_rust() {
    let mut both = both(JSON).await;
    for (value, expected) in written_by_python() {
        assert_eq!(both.python_writes::<Value>(value).await, expected, "{value}");
    }
}

#[tokio::test]
async fn what_rust_writes_as_json_is_read_by_python() {
    let mut both = both(JSON).await;
    for (value, expected) in [
        (json!({"name": "Jöhn", "age": 30}), "{'age': 30, 'name': 'Jöhn'}"),
        (json!([1, [], {}, null, true, "€ 😀"]), "[1, [], {}, None, True, '€ 😀']"),
        (
            json!([i64::MIN, u64::MAX, 0.1, 1e300]),
            "[-9223372036854775808, 18446744073709551615, 0.1, 1e+300]",
        ),
        (json!("\u{0}\u{2028}\\\""), r#"'\x00\u2028\\"'"#),
    ] {
        assert_eq!(both.rust_writes(&value).await, expected);
    }
    assert_eq!(both.rust_writes(&(1, "two", None::<u8>)).await, "[1, 'two', None]");
    assert_eq!(both.rust_writes(&BTreeMap::from([(1, "int")])).await, "{'1': 'int'}");
}

#[tokio::test]
async fn json_text_of_any_spacing_and_escaping_is_read() {
    let mut both = both(JSON).await;
    for options in
        ["ensure_ascii=False", "indent=4", "separators=(',', ':')", "sort_keys=True", "default=str"]
    {
        both.python.ask(&format!("setattr(original, 'JSON_OPTIONS', dict({options}))"));
        let read: Value = both.python_writes("{'b': ['ä€😀', 1.5], 'a': None}").await;
        assert_eq!(read, json!({"b": ["ä€😀", 1.5], "a": null}), "{options}");
    }
}

#[tokio::test]
async fn json_integers_are_exact_up_to_128_bits_in_types_that_hold_them() {
    let mut both = both(JSON).await;
    assert_eq!(both.python_writes::<i128>("-2**127").await, i128::MIN);
    assert_eq!(both.python_writes::<u128>("2**128 - 1").await, u128::MAX);
    assert_eq!(both.rust_writes(&u128::MAX).await, u128::MAX.to_string());
    assert_eq!(both.rust_writes(&i128::MIN).await, i128::MIN.to_string());
    both.refused::<u64>("2**64").await;
    both.refused::<i128>("2**127").await;
    both.refused::<u128>("2**128").await;
}

/// Known, and told in the guide: this type has no larger integers.
#[tokio::test]
async fn a_json_value_makes_a_float_of_an_integer_beyond_64_bits() {
    let mut both = both(JSON).await;
    assert_eq!(both.python_writes::<Value>("2**64").await, json!(18_446_744_073_709_551_616.0_f64));
}

#[tokio::test]
async fn nan_and_infinity_are_no_json_to_rust_either_way() {
    let mut both = both(JSON).await;
    for value in ["nan", "inf", "{'a': [-inf]}"] {
        let told = both.refused::<Value>(value).await;
        assert!(told.contains("NaN and Infinity are not JSON"), "{told}");
    }
    for value in [f64::NAN, f64::INFINITY] {
        let error = both.rust.set("from rust", &value).await.unwrap_err();
        assert_eq!(error.kind(), kv_core::ErrorKind::Serialization);
    }
}

#[tokio::test]
async fn half_a_surrogate_pair_and_nesting_beyond_127_are_refused_and_left_alone() {
    let mut both = both(JSON).await;
    both.refused::<Value>(r"'\ud800'").await;
    both.refused::<Value>("eval('[' * 150 + ']' * 150)").await;
    assert_eq!(both.python_writes::<String>(r"'\U0001f600'").await, "😀");
}

#[tokio::test]
async fn a_stored_none_is_told_from_a_missing_key_by_rust_alone() {
    let mut both = both(JSON).await;
    both.python.ask("await store.put('none', None)");
    assert_eq!(both.rust.get::<Option<u8>>("none").await.unwrap(), Some(None));
    assert_eq!(both.rust.get::<Option<u8>>("missing").await.unwrap(), None);
    both.rust.set("none", &None::<u8>).await.unwrap();
    assert_eq!(
        both.python.ask("[await store.get('none'), await store.get('missing')]"),
        "[None, None]"
    );
}
