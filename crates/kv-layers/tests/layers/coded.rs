//! Compress, encrypt, read-only: what is stored, and what is refused.

use kv_core::{
    Capabilities, Command, Condition, ErrorKind, Expiry, KeyValueStore, Lifetime, Reply, Store,
    Write,
};
use kv_layers::ReadOnly;
use kv_memory::MemoryStore;

use crate::support::{call, operations};

#[tokio::test]
async fn a_read_only_store_refuses_each_write_and_answers_each_read() {
    use kv_layers::{Access, Operation};
    let memory = MemoryStore::new();
    memory.set("k", "1".into(), Write::ALWAYS).await.unwrap();
    let store = ReadOnly::on(memory.clone());
    for operation in operations().filter(|one| *one != Operation::Close) {
        let refused = call(&*store, operation).await.err().map(|error| error.kind());
        // A batch is answered command by command.
        let is_refused = operation.access() == Access::Write && operation != Operation::Execute;
        assert_eq!(refused, is_refused.then_some(ErrorKind::ReadOnly), "{operation:?}");
    }
    assert_eq!(memory.get("k").await.unwrap().unwrap().value, "1");
}

#[tokio::test]
async fn a_read_only_store_runs_the_reads_of_a_batch() {
    let memory = MemoryStore::new();
    memory.set("k", "1".into(), Write::ALWAYS).await.unwrap();
    let store = ReadOnly::on(memory);
    let key = || "k".to_owned();
    let delete = Command::Delete { key: key(), condition: Condition::Always };
    let batch = vec![Command::Exists { key: key() }, delete, Command::Get { key: key() }];
    let replies = store.execute(batch).await.unwrap();
    assert_eq!(replies[0].as_ref().unwrap(), &Reply::Flag(true));
    assert_eq!(replies[1].as_ref().unwrap_err().kind(), ErrorKind::ReadOnly);
    assert!(matches!(&replies[2], Ok(Reply::Entry(Some(entry))) if entry.value == "1"));
}

#[cfg(feature = "compress")]
mod compressed {
    use kv_layers::Compress;

    use super::*;

    async fn stored(memory: &MemoryStore) -> kv_core::Bytes {
        memory.get("k").await.unwrap().unwrap().value
    }

    #[tokio::test]
    async fn only_what_becomes_smaller_is_compressed_and_all_of_it_reads_back() {
        let memory = MemoryStore::new();
        let store = Compress::above(64).on(memory.clone());
        let mut random = fastrand::Rng::with_seed(1);
        let noise: Vec<u8> = (0..1_000).map(|_| random.u8(..)).collect();
        let like_zstd = [&[0x28, 0xB5, 0x2F, 0xFD][..], b"no frame"].concat();
        for (value, is_smaller) in [
            (b"short".to_vec(), false),
            (vec![b'a'; 10_000], true),
            (noise, false),
            (like_zstd, false),
            (Vec::new(), false),
        ] {
            store.set("k", value.clone().into(), Write::ALWAYS).await.unwrap();
            assert_eq!(stored(&memory).await.len() < value.len(), is_smaller);
            assert_eq!(store.get("k").await.unwrap().unwrap().value, value);
        }
    }

    #[tokio::test]
    async fn values_of_before_are_read_and_versions_hold() {
        let memory = MemoryStore::new();
        memory.set("k", vec![b'a'; 1_000].into(), Write::ALWAYS).await.unwrap();
        let store = Store::from(Compress::above(64).on(memory));
        let (old, version) = store.get_bytes_versioned("k").await.unwrap().unwrap();
        assert_eq!(old.len(), 1_000);
        assert!(store.delete_if("k", version).await.unwrap());
    }

    #[tokio::test]
    async fn cut_and_damaged_values_are_errors_that_name_the_layer_and_the_key() {
        let memory = MemoryStore::new();
        let store = Compress::above(64).on(memory.clone());
        store.set("k", vec![b'a'; 10_000].into(), Write::ALWAYS).await.unwrap();
        let whole = stored(&memory).await;
        for place in 4..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[place] ^= 1;
            for bad in [whole.slice(..place), flipped.into()] {
                memory.set("k", bad, Write::ALWAYS).await.unwrap();
                match store.get("k").await {
                    Err(error) => {
                        assert!(error.message().starts_with("layer `compress`: "), "{error}");
                        assert_eq!(error.failed_key(), Some("k"));
                    }
                    // A bit that zstd ignores.
                    Ok(entry) => assert_eq!(entry.unwrap().value, vec![b'a'; 10_000]),
                }
            }
        }
    }
}

#[cfg(feature = "encrypt")]
mod encrypted {
    use kv_layers::{Encrypt, EncryptionKey};

    use super::*;

    fn key(byte: u8) -> EncryptionKey {
        EncryptionKey::from_bytes([byte; 32])
    }

    fn on(memory: &MemoryStore, encrypt: Encrypt) -> Box<dyn KeyValueStore> {
        encrypt.on(memory.clone())
    }

