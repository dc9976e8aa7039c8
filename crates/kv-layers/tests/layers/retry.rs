//! Retry repeats what can be repeated, so often, within its time, and never a write that may have
//! been applied.

use std::time::Duration;

use kv_core::{Effect, ErrorKind, KeyValueStore, Lifetime, Result};
use kv_layers::{Access, Call, Layer, Operation, Retry};
use kv_memory::MemoryStore;
use kv_testkit::{Fault, Faulty, Method};
use tokio::time::Instant;

use crate::support::{call, operations, put, set, value};

const MILLISECOND: Duration = Duration::from_millis(1);
const SECOND: Duration = Duration::from_secs(1);

/// Up to this many attempts, the pauses between which are at most a second.
fn retry(attempts: u32) -> Retry {
    Retry::new().attempts(attempts).pauses(SECOND, SECOND).within(60 * SECOND).seeded(7)
}

fn method(operation: Operation) -> Method {
    let named = |method: &Method| method.name() == operation.name();
    Method::ALL.into_iter().find(named).unwrap()
}

/// How often a call of the operation reaches a store on which each of its calls fails.
async fn attempts(layer: impl Layer, operation: Operation, fault: Fault) -> u64 {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(fault);
    let store = layer.on(faulty.clone());
    assert!(call(&store, operation).await.is_err(), "{operation:?}");
    faulty.calls(method(operation))
}

#[tokio::test(start_paused = true)]
async fn what_failed_in_passing_and_changed_nothing_is_tried_so_often_and_no_more() {
    for operation in operations().filter(|operation| operation.access() != Access::Close) {
        for kind in [ErrorKind::Connection, ErrorKind::Timeout, ErrorKind::Backpressure] {
            let fault = Fault::every(method(operation), kind);
            assert_eq!(attempts(retry(4), operation, fault).await, 4, "{operation:?} {kind:?}");
            assert_eq!(attempts(retry(1), operation, fault).await, 1, "{operation:?} {kind:?}");
        }
    }
}

#[tokio::test(start_paused = true)]
async fn what_time_does_not_mend_is_not_tried_again() {
    let kinds = [ErrorKind::Auth, ErrorKind::Closed, ErrorKind::WrongType, ErrorKind::Unsupported];
    for operation in operations() {
        for kind in kinds.into_iter().chain([ErrorKind::Serialization, ErrorKind::Backend]) {
            let fault = Fault::every(method(operation), kind);
            assert_eq!(attempts(retry(4), operation, fault).await, 1, "{operation:?} {kind:?}");
        }
    }
    let fault = Fault::every(Method::Close, ErrorKind::Connection);
    assert_eq!(attempts(retry(4), Operation::Close, fault).await, 1);
}

/// What becomes of a counter when the reply to its first increment is lost.
async fn counted(layer: impl Layer) -> (Result<i64>, u64) {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(Fault::nth(Method::Increment, 1, ErrorKind::Connection).reply_lost());
    let store = layer.on(faulty.clone());
    let answer = store.increment("n", 1, Lifetime::Never).await;
    (answer, faulty.calls(Method::Increment))
}

#[tokio::test(start_paused = true)]
async fn a_write_that_may_have_been_applied_is_never_made_again() {
    let (answer, calls) = counted(retry(4)).await;
    assert_eq!((answer.unwrap_err().effect(), calls), (Effect::MaybeApplied, 1));
    for operation in operations().filter(|operation| operation.access() == Access::Write) {
        let fault = Fault::every(method(operation), ErrorKind::Timeout).reply_lost();
        assert_eq!(attempts(retry(4), operation, fault).await, 1, "{operation:?}");
    }
}

/// A planted mistake: repeats whatever failed.
struct Greedy;

impl Layer for Greedy {
    async fn call<A, T, R>(&self, _: Call, args: A, run: impl Fn(A) -> R + Send + Sync) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        match run(args.clone()).await {
            Err(_) => run(args).await,
            answer => answer,
        }
    }
}

#[tokio::test]
async fn a_layer_that_repeats_such_a_write_is_seen_by_its_second_execution() {
    let (answer, calls) = counted(Greedy).await;
    assert_eq!((answer.unwrap(), calls), (2, 2), "it counted twice");
}

#[tokio::test(start_paused = true)]
async fn a_read_whose_reply_was_lost_is_made_again() {
    let faulty = Faulty::new(MemoryStore::new());
    put(&faulty, "k", "v").await.unwrap();
    faulty.inject(Fault::nth(Method::Get, 1, ErrorKind::Timeout).reply_lost());
    assert_eq!(value(&retry(2).on(faulty.clone()), "k").await.as_deref(), Some("v"));
    assert_eq!(faulty.calls(Method::Get), 2);
}

#[tokio::test(start_paused = true)]
async fn a_batch_is_repeated_with_all_its_commands() {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(Fault::nth(Method::Execute, 1, ErrorKind::Connection));
    let store = retry(2).on(faulty);
    let replies = store.execute(vec![set("a", "1"), set("b", "2")]).await.unwrap();
    assert!(replies.len() == 2 && replies.iter().all(Result::is_ok));
    assert_eq!(value(&store, "b").await.as_deref(), Some("2"));
}

#[tokio::test(start_paused = true)]
async fn no_attempt_begins_after_the_time() {
    let faulty = Faulty::new(MemoryStore::new());
    faulty.inject(Fault::every(Method::Ping, ErrorKind::Connection));
    let store = retry(1_000).within(10 * SECOND).on(faulty.clone());
    let begun = Instant::now();
    assert!(store.ping().await.is_err());
    assert!(begun.elapsed() <= 10 * SECOND);
    assert!(faulty.calls(Method::Ping) > 10, "pauses are half a second on average");
}

/// The pauses before each repeat, of one call.
async fn pauses(retry: Retry, repeats: u32) -> Vec<Duration> {
    let times = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let seen = times.clone();
    let retry = retry.attempts(repeats + 1);
    let failing = |()| {
        seen.lock().unwrap().push(Instant::now());
        async { Err::<(), _>(kv_core::Error::new(ErrorKind::Connection, "away")) }
    };
    retry.call(Call::of(Operation::Ping), (), failing).await.unwrap_err();
    let times = times.lock().unwrap();
    times.windows(2).map(|pair| pair[1] - pair[0]).collect()
}

#[tokio::test(start_paused = true)]
async fn pauses_are_chosen_below_a_bound_that_doubles_up_to_the_longest() {
    let bounds = [1, 2, 4, 8, 8, 8].map(|seconds| seconds * SECOND);
    let mut longest = [Duration::ZERO; 6];
    for seed in 0..50 {
        let retry = Retry::new().pauses(SECOND, 8 * SECOND).within(100 * SECOND).seeded(seed);
        for ((pause, bound), longest) in pauses(retry, 6).await.iter().zip(bounds).zip(&mut longest)
        {
            // A timer counts whole milliseconds.
            assert!(*pause <= bound + MILLISECOND, "seed {seed}: {pause:?} of {bound:?}");
            *longest = (*longest).max(*pause);
        }
    }
    for (longest, bound) in longest.iter().zip(bounds) {
        assert!(*longest > bound / 2, "{longest:?} of {bound:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn the_same_seed_chooses_the_same_pauses() {
    let seeded = |seed| Retry::new().pauses(SECOND, SECOND).within(60 * SECOND).seeded(seed);
    assert_eq!(pauses(seeded(1), 5).await, pauses(seeded(1), 5).await);
    assert_ne!(pauses(seeded(1), 5).await, pauses(seeded(2), 5).await);
}
