//! Errors of loaders that are remembered for a short time.

use kv_core::{CacheOptions, ErrorKind};

use crate::support::{Rig, periods, secs};

#[tokio::test(start_paused = true)]
async fn an_error_is_not_remembered_unless_it_is_wished() {
    let rig = Rig::new();
    rig.loader.fails();
    for loads in 1..4 {
        assert!(rig.get(CacheOptions::new()).await.is_err());
        assert_eq!(rig.loader.loads(), loads);
    }
}

#[tokio::test(start_paused = true)]
async fn a_remembered_error_is_the_answer_until_its_time_ends() {
    let rig = Rig::new();
    rig.loader.fails();
    let options = || CacheOptions::new().remember_errors(secs(3));
    for _ in 0..10 {
        let error = rig.get(options()).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Loader);
        assert_eq!(std::error::Error::source(&error).unwrap().to_string(), "failed load 1");
    }
    rig.loader.works();
    assert!(rig.get(options()).await.is_err());
    rig.clock.advance(secs(3));
    assert_eq!(rig.get(options()).await.unwrap(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_failing_source_is_left_alone_while_stale_and_kept_values_are_served() {
    for age in [11, 31] {
        let rig = Rig::new();
        let options = || periods().remember_errors(secs(3));
        rig.get(options()).await.unwrap();
        rig.clock.advance(secs(age));
        rig.loader.fails();
        for _ in 0..10 {
            assert_eq!(rig.get(options()).await.unwrap(), 1);
            rig.settle().await;
        }
        assert_eq!(rig.loader.loads(), 2, "after {age} seconds");
    }
}

#[tokio::test(start_paused = true)]
async fn writing_the_key_forgets_the_error() {
    let rig = Rig::new();
    rig.loader.fails();
    let options = || CacheOptions::new().remember_errors(secs(3));
    rig.get(options()).await.unwrap_err();
    rig.store.delete("k").await.unwrap();
    rig.loader.works();
    assert_eq!(rig.get(options()).await.unwrap(), 2);
}
