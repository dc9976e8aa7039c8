//! The verbs on keys.

use serde_json::json;

use crate::place::Place;

pub(crate) fn a_value_is_written_read_and_deleted(place: &Place) {
    place.ok(&["set", "user:1", r#"{"name": "Ada"}"#]);
    assert_eq!(place.json(&["get", "user:1"]), [json!({ "name": "Ada" })]);
    assert_eq!(place.ok(&["get", "user:1", "--raw"]), r#"{"name":"Ada"}"#);
    place.ok(&["set", "note", "plain words", "--text"]);
    assert_eq!(place.json(&["get", "note"]), [json!("plain words")]);
    assert_eq!(place.run_with("[1, 2]", &["set", "piped", "-"]).code, 0);
    assert_eq!(place.json(&["get", "piped"]), [json!([1, 2])]);
    let kept = place.run(&["set", "note", "1", "--if-absent"]);
    assert_eq!((kept.code, place.json(&["get", "note"])), (4, vec![json!("plain words")]));
    assert_eq!(place.json(&["del", "note"]), [json!({ "deleted": 1 })]);
    assert_eq!(place.json(&["del", "note"]), [json!({ "deleted": 0 })]);
}

pub(crate) fn a_key_that_is_not_there_ends_with_3(place: &Place) {
    for arguments in [["get", "gone"], ["ttl", "gone"], ["counter", "gone"]] {
        let ended = place.run(&arguments);
        assert_eq!((ended.code, ended.out.as_str()), (3, ""), "{arguments:?}");
        assert!(ended.err.contains("\"gone\""), "{}", ended.err);
    }
    assert_eq!(place.run(&["ttl", "gone", "--set", "5s"]).code, 3);
}

pub(crate) fn a_lifetime_is_shown_and_changed(place: &Place) {
    place.ok(&["set", "session", "1", "--ttl", "1h"]);
    place.ok(&["set", "kept", "1"]);
    let left = place.json(&["ttl", "session"])[0].as_f64().unwrap();
    assert!((3_500.0..=3_600.0).contains(&left), "{left}");
    assert_eq!(place.json(&["ttl", "kept"]), [json!(null)]);
    let left = place.json(&["ttl", "session", "--set", "2d"])[0].as_f64().unwrap();
    assert!((172_700.0..=172_800.0).contains(&left), "{left}");
    let mut scanned = place.json(&["scan", "*"]);
    scanned.sort_by_key(|row| row["key"].to_string());
    assert_eq!(scanned[0], json!({ "key": "kept", "expires_in_s": null }));
    assert!(scanned[1]["expires_in_s"].as_f64().unwrap() > 172_000.0);
}

pub(crate) fn a_counter_adds_up(place: &Place) {
    assert_eq!(place.json(&["incr", "visits"]), [json!(1)]);
    assert_eq!(place.json(&["incr", "visits", "41", "--ttl", "1h"]), [json!(42)]);
    assert_eq!(place.json(&["incr", "visits", "-2"]), [json!(40)]);
    assert_eq!(place.json(&["counter", "visits"]), [json!(40)]);
}

pub(crate) fn many_keys_are_deleted_only_with_consent(place: &Place) {
    for key in ["a:1", "a:2", "b:1"] {
        place.ok(&["set", key, "1"]);
    }
    let refused = place.run(&["del", "--pattern", "a:*"]);
    assert_eq!(refused.code, 4, "{}", refused.err);
    assert!(refused.err.contains("--yes"), "{}", refused.err);
    assert!(place.ok(&["del", "--pattern", "a:*", "--dry-run"]).contains("delete 2 keys"));
    assert_eq!(place.run(&["del", "a:1", "a:2"]).code, 4);
    assert_eq!(place.json(&["keys"]).len(), 3);
    assert_eq!(place.json(&["del", "--pattern", "a:*", "--yes"]), [json!({ "deleted": 2 })]);
    assert_eq!(place.json(&["keys"]), [json!("b:1")]);
}

pub(crate) fn an_export_is_read_back_exactly(place: &Place) {
    place.ok(&["set", "ключ", r#""ü\n""#]);
    place.ok(&["set", "short", "7", "--ttl", "1h"]);
    // MessagePack is no text.
    let packed = [("OC_KV_STORE_URL", place.url()), ("OC_KV_STORE_SERIALIZER", "msgpack")];
    assert_eq!(crate::place::run("", &packed, &["set", "packed", "[200, null]"]).code, 0);
    let lines = place.ok(&["export"]);
    assert_eq!(lines.lines().count(), 3);

    let other = Place::sqlite();
    for _ in 0..2 {
        let read = other.run_with(&lines, &["--json", "import"]);
        assert_eq!((read.code, read.out.trim()), (0, r#"{"kept":0,"written":3}"#), "{}", read.err);
    }
    assert_eq!(other.json(&["get", "ключ"]), [json!("ü\n")]);
    assert!(other.json(&["ttl", "short"])[0].as_f64().unwrap() > 3_000.0);
    let packed = [("OC_KV_STORE_URL", other.url()), ("OC_KV_STORE_SERIALIZER", "msgpack")];
    let read = crate::place::run("", &packed, &["--json", "get", "packed"]);
    assert_eq!(read.out.trim(), "[200,null]", "{}", read.err);
}

pub(crate) fn an_import_can_leave_keys_alone(place: &Place) {
    place.ok(&["set", "here", "1"]);
    let lines = "{\"key\": \"here\", \"text\": \"2\"}\n\n{\"key\": \"new\", \"text\": \"3\"}\n";
    let read = place.run_with(lines, &["--json", "import", "--keep"]);
    assert_eq!(read.out.trim(), r#"{"kept":1,"written":1}"#, "{}", read.err);
    assert_eq!(place.json(&["get", "here"]), [json!(1)]);
    for (line, wrong) in [
        ("{", "line 1"),
        ("{\"key\": \"a\"}", "`text` or `hex`"),
        ("{\"key\": \"a\", \"hex\": \"0g\"}", "not hexadecimal"),
        ("{\"key\": \"\", \"text\": \"1\"}", "key"),
        ("{\"key\": \"!kv:counter:a\", \"text\": \"1\"}", "!kv:"),
    ] {
        let read = place.run_with(line, &["import"]);
        assert!(read.code != 0 && read.err.contains(wrong), "{line}: {}", read.err);
    }
    assert_eq!(place.json(&["keys"]).len(), 2);
}

pub(crate) fn the_doctor_finds_a_healthy_store_healthy(place: &Place) {
    let checks = place.json(&["doctor"]);
    assert!(checks.len() >= 5);
    assert!(checks.iter().all(|check| check["result"] == "ok"), "{checks:?}");
    assert!(place.json(&["keys"]).is_empty(), "nothing is left behind");
    assert!(place.json(&["queues"]).is_empty());
    place.ok(&["ping"]);
    assert!(place.json(&["stats"])[0].get("keys").is_some());
}

pub(crate) fn a_namespace_is_all_that_is_seen(place: &Place) {
    place.ok(&["--namespace", "cache", "set", "a", "1"]);
    place.ok(&["set", "b", "2"]);
    assert_eq!(place.json(&["--namespace", "cache", "keys"]), [json!("a")]);
    let whole = place.json(&["keys", "cache*"]);
    assert_eq!(whole.len(), 1, "{whole:?}");
    assert_eq!(place.run(&["--namespace", "cache", "get", "b"]).code, 3);
}

pub(crate) fn a_copy_has_the_values_and_the_queues(place: &Place) {
    place.ok(&["set", "user:1", "1", "--ttl", "1h"]);
    place.ok(&["incr", "visits", "41"]);
    place.ok(&["enqueue", "mails", "7", "--create", "2"]);
    let other = Place::sqlite();
    let copy = ["copy", "--to-url", other.url()];
    assert_eq!(place.run(&copy).code, 4, "a copy asks");
    for jobs in [1, 0] {
        let copied = &place.json(&[&copy[..], &["--yes"]].concat())[0];
        assert_eq!((&copied["values"], &copied["jobs"]), (&json!(2), &json!(jobs)), "{copied}");
    }
    assert_eq!(other.json(&["get", "user:1"]), [json!(1)]);
    assert_eq!(other.json(&["incr", "visits"]), [json!(42)]);
    assert_eq!(other.json(&["queues"])[0]["ready"], 1);
    assert_eq!(place.run(&["--namespace", "a", "copy", "--to-url", other.url(), "-y"]).code, 2);
}
