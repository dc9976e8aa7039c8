//! The example `from_python`, on what Python left.

use kv_core::Remaining;

use crate::service::{Both, both};

#[expect(dead_code, reason = "a test calls the verbs, not `main`")]
#[path = "../../examples/from_python.rs"]
mod from_python;

use from_python::{Outcome, check, check_all, convert};

const PICKLE: &[(&str, &str)] = &[("SERIALIZER", "pickle")];

/// What is plain data, and what is not to JSON.
async fn pickles() -> Both {
    let mut both = both(PICKLE).await;
    for (key, value) in [
        ("page", "{'url': 'ä', 'at': datetime(2024, 1, 2), 'tags': ('a', None, 1.5)}"),
        ("bytes", "b'html'"),
        ("nan", "[nan]"),
        ("large", "2**64"),
        ("numbers", "{1: 'one'}"),
        ("object", "UUID(int=1)"),
    ] {
        both.python.ask(&format!("await store.put('{key}', {value}, ttl=60)"));
    }
    both
}

fn refused(outcome: &Outcome) -> Vec<&str> {
    outcome.refused.iter().map(|(key, _)| key.as_str()).collect()
}

/// How many changes the server has seen.
fn changes(both: &Both) -> String {
    let reply = both.server.cli(&["INFO", "persistence"]).unwrap();
    let info = reply.text().unwrap();
    info.lines().find(|line| line.starts_with("rdb_changes_since_last_save:")).unwrap().to_owned()
}

#[tokio::test]
async fn a_check_reads_all_that_is_data_and_names_what_is_not() {
    let both = pickles().await;
    let before = changes(&both);
    let outcome = check(&both.rust).await.unwrap();
    assert_eq!((outcome.keys, outcome.written, refused(&outcome)), (6, 0, vec!["object"]));
    assert!(outcome.to_string().contains("object: the class `uuid.UUID` is not data, at byte"));
    assert!(outcome.to_string().ends_with("\nkeys=6 written=0 refused=1\n"));
    assert_eq!(changes(&both), before);
}

#[tokio::test]
async fn a_check_of_json_names_nan_half_surrogates_and_long_keys() {
    let mut both = both(&[]).await;
    for (key, value) in
        [("'nan'", "nan"), ("'half'", r"'\ud800'"), ("'k' * 1100", "1"), ("'a'", "1")]
    {
        both.python.ask(&format!("await store.put({key}, {value})"));
    }
    both.python.ask("await client.rpush(full('list'), 1)");
    let outcome = check(&both.rust).await.unwrap();
    assert_eq!(outcome.keys, 5);
    assert_eq!(refused(&outcome), ["half", &*"k".repeat(1_100), "list", "nan"]);
}

#[tokio::test]
async fn a_conversion_writes_what_json_can_say_and_leaves_the_rest() {
    let mut both = pickles().await;
    both.python.ask("await client.set(full('json'), '[1]')");
    for written in [1, 0] {
        let outcome = convert(&both.rust).await.unwrap();
        assert_eq!((outcome.keys, outcome.written), (7, written));
        assert_eq!(refused(&outcome), ["bytes", "large", "nan", "numbers", "object"]);
        let page = both.python.ask("await client.get(full('page'))");
        let json = r#"{"at":"2024-01-02T00:00:00","tags":["a",null,1.5],"url":"ä"}"#;
        assert_eq!(page, format!("'{json}'"));
        assert!(matches!(both.rust.ttl("page").await.unwrap(), Some(Remaining::Expires(_))));
        assert_eq!(
            both.python.ask("[await store.get('large'), await store.get('bytes')]"),
            "[18446744073709551616, b'html']"
        );
    }
}

#[tokio::test]
async fn a_check_names_pythons_queues_and_what_its_variables_mean_to_python() {
    let mut both = both(&[]).await;
    both.python.ask(
        "await original.KVStoreQueue(store, 'fetch', original.JSONSerializer()).enqueue([1, 2])",
    );
    let (text, is_clean) = check_all(&both.rust, &|_| None).await.unwrap();
    let expected = "fetch: 2 jobs in Python's queue of this name, for `import`\n\
                    keys=4 written=0 refused=0\n";
    assert_eq!((&*text, is_clean), (expected, true));
    let variable = |name: &str| match name {
        "OC_CONFIG_ID" => Some("news".to_owned()),
        "OC_KV_STORE_DEFAULT_TTL" => Some("3600".to_owned()),
        _ => None,
    };
    let (text, is_clean) = check_all(&both.rust, &variable).await.unwrap();
    assert!(text.contains("Python's keys begin with `news`, these with `data_fetcher:`; set"));
    assert!(text.contains("expires after 3600 s") && !is_clean, "{text}");
    both.python.ask("__import__('os').environ.update(OC_CONFIG_ID='news')");
    assert_eq!(both.python.ask("original.create_kv_store()._whole('k')"), "'news:k'");
    both.python.ask("__import__('os').environ.update(OC_KV_STORE_REDIS_KEY_PREFIX='app')");
    assert_eq!(both.python.ask("original.create_kv_store()._whole('k')"), "'app:k'");
}
