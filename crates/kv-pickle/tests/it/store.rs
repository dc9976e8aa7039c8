//! Through a store: values of both languages under the same keys.

use kv_core::{ErrorKind, Store, Write};
use kv_memory::MemoryStore;
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::RedisServer;
use serde::{Deserialize, Serialize};

use crate::pickle;

/// In Python: `pickle.dumps({"url": "https://a.example", "hits": 3, "tags": {"new"}}).hex()`.
const BY_PYTHON: &str = "80049539000000000000007d94288c0375726c948c11\
    68747470733a2f2f612e6578616d706c65948c0468697473944b038c0474616773948f94288c036e65779490752e";

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Page {
    url: String,
    hits: u32,
    tags: Vec<String>,
}

fn page() -> Page {
    Page { url: "https://a.example".into(), hits: 3, tags: vec!["new".into()] }
}

async fn comes_back_and_reads_what_python_wrote(store: &Store) {
    store.set("page", &page()).await.unwrap();
    assert_eq!(store.get("page").await.unwrap(), Some(page()));
    assert_eq!(store.get("python").await.unwrap(), Some(page()));
    let error = store.get::<Page>("json").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
}

#[tokio::test]
async fn a_store_in_memory_keeps_pickles() {
    let store = Store::new(MemoryStore::new()).with_serializer(pickle());
    for (name, text) in [("python", BY_PYTHON), ("json", "{}")] {
        store.inner().set(name, text.into(), Write::ALWAYS).await.unwrap();
    }
    comes_back_and_reads_what_python_wrote(&store).await;
}

#[tokio::test]
async fn redis_holds_the_hexadecimal_text_as_python_does() {
    let server = RedisServer::start().unwrap();
    let redis = RedisStore::connect(RedisConfig::from_url(&server.url()).unwrap()).await.unwrap();
    let store = Store::new(redis).with_serializer(pickle());
    let key = |name: &str| format!("{}{name}", store.prefix());
    server.cli(&["SET", &key("python"), BY_PYTHON]).unwrap();
    server.cli(&["SET", &key("json"), "{}"]).unwrap();
    comes_back_and_reads_what_python_wrote(&store).await;
    let text = server.cli(&["GET", &key("page")]).unwrap().text().unwrap();
    let expected = String::from_utf8(pickle().encode(&page()).unwrap().to_vec()).unwrap();
    assert_eq!(text, expected);
    assert!(text.bytes().all(|byte| byte.is_ascii_hexdigit() && !byte.is_ascii_uppercase()));
}
