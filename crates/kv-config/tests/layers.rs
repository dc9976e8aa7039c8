//! Layers that a configuration names stand around the store, with their values.
#![cfg(all(feature = "layers", feature = "memory"))]
#![expect(clippy::unwrap_used, reason = "a helper fails like the test that calls it")]

use std::time::Duration;

use kv_config::{Builder, Config, Factory};
use kv_core::queue::QueueSupport;
use kv_core::{ErrorKind, Expiry, KeyValueStore, Lifetime, Store};
use kv_layers::Operation;
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, Method};

/// A configuration of a store that fails by script.
fn faulty() -> (Faulty, Builder) {
    let faulty = Faulty::new(MemoryStore::new());
    let store = faulty.clone();
    let factory = Factory::new(move |_| {
        let store: Box<dyn KeyValueStore> = Box::new(store.clone());
        async move { Ok(store) }
    });
    (faulty, Config::with_backend("faulty", factory).builder().store_type("faulty"))
}

async fn open(builder: Builder) -> Store {
    builder.build().unwrap().open().await.unwrap()
}

#[test]
fn layers_are_named_outermost_first() {
    let config = Config::from_vars([("OC_KV_STORE_LAYERS", "observe, limit,retry")]).unwrap();
    assert_eq!(config.layers(), ["observe", "limit", "retry"]);
    assert_eq!(config.without_layers().layers(), [""; 0]);
    assert_eq!(Config::from_vars([("OC_KV_STORE_LAYERS", "")]).unwrap().layers(), [""; 0]);
}

#[tokio::test]
async fn a_call_is_retried_as_often_as_the_variable_says() {
    let (faulty, builder) = faulty();
    faulty.inject(Fault::every(Method::Get, ErrorKind::Connection));
    let millisecond = Duration::from_millis(1);
    let builder = builder.layers(["retry"]).retry_attempts(4).retry_longest_pause(millisecond);
    let store = open(builder.retry_first_pause(millisecond).retry_within(60 * millisecond * 1_000));
    assert!(store.await.get::<i32>("k").await.is_err());
    assert_eq!(faulty.calls(Method::Get), 4);
}

#[tokio::test]
async fn a_call_is_given_up_after_the_time_of_the_variable() {
    let factory = Factory::new(|_| async {
        let store: Box<dyn KeyValueStore> = Box::new(stuck::Stuck);
        Ok(store)
    });
    let builder = Config::with_backend("stuck", factory).builder().store_type("stuck");
    let store = open(builder.layers(["timeout"]).timeout_after(Duration::from_millis(1))).await;
    let error = store.get::<i32>("k").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    assert!(error.to_string().contains("within the limit of 1ms"), "{error}");
}

#[tokio::test]
async fn no_more_calls_run_and_wait_than_the_variables_say() {
    let builder = Config::builder().layers(["limit"]).limit_concurrency(2).limit_queue(0);
    let store = builder.build().unwrap().connect().await.unwrap();
    assert!(store.ping().await.is_ok());
    let factory = Factory::new(|_| async {
        let store: Box<dyn KeyValueStore> = Box::new(stuck::Stuck);
        Ok(store)
    });
    let builder = Config::with_backend("stuck", factory).builder().store_type("stuck");
    let builder = builder.layers(["limit"]).limit_concurrency(2).limit_queue(1);
    let store = builder.build().unwrap().connect().await.unwrap();
    let calls = async { tokio::join!(store.get("a"), store.get("b"), store.get("c")) };
    tokio::select! {
        biased;
        _ = calls => unreachable!("the store never answers"),
        refused = store.get("d") => {
            assert_eq!(refused.unwrap_err().kind(), ErrorKind::Backpressure);
        }
    }
}

