//! One file, by variables, by a builder, by a file and by a URL.
#![cfg(feature = "sqlite")]

use std::time::Duration;

use kv_config::Config;
use kv_core::{Achieved, Durability, ErrorKind, Store, Write};

#[tokio::test(flavor = "current_thread")]
async fn every_source_reaches_the_same_file() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("one file.db");
    let text = path.to_str().unwrap();
    let url = format!("sqlite://{}", text.replace(' ', "%20"));
    let file = folder.path().join("kv.toml");
    std::fs::write(&file, format!("type = 'sqlite'\n[sqlite]\npath = '{text}'\nsync = 'full'"))
        .unwrap();
    let configs = [
        Config::from_vars([("OC_KV_STORE_TYPE", "sqlite"), ("OC_KV_STORE_SQLITE_PATH", text)]),
        Config::from_vars([("OC_KV_STORE_URL", &*url)]),
        Config::from_file(&file),
        Config::builder().store_type("sqlite").sqlite_path(&path).sqlite_sync("full").build(),
    ];
    for (number, config) in configs.into_iter().enumerate() {
        let config = config.unwrap();
        assert_eq!(config.backend(), "sqlite");
        let store = config.open().await.unwrap();
        let run = store.increment("runs", 1, kv_core::Expiry::Never).await.unwrap();
        assert_eq!(run, i64::try_from(number).unwrap() + 1);
        store.close().await.unwrap();
    }
}

#[tokio::test(flavor = "current_thread")]
async fn a_write_can_be_asked_onto_the_disk_and_the_timeout_bounds_that() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("jobs.db");
    let config = Config::builder().store_type("sqlite").sqlite_path(&path);
    let store = config.sqlite_timeout(Duration::from_secs(10)).build().unwrap();
    let store = store.connect().await.unwrap();
    let disk = Durability::disk().within(Duration::from_secs(10));
    let long = store.set_durable("k", "v".into(), Write::ALWAYS, disk).await.unwrap_err();
    assert_eq!(long.kind(), ErrorKind::Config, "ten seconds are the whole time of a call");
    let short = disk.within(Duration::from_secs(9));
    let (_, achieved) = store.set_durable("k", "v".into(), Write::ALWAYS, short).await.unwrap();
    assert_eq!(achieved, Achieved { replicas: 0, on_disk: true });
}

#[test]
fn a_type_without_a_path_and_a_url_of_another_type_are_told() {
    for (variables, problem) in [
        (vec![("TYPE", "sqlite")], "OC_KV_STORE_SQLITE_PATH: is not set; expected a path"),
        (vec![("TYPE", "sqlite"), ("URL", "redis://h")], "OC_KV_STORE_URL: names no file"),
        (vec![("TYPE", "redis"), ("URL", "sqlite:///a")], "OC_KV_STORE_URL: is refused"),
        (
            vec![("URL", "sqlite:///a"), ("SQLITE_PATH", "b")],
            "OC_KV_STORE_SQLITE_PATH: is set together with OC_KV_STORE_URL",
        ),
    ] {
        let variables = variables.iter().map(|(name, it)| (format!("OC_KV_STORE_{name}"), it));
        let text = Config::from_vars(variables).unwrap_err().to_string();
        assert!(text.contains(problem), "{text}");
    }
    let other = [("OC_KV_STORE_TYPE", "memory"), ("OC_KV_STORE_URL", "sqlite:///a")];
    assert_eq!(Config::from_vars(other).unwrap().backend(), "memory");
}

#[tokio::test(flavor = "current_thread")]
async fn a_path_that_cannot_be_is_an_error_of_the_configuration() {
    for path in ["", "/", "/no/such/folder/a.db", ":memory:"] {
        let variables = [("OC_KV_STORE_TYPE", "sqlite"), ("OC_KV_STORE_SQLITE_PATH", path)];
        let opened = match Config::from_vars(variables) {
            Ok(config) => config.open().await.map(|_: Store| ()),
            Err(error) => Err(error),
        };
        assert_eq!(opened.unwrap_err().kind(), ErrorKind::Config, "{path:?}");
    }
}
