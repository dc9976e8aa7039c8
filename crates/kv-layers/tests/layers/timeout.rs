//! Timeout gives up what takes too long, and says what is known of it.

use std::time::Duration;

use kv_core::{Command, Effect, ErrorKind, KeyValueStore};
use kv_layers::{Access, Layer, Timeout};
use kv_memory::MemoryStore;
use tokio::time::Instant;

use crate::support::{Gate, call, operations, value};

const LIMIT: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn every_call_ends_at_the_limit_and_names_it() {
    let store = Timeout::after(LIMIT).on(Gate::shut().on(MemoryStore::new()));
    for operation in operations() {
        let begun = Instant::now();
        let error = call(&store, operation).await.unwrap_err();
        assert_eq!(begun.elapsed(), LIMIT, "{operation:?}");
        assert_eq!(error.kind(), ErrorKind::Timeout, "{operation:?}");
        let text = format!("{}: no answer within the limit of 2s", operation.name());
        assert!(error.to_string().starts_with(&text), "{error}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_write_that_ran_out_of_time_may_be_applied_and_a_read_is_not() {
    let store = Timeout::after(LIMIT).on(Gate::shut().on(MemoryStore::new()));
    for operation in operations() {
        let error = call(&store, operation).await.unwrap_err();
        let read = operation.access() == Access::Read;
        let effect = if read { Effect::NotApplied } else { Effect::MaybeApplied };
        assert_eq!(error.effect(), effect, "{operation:?}");
    }
    let reads = vec![Command::Get { key: "k".into() }, Command::Ttl { key: "k".into() }];
    let error = store.execute(reads).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::NotApplied));
}

#[tokio::test(start_paused = true)]
async fn a_call_within_the_limit_is_answered() {
    let gate = Gate::shut();
    let store = Timeout::after(LIMIT).on(gate.clone().on(MemoryStore::new()));
    let opened = async {
        tokio::time::sleep(LIMIT - Duration::from_millis(1)).await;
        gate.open(1);
    };
    let (found, ()) = tokio::join!(value(&store, "k"), opened);
    assert_eq!(found, None);
}

#[tokio::test(start_paused = true)]
async fn a_call_that_was_given_up_is_dropped() {
    let gate = Gate::shut();
    let store = Timeout::after(LIMIT).on(gate.clone().on(MemoryStore::new()));
    assert!(store.ping().await.is_err());
    assert_eq!(gate.inside(), 0);
}