#[tokio::test]
async fn a_fallback_serves_plain_calls_and_the_same_configuration_without_layers_the_rest() {
    let (faulty, builder) = faulty();
    let config = builder.layers(["fallback"]).fallback_failures(1).fallback_max_entries(10);
    let config = config.build().unwrap();
    let (store, bare) = (config.open().await.unwrap(), config.without_layers());
    assert_eq!(bare.open().await.unwrap().increment("n", 1, Expiry::Never).await.unwrap(), 1);
    for method in Method::ALL {
        faulty.inject(Fault::every(method, ErrorKind::Connection));
    }
    for number in 0..100 {
        store.set(&format!("k{number}"), &number).await.unwrap();
    }
    let kept = store.keys("*").await.unwrap().len();
    assert!((1..=10).contains(&kept), "{kept}");
    let refused = store.increment("n", 1, Expiry::Never).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::Unsupported);
    let updated = store.update("k", |old: Option<u32>| old).await.unwrap_err();
    for (error, what) in [(refused, "counters"), (updated, "conditions")] {
        let said = error.to_string();
        assert!(said.contains(&format!("the layer `fallback` refuses {what}")), "{said}");
    }
    assert!(config.refusals()[0].contains("the layer `fallback` refuses"));
    assert!(bare.refusals().is_empty());
}

/// Whoever reads a configuration, or the log of its opening, knows of each layer without queues.
#[tokio::test]
async fn each_layer_that_refuses_queues_is_told() {
    let layers = "observe statistics read-only compress encrypt fallback limit retry timeout";
    for layer in layers.split(' ') {
        let builder = Config::builder().layers([layer]);
        let builder = match layer {
            "encrypt" => builder.encrypt_key("ab".repeat(32)),
            _ => builder,
        };
        let config = builder.build().unwrap();
        let store = config.open().await.unwrap();
        let refused = matches!(store.inner().queue_engine(), QueueSupport::Refused(_));
        let told = config.refusals();
        assert_eq!(refused, !told.is_empty(), "{layer}");
        let names = |told: &str| told.contains(&format!("`{layer}`")) && told.contains("queues");
        assert!(told.iter().all(|told| names(told)), "{layer}: {told:?}");
    }
}

#[tokio::test]
async fn what_is_counted_by_namespace_can_be_read_from_the_configuration() {
    let config = Config::builder().layers(["statistics"]).build().unwrap();
    let store = config.open().await.unwrap().namespace("pages");
    store.set("k", &1).await.unwrap();
    store.get::<u32>("k").await.unwrap();
    assert_eq!(config.statistics().snapshot()["pages"].hits, 1);
}

#[tokio::test]
async fn a_read_only_store_refuses_writes() {
    let store = open(Config::builder().layers(["observe", "read-only"])).await;
    assert_eq!(store.get::<u32>("k").await.unwrap(), None);
    assert_eq!(store.set("k", &1).await.unwrap_err().kind(), ErrorKind::ReadOnly);
}

#[cfg(all(feature = "compress", feature = "encrypt"))]
#[tokio::test]
async fn values_are_compressed_and_encrypted_by_variables() {
    let key = "07".repeat(32);
    let builder = Config::builder().layers(["compress", "encrypt"]);
    let store = open(builder.compress_above(10).encrypt_key(&key).encrypt_old_key(&key)).await;
    store.set("k", &"word ".repeat(1_000)).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some("word ".repeat(1_000)));
    let missing = Config::builder().layers(["encrypt"]).build().unwrap_err().to_string();
    assert!(missing.contains("OC_KV_STORE_ENCRYPT_KEY"), "{missing}");
    let wrong = Config::builder().layers(["encrypt"]).encrypt_key("s3cret").build();
    let wrong = wrong.unwrap_err().to_string();
    assert!(wrong.contains("64 hexadecimal digits") && !wrong.contains("s3cret"), "{wrong}");
}

