//! What is refused, and with which words.

use crate::place::{Place, run};

#[test]
fn a_wrong_command_line_ends_with_2() {
    for arguments in [
        &["frobnicate"][..],
        &["get"],
        &["set", "a", "no json"],
        &["set", "a", "1", "--ttl", "5"],
        &["del"],
        &["dead", "q", "--by-reason", "--payloads"],
        &["clear", "q", "--yes", "--dry-run"],
        &["--url", "redis://h", "--config", "f", "ping"],
        &["cancel", "q"],
    ] {
        let ended = run("", &[("OC_KV_STORE_TYPE", "memory")], arguments);
        assert_eq!(ended.code, 2, "{arguments:?}: {}", ended.err);
        assert_eq!(ended.out, "", "{arguments:?}");
    }
}

#[test]
fn a_wrong_configuration_is_told_whole_and_without_a_secret() {
    let variables = [
        ("OC_KV_STORE_TYPE", "redis"),
        ("OC_KV_STORE_REDIS_PORT", "70000"),
        ("OC_KV_STORE_REDIS_PASSWORD", "hunter2"),
        ("OC_KV_STORE_RDIS_HOST", "h"),
    ];
    let ended = run("", &variables, &["config", "check"]);
    assert_eq!(ended.code, 2);
    assert!(ended.err.contains("REDIS_PORT") && ended.err.contains("RDIS_HOST"), "{}", ended.err);
    assert!(!ended.err.contains("hunter2"), "{}", ended.err);
}

#[test]
fn a_configuration_is_shown_without_its_secrets_and_explained() {
    let variables = [("OC_KV_STORE_TYPE", "redis"), ("OC_KV_STORE_REDIS_PASSWORD", "hunter2")];
    let shown = run("", &variables, &["config", "show"]);
    assert!(shown.out.contains("redis") && !shown.out.contains("hunter2"), "{}", shown.out);
    for name in ["REDIS_PORT", "oc_kv_store_redis_port"] {
        let explained = run("", &[], &["config", "explain", name]);
        assert!(explained.out.contains("6379"), "{}", explained.out);
    }
    assert_eq!(run("", &[], &["config", "explain", "REDIS_PROT"]).code, 3);
}

#[test]
fn a_server_that_is_not_there_is_told_with_what_to_do() {
    let ended = run("", &[], &["--url", "redis://127.0.0.1:1", "ping"]);
    assert_eq!(ended.code, 1);
    assert!(ended.err.contains("127.0.0.1:1") && ended.err.contains("to do:"), "{}", ended.err);
    let ended = run("", &[], &["--json", "--url", "redis://127.0.0.1:1", "ping"]);
    assert!(serde_json::from_str::<serde_json::Value>(&ended.err).is_ok(), "{}", ended.err);
}

#[test]
fn a_stored_text_cannot_move_the_cursor() {
    let place = Place::sqlite();
    place.ok(&["set", "a\u{1b}[2Jb", "1"]);
    for verb in ["keys", "scan"] {
        let shown = place.ok(&[verb]);
        assert!(!shown.contains('\u{1b}') && shown.contains("[2Jb"), "{shown:?}");
    }
}

#[test]
fn completions_and_a_manual_page_are_printed() {
    for arguments in [&["completions", "bash"][..], &["completions", "fish"], &["man"]] {
        let ended = run("", &[], arguments);
        assert!(ended.code == 0 && ended.out.contains("redrive"), "{arguments:?}");
    }
}