    async fn fails(store: &dyn KeyValueStore, key: &str, says: &str) {
        let error = store.get(key).await.unwrap_err();
        assert!(error.message().starts_with("layer `encrypt`: "), "{error}");
        assert!(error.message().contains(says), "{error}");
        assert_eq!((error.kind(), error.failed_key()), (ErrorKind::Serialization, Some(key)));
    }

    #[tokio::test]
    async fn the_store_holds_no_plain_value_and_no_value_twice_the_same() {
        let memory = MemoryStore::new();
        let store = on(&memory, Encrypt::with(key(1)));
        let mut seen = Vec::new();
        for _ in 0..10 {
            store.set("k", "a secret value".into(), Write::ALWAYS).await.unwrap();
            let stored = memory.get("k").await.unwrap().unwrap().value;
            assert!(!stored.windows(6).any(|part| part == b"secret"));
            assert!(!seen.contains(&stored));
            seen.push(stored);
            assert_eq!(store.get("k").await.unwrap().unwrap().value, "a secret value");
        }
    }

    #[tokio::test]
    async fn a_wrong_key_a_swap_and_a_plain_value_are_told_apart() {
        let memory = MemoryStore::new();
        let store = on(&memory, Encrypt::with(key(1)));
        store.set("a", "value".into(), Write::ALWAYS).await.unwrap();
        let stored = memory.get("a").await.unwrap().unwrap().value;
        fails(&*on(&memory, Encrypt::with(key(2))), "a", "another key").await;
        memory.set("b", stored, Write::ALWAYS).await.unwrap();
        fails(&*store, "b", "moved from another key").await;
        memory.set("c", "plain".into(), Write::ALWAYS).await.unwrap();
        fails(&*store, "c", "not encrypted").await;
    }

    #[tokio::test]
    async fn every_cut_and_every_flipped_bit_is_found() {
        let memory = MemoryStore::new();
        let store = on(&memory, Encrypt::with(key(1)));
        store.set("k", "value".into(), Write::ALWAYS).await.unwrap();
        let whole = memory.get("k").await.unwrap().unwrap().value;
        for place in 0..whole.len() {
            let mut flipped = whole.to_vec();
            flipped[place] ^= 1;
            for bad in [whole.slice(..place), flipped.into()] {
                memory.set("k", bad, Write::ALWAYS).await.unwrap();
                fails(&*store, "k", "").await;
            }
        }
    }

    #[tokio::test]
    async fn a_key_is_changed_while_both_are_known() {
        let memory = MemoryStore::new();
        let old = on(&memory, Encrypt::with(key(1)));
        old.set("k", "value".into(), Write::ALWAYS).await.unwrap();
        let new = on(&memory, Encrypt::with(key(2)).old_key(key(1)));
        let entry = new.get("k").await.unwrap().unwrap();
        assert_eq!(entry.value, "value");
        let again = Write::ALWAYS.condition(Condition::Version(entry.version));
        assert!(new.set("k", "value".into(), again).await.unwrap().is_written());
        fails(&*old, "k", "another key").await;
    }

    #[tokio::test]
    async fn counters_count_and_are_encrypted() {
        let memory = MemoryStore::new();
        let store = Store::from(on(&memory, Encrypt::with(key(1))));
        for _ in 0..3 {
            store.increment("n", 2, Expiry::Never).await.unwrap();
        }
        assert_eq!(store.counter("n").await.unwrap(), Some(6));
        let raw = memory.get("!kv:counter:n").await.unwrap().unwrap().value;
        assert_ne!(raw, "6");
        let add = Command::Increment { key: "m".into(), by: 4, lifetime: Lifetime::Never };
        let get = Command::Get { key: "m".into() };
        let inner = Encrypt::with(key(1)).on(memory);
        assert!(inner.capabilities().contains(Capabilities::COUNTERS));
        let replies = inner.execute(vec![get.clone(), add, get]).await.unwrap();
        assert_eq!(replies[0].as_ref().unwrap(), &Reply::Entry(None));
        assert_eq!(replies[1].as_ref().unwrap(), &Reply::Number(4));
        assert!(matches!(&replies[2], Ok(Reply::Entry(Some(entry))) if entry.value == "4"));
    }

    #[test]
    fn a_key_is_64_hexadecimal_digits_and_is_never_shown() {
        let text = "0123456789abcdefABCDEF".repeat(3);
        assert!(EncryptionKey::from_hex(&text[..64]).is_ok());
        for wrong in ["", "07", &text[..62], &format!("{}zz", &text[..62]), &"é".repeat(32)] {
            let error = EncryptionKey::from_hex(wrong).unwrap_err();
            assert_eq!(error.message(), "no key; expected 64 hexadecimal digits");
        }
        let encrypt = Encrypt::with(key(7)).old_key(key(8));
        assert_eq!(format!("{encrypt:?}").matches("EncryptionKey(..)").count(), 2);
    }
}