#[cfg(feature = "encrypt")]
#[tokio::test]
async fn a_key_may_be_in_a_file() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let builder = || Config::builder().layers(["encrypt"]).encrypt_key_file(file.path());
    for (text, problem) in
        [("", "names an empty file"), ("s3cret\n", "names a file that holds no key")]
    {
        std::fs::write(file.path(), text).unwrap();
        let wrong = builder().build().unwrap_err().to_string();
        assert!(wrong.starts_with("OC_KV_STORE_ENCRYPT_KEY_FILE: "), "{wrong}");
        assert!(wrong.contains(problem) && !wrong.contains("s3cret"), "{wrong}");
    }
    let key = "07".repeat(32);
    std::fs::write(file.path(), format!("{key}\n")).unwrap();
    let store = open(builder().encrypt_old_key_file(file.path())).await;
    store.set("k", &1).await.unwrap();
    assert_eq!(store.get("k").await.unwrap(), Some(1));
    let both = builder().encrypt_key(key).build().unwrap_err().to_string();
    assert!(both.contains("is set together with OC_KV_STORE_ENCRYPT_KEY; expected"), "{both}");
}

#[cfg(not(feature = "encrypt"))]
#[test]
fn a_layer_that_is_compiled_out_names_the_feature() {
    let text = Config::builder().layers(["encrypt"]).build().unwrap_err().to_string();
    assert!(text.contains("`encrypt` is compiled out: kv-config's feature `encrypt`"), "{text}");
}

#[tokio::test]
async fn what_is_observed_can_be_read_from_the_configuration() {
    let config = Config::builder().layers(["observe"]).build().unwrap();
    for _ in 0..2 {
        let store = config.connect().await.unwrap();
        assert_eq!(
            store.increment("n", 1, Lifetime::Never).await.unwrap(),
            1,
            "a store of its own"
        );
    }
    assert_eq!(config.metrics().snapshot(Operation::Increment).done, 2);
}

/// Every layer, by variables as an operator writes them, around a server that dies and comes back.
#[cfg(feature = "redis")]
#[tokio::test]
async fn all_layers_carry_a_service_through_an_outage_of_redis() {
    let mut server = kv_testbed::RedisServer::start().unwrap();
    let port = server.port().to_string();
    let config = Config::from_vars([
        ("OC_KV_STORE_TYPE", "redis"),
        ("OC_KV_STORE_REDIS_PORT", &*port),
        ("OC_KV_STORE_LAYERS", "observe,fallback,limit,retry,timeout"),
        ("OC_KV_STORE_FALLBACK_FAILURES", "1"),
        ("OC_KV_STORE_FALLBACK_PAUSE", "0.001"),
        ("OC_KV_STORE_RETRY_ATTEMPTS", "2"),
        ("OC_KV_STORE_RETRY_FIRST_PAUSE", "0.001"),
    ]);
    let config = config.unwrap();
    let store = config.open().await.unwrap();
    store.set("before", &1).await.unwrap();

    server.kill();
    // One failure opens the circuit, if the call that meets it may not be made again.
    if let Err(error) = store.set("meanwhile", &2).await {
        assert!(error.kind().is_transient(), "{error}");
        store.set("meanwhile", &2).await.unwrap();
    }
    assert_eq!(store.get::<i32>("meanwhile").await.unwrap(), Some(2));
    assert_eq!(store.get::<i32>("before").await.unwrap(), None, "the spare store begins empty");

    server.restart().unwrap();
    let served_again = async {
        loop {
            store.set("after", &3).await.unwrap();
            let exists = server.cli(&["EXISTS", "data_fetcher:after"]).unwrap();
            if exists == kv_testbed::Reply::Integer(1) {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), served_again).await.expect("it is back");
    assert_eq!(store.get::<i32>("after").await.unwrap(), Some(3));
    assert_eq!(store.get::<i32>("meanwhile").await.unwrap(), None, "nothing is copied back");
    let sets = config.metrics().snapshot(Operation::Set);
    assert!(sets.done >= 3, "{sets:?}");
}

mod stuck {
    use std::future::pending;

    use kv_core::{
        Bytes, Condition, Entry, KeyValueStore, Outcome, Remaining, Result, ScanPage, ScanRequest,
        Write, async_trait,
    };

    /// A store that never answers.
    pub(super) struct Stuck;

    #[async_trait]
    impl KeyValueStore for Stuck {
        async fn get(&self, _: &str) -> Result<Option<Entry>> {
            pending().await
        }

        async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
            pending().await
        }

        async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
            pending().await
        }

        async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
            pending().await
        }

        async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
            pending().await
        }
    }
}
