//! Bytes beside typed values.

use kv_core::{Condition, Remaining, Serializer, SetOptions};

use crate::support::{Rig, secs};

#[tokio::test]
async fn bytes_come_back_as_they_are_whatever_the_format() {
    let rig = Rig::new();
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let store = rig.store.clone().with_serializer(serializer);
        for bytes in [&b""[..], b"\xff\x00", b"\xC1kv\x01", b"\xC1kv\x01\x02rest"] {
            store.set_bytes("k", bytes).await.unwrap();
            assert_eq!(store.get_bytes("k").await.unwrap().as_deref(), Some(bytes));
        }
    }
    assert_eq!(rig.store.get_bytes("none").await.unwrap(), None);
}

#[tokio::test]
async fn bytes_take_the_default_lifetime_and_options() {
    let rig = Rig::new();
    let store = rig.store.clone().with_default_ttl(secs(5));
    store.set_bytes("k", "v").await.unwrap();
    assert_eq!(store.ttl("k").await.unwrap(), Some(Remaining::Expires(secs(5))));
    let absent = || SetOptions::new().ttl(secs(9)).condition(Condition::Absent);
    assert!(!store.set_bytes_with("k", "w", absent()).await.unwrap());
    assert!(store.set_bytes_with("new", "w", absent()).await.unwrap());
    assert_eq!(store.ttl("new").await.unwrap(), Some(Remaining::Expires(secs(9))));
}

#[tokio::test]
async fn a_delete_under_a_version_removes_only_what_was_seen() {
    let store = Rig::new().store;
    store.set_bytes("k", "1").await.unwrap();
    let (_, first) = store.get_bytes_versioned("k").await.unwrap().unwrap();
    store.set_bytes("k", "2").await.unwrap();
    assert!(!store.delete_if("k", first).await.unwrap());
    let (bytes, second) = store.get_bytes_versioned("k").await.unwrap().unwrap();
    assert_eq!(bytes, "2");
    assert!(store.delete_if("k", second.clone()).await.unwrap());
    assert!(!store.delete_if("k", second).await.unwrap());
}
