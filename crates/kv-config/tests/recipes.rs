//! The recipes among the examples do what they say.
#![cfg(feature = "memory")]

use std::time::Duration;

use kv_config::Config;
use kv_core::{BoxError, ErrorKind, Result, Store};

#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/batch_pipeline.rs"]
mod batch_pipeline;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/configuration_caching.rs"]
mod configuration_caching;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/custom_serializer.rs"]
mod custom_serializer;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/custom_store.rs"]
mod custom_store;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/fallback.rs"]
mod fallback;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/rate_limit.rs"]
mod rate_limit;
#[expect(dead_code, reason = "a test calls `run`, not `main`")]
#[path = "../examples/url_tracking.rs"]
mod url_tracking;

/// The default store: in memory.
async fn store() -> Result<Store> {
    Config::builder().build()?.open().await
}

#[tokio::test]
async fn a_url_is_processed_once_and_remembered_for_a_day() -> Result<()> {
    let store = store().await?;
    let links = ["https://example.org/a", "https://example.org/b"];
    assert_eq!(url_tracking::run(&store).await?, links);
    assert_eq!(url_tracking::run(&store).await?, [""; 0]);

    let found = url_tracking::Tracker::new(&store).find(links[0]).await?.unwrap();
    assert_eq!((found.url.as_str(), found.bundle_refs), (links[0], vec!["bundle-1".to_owned()]));
    assert!(found.processed_at > 0);
    let keys = store.keys("processed:*").await?;
    assert!(keys.len() == 2 && keys.iter().all(|key| key.len() == "processed:".len() + 64));
    let left = store.ttl(&keys[0]).await?.and_then(|left| left.duration()).unwrap();
    assert!(left > Duration::from_secs(86_000) && left <= Duration::from_secs(86_400), "{left:?}");
    Ok(())
}

#[tokio::test]
async fn a_configuration_is_loaded_once_and_cached_for_an_hour() -> Result<()> {
    let store = store().await?;
    let (found, loads) = configuration_caching::run(&store).await?;
    assert_eq!((found.pages, loads), (3, 1));
    let left = store.ttl("config:news").await?.and_then(|left| left.duration()).unwrap();
    assert!(left > Duration::from_secs(3_500) && left <= Duration::from_secs(3_600), "{left:?}");

    let source = configuration_caching::Source::default();
    let error = configuration_caching::recipe(&store, &source, "no such").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Loader);
    assert!(!store.exists("config:no such").await?);
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_rate_limit_admits_exactly_its_number_of_concurrent_callers() -> Result<(), BoxError> {
    let store = store().await?;
    let (admitted, wait) = rate_limit::run(&store).await?;
    assert_eq!(admitted, 10);
    assert!(wait > Duration::ZERO && wait <= Duration::from_secs(60), "{wait:?}");
    assert_eq!(rate_limit::run(&store).await?.0, 0, "the window is still the same");
    Ok(())
}

#[cfg(feature = "layers")]
#[tokio::test]
async fn a_fallback_takes_over_on_errors_of_the_connection_alone() -> Result<()> {
    let found = fallback::run(ErrorKind::Connection).await?;
    assert_eq!((found.before, found.during), (None, Some("done".to_owned())));
    for kind in [ErrorKind::Auth, ErrorKind::OutOfMemory, ErrorKind::Closed] {
        assert_eq!(fallback::run(kind).await.map(drop).unwrap_err().kind(), kind);
    }
    Ok(())
}

#[tokio::test]
async fn a_batch_keeps_the_answers_beside_one_that_does_not_decode() -> Result<()> {
    let found = batch_pipeline::run(&store().await?).await?;
    assert_eq!(found.page.map(|page| page.links), Some(12));
    assert_eq!(found.titles, ["Page 1", "Page 2", "Page 3"]);
    assert_eq!((found.absent, found.unreadable), (true, 1));
    Ok(())
}

#[tokio::test]
async fn a_checked_format_refuses_bytes_that_would_decode_to_another_value() -> Result<()> {
    let store = store().await?;
    let (value, error) = custom_serializer::run(&store).await?;
    assert_eq!((value, error), (Some(vec![2, 3, 5, 7]), Some(ErrorKind::Serialization)));
    assert_eq!(store.inner().get("primes").await?.unwrap().value[..9], *b"[2,3,5,6]");
    Ok(())
}

#[tokio::test]
async fn a_store_of_ones_own_is_opened_by_its_own_variables() -> Result<()> {
    let vars = [("OC_KV_STORE_TYPE", "tree"), ("OC_KV_STORE_TREE_MAX_ENTRIES", "3")];
    let store = custom_store::loader().from_vars(vars)?.open().await?;
    let (users, visits) = custom_store::run(&store).await?;
    assert_eq!((users, visits), (vec!["1".to_owned(), "2".to_owned()], 42));
    assert_eq!(store.get("user:1").await?, Some("Ada".to_owned()));

    let full = store.set("fourth", &1).await.unwrap_err();
    assert_eq!(full.kind(), ErrorKind::OutOfMemory);
    let wrong = [("OC_KV_STORE_TYPE", "tree"), ("OC_KV_STORE_TREE_MAX_ENTRIES", "0")];
    let error = custom_store::loader().from_vars(wrong).unwrap_err().to_string();
    assert!(error.contains("OC_KV_STORE_TREE_MAX_ENTRIES"), "{error}");
    Ok(())
}

/// The suite on the store of one's own, as its author would run it.
mod the_store_of_ones_own {
    use std::time::Duration;

    use kv_testkit::{Backend, ManualClock};

    use super::custom_store::TreeStore;

    #[derive(Default)]
    struct Tree {
        clock: ManualClock,
    }

    impl Backend for Tree {
        type Store = TreeStore;

        async fn fresh(&self) -> Result<TreeStore, kv_core::BoxError> {
            Ok(TreeStore::new(100_000, self.clock.clone()))
        }

        fn advance(&self, by: Duration) {
            self.clock.advance(by);
        }

        fn closes(&self) -> bool {
            false
        }
    }

    kv_testkit::conformance!(Tree::default());
}
