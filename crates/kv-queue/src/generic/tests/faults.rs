//! What the engine does when the store does not do as told.

use std::sync::atomic::Ordering;

use kv_core::queue::{JobKey, Operation, Submitted, Unique, UniqueScope, Verdict};
use kv_core::{Effect, ErrorKind};

use super::*;
use kv_core::queue::Maintain;
use kv_queue_machine::{Map, MemTables, Tables, reason};

#[tokio::test]
async fn a_repeat_after_a_lost_reply_gets_the_claims_of_the_first() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a", "b"])).await.unwrap();
    store.lost_replies.store(1, Ordering::SeqCst);
    let lost = engine.exchange(&partition(), claim(1, 1)).await.unwrap_err();
    assert_eq!(lost.effect(), Effect::MaybeApplied);
    let repeat = engine.exchange(&partition(), claim(1, 1)).await.unwrap();
    assert_eq!(bodies(&repeat), [b"a"]);
    let next = engine.exchange(&partition(), claim(2, 5)).await.unwrap();
    assert_eq!(bodies(&next), [b"b"]);
}

#[tokio::test]
async fn a_repeated_submit_on_a_session_adds_its_jobs_once_and_keeps_their_bodies() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    let session = Session { name: "producer".into(), request: 1 };
    let request = Submit { session: Some(session), ..submit(&["a"]) };
    store.lost_replies.store(1, Ordering::SeqCst);
    engine.submit(&partition(), request.clone()).await.unwrap_err();
    engine.submit(&partition(), request).await.unwrap();
    let claimed = engine.exchange(&partition(), claim(1, 5)).await.unwrap();
    assert_eq!(bodies(&claimed), [b"a"]);
    assert_eq!(store.keys(":body:").len(), 1);
}

#[tokio::test]
async fn claims_whose_bodies_cannot_be_read_come_with_a_repeat() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a"])).await.unwrap();
    store.broken_reads.store(1, Ordering::SeqCst);
    let error = engine.exchange(&partition(), claim(1, 1)).await.unwrap_err();
    assert_eq!(error.effect(), Effect::MaybeApplied);
    let repeat = engine.exchange(&partition(), claim(1, 1)).await.unwrap();
    assert_eq!(bodies(&repeat), [b"a"]);
}

#[tokio::test]
async fn a_job_whose_body_is_gone_is_buried_and_spoils_no_other() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a", "b"])).await.unwrap();
    store.remove(&store.keys(":body:")[0]);
    let claimed = engine.exchange(&partition(), claim(1, 5)).await.unwrap();
    assert_eq!(bodies(&claimed), [b"b"]);
    let letters = letters(&engine).await;
    assert_eq!((letters.len(), &*letters[0].reason), (1, reason::BODY));
    let repeat = engine.exchange(&partition(), claim(1, 5)).await.unwrap();
    assert_eq!(bodies(&repeat), [b"b"]);
}

#[tokio::test]
async fn a_job_whose_body_has_no_readable_name_is_buried_and_spoils_no_other() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a", "b"])).await.unwrap();
    let mut tables = MemTables::decode(&store.value("q:0:index").unwrap()).unwrap();
    tables.put(Map::Body, &JobKey::new(8, 1).to_string(), "no name".into()).unwrap();
    store.put("q:0:index", tables.encode().unwrap());
    let first = engine.exchange(&partition(), claim(1, 1)).await.unwrap();
    assert!(first.claimed.is_empty());
    let second = engine.exchange(&partition(), claim(2, 1)).await.unwrap();
    assert_eq!(bodies(&second), [b"b"]);
    let letters = letters(&engine).await;
    assert_eq!((&letters[0].body[..], &*letters[0].reason), (&b""[..], reason::BODY));
}

#[tokio::test]
async fn a_claim_is_bounded_by_the_bodies_and_not_by_their_names() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["aaaa", "bb", "ccc"])).await.unwrap();
    let mut request = claim(1, 5);
    request.claim = request.claim.map(|claim| Claim { bytes: 6, ..claim });
    let first = engine.exchange(&partition(), request.clone()).await.unwrap();
    assert_eq!((bodies(&first), first.more), (vec![&b"aaaa"[..], b"bb"], true));
    request.claim = request.claim.map(|claim| Claim { bytes: 5, ..claim });
    let repeat = engine.exchange(&partition(), request).await.unwrap();
    assert_eq!((bodies(&repeat), repeat.more), (vec![&b"aaaa"[..]], true));
    let next = engine.exchange(&partition(), claim(2, 5)).await.unwrap();
    assert_eq!(bodies(&next), [&b"bb"[..], b"ccc"]);
}

#[tokio::test]
async fn a_repeat_that_withdraws_a_claim_reads_no_body() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a"])).await.unwrap();
    store.broken_reads.store(usize::MAX, Ordering::SeqCst);
    engine.exchange(&partition(), claim(1, 1)).await.unwrap_err();
    let withdrawn = engine.exchange(&partition(), exchange(1)).await.unwrap();
    assert!(withdrawn.claimed.is_empty());
    store.broken_reads.store(0, Ordering::SeqCst);
    assert_eq!(engine.exchange(&partition(), claim(2, 1)).await.unwrap().claimed[0].delivery, 1);
}

#[tokio::test]
async fn a_peek_looks_past_jobs_whose_bodies_are_gone() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a", "b", "c"])).await.unwrap();
    store.keys(":body:").iter().take(2).for_each(|key| store.remove(key));
    let look = Inspect::Peek { after: None, limit: 1, bytes: 9 };
    let Inspected::Jobs(jobs) = engine.inspect(&partition(), look).await.unwrap() else { panic!() };
    assert_eq!(jobs[0].body, "c");
}

#[tokio::test]
async fn a_job_whose_checkpoint_is_gone_is_buried() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    engine.submit(&partition(), submit(&["a"])).await.unwrap();
    let handle = engine.exchange(&partition(), claim(1, 1)).await.unwrap().claimed[0].handle;
    let body = store.keys(":body:");
    let state = Operation::Checkpoint { state: "half".into(), progress: 1 };
    let snooze = Operation::Snooze { after: Duration::ZERO };
    let request =
        super::Exchange { operations: vec![(handle, state), (handle, snooze)], ..exchange(2) };
    engine.exchange(&partition(), request).await.unwrap();
    store.keys(":body:").iter().filter(|it| !body.contains(it)).for_each(|it| store.remove(it));
    assert!(engine.exchange(&partition(), claim(3, 1)).await.unwrap().claimed.is_empty());
    let letters = letters(&engine).await;
    assert_eq!((&letters[0].body[..], &*letters[0].reason), (&b"a"[..], reason::CHECKPOINT));
}

#[tokio::test(start_paused = true)]
async fn a_step_that_always_loses_ends_as_a_conflict_and_leaves_nothing() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    store.races.store(usize::MAX, Ordering::SeqCst);
    let error = engine.submit(&partition(), submit(&["a"])).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Conflict, Effect::NotApplied));
    assert!(store.keys(":body:").is_empty());
}

#[tokio::test]
async fn a_full_partition_pushes_back_and_admits_duplicates_only() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    let unique = Some(Unique { key: "u".into(), scope: UniqueScope::Live });
    let mut first = submit(&["x"; 1_000]);
    first.jobs[0].unique.clone_from(&unique);
    engine.submit(&partition(), first).await.unwrap();
    for _ in 1..10 {
        engine.submit(&partition(), submit(&["x"; 1_000])).await.unwrap();
    }
    let error = engine.submit(&partition(), submit(&["y"])).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backpressure, Effect::NotApplied));
    let mut duplicate = submit(&["y"]);
    duplicate.jobs[0].unique = unique;
    let answer = engine.submit(&partition(), duplicate).await.unwrap();
    assert!(matches!(answer[..], [Submitted::Duplicate(_)]));
    assert_eq!(store.keys(":body:").len(), 10_000);
}

#[tokio::test]
async fn a_step_that_changes_nothing_writes_nothing() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    let maintain = Maintain { limit: 10, policy: Policy::default() };
    engine.maintain(&partition(), maintain).await.unwrap();
    engine.inspect(&partition(), Inspect::Counts).await.unwrap();
    assert_eq!(store.index_writes.load(Ordering::SeqCst), 0);
    engine.exchange(&partition(), claim(1, 1)).await.unwrap();
    assert_eq!(store.index_writes.load(Ordering::SeqCst), 0, "there is nothing to claim");
    engine.submit(&partition(), submit(&["a"])).await.unwrap();
    for _ in 0..2 {
        engine.exchange(&partition(), claim(1, 1)).await.unwrap();
    }
    assert_eq!(store.index_writes.load(Ordering::SeqCst), 2, "the second one is a repeat");
}

#[tokio::test]
async fn a_format_of_the_future_is_refused_and_left_as_it_is() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    for (key, value) in [("q:meta", "kv-queue/2 1"), ("q:0:index", "\u{4}...")] {
        store.put(key, value.into());
        let error = match key {
            "q:meta" => engine.open("q", 1).await.unwrap_err(),
            _ => engine.submit(&partition(), submit(&["a"])).await.unwrap_err(),
        };
        assert_eq!(error.kind(), ErrorKind::Config, "{key}");
        assert_eq!(store.value(key).unwrap(), value);
    }
    assert!(store.keys(":body:").is_empty());
}

#[tokio::test]
async fn another_number_of_partitions_and_unknown_ones_are_refused() {
    let store = Arc::new(MapStore::default());
    let engine = open(&store).await;
    assert_eq!(engine.open("q", 2).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(engine.open("r", 0).await.unwrap_err().kind(), ErrorKind::Config);
    engine.open("q", 1).await.unwrap();
    for (queue, number) in [("q", 1), ("r", 0)] {
        let unknown = Partition { queue: queue.into(), number };
        let error = engine.inspect(&unknown, Inspect::Counts).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}

#[tokio::test]
async fn a_queue_that_is_removed_leaves_nothing_also_where_others_write_meanwhile() {
    let store = Arc::new(MapStore::default());
    let (one, two) = (open(&store).await, engine(&store, 2));
    two.open("q", 1).await.unwrap();
    one.submit(&partition(), submit(&["a", "b"])).await.unwrap();
    let handle = two.exchange(&partition(), claim(1, 1)).await.unwrap().claimed[0].handle;
    let state = Operation::Checkpoint { state: "half".into(), progress: 1 };
    let request = super::Exchange { operations: vec![(handle, state)], ..exchange(2) };
    two.exchange(&partition(), request).await.unwrap();
    store.races.store(2, Ordering::SeqCst);
    for _ in 0..2 {
        one.remove("q", 1).await.unwrap();
    }
    assert!(store.keys("q").is_empty(), "{:?}", store.keys("q"));
    let error = one.inspect(&partition(), Inspect::Counts).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    one.open("q", 2).await.unwrap();
    assert!(one.exchange(&partition(), claim(1, 1)).await.unwrap().claimed.is_empty());
}

#[tokio::test]
async fn a_queue_is_removed_by_an_engine_that_did_not_open_it() {
    let store = Arc::new(MapStore::default());
    let one = open(&store).await;
    one.submit(&partition(), submit(&["a"])).await.unwrap();
    let other = engine(&store, 2);
    assert_eq!(other.remove("q", 0).await.unwrap_err().kind(), ErrorKind::Config);
    other.remove("q", 1).await.unwrap();
    assert!(store.keys("q").is_empty());
}

#[tokio::test]
async fn two_engines_with_one_store_share_the_jobs_and_settle_each_once() {
    let store = Arc::new(MapStore::default());
    let (one, two) = (open(&store).await, engine(&store, 2));
    two.open("q", 1).await.unwrap();
    one.submit(&partition(), submit(&["a"])).await.unwrap();
    let handle = two.exchange(&partition(), claim(1, 1)).await.unwrap().claimed[0].handle;
    let ack = |request| super::Exchange { acks: vec![handle], ..exchange(request) };
    assert_eq!(one.exchange(&partition(), ack(2)).await.unwrap().acks, [Verdict::Applied]);
    assert_eq!(two.exchange(&partition(), ack(3)).await.unwrap().acks, [Verdict::Stale]);
    assert!(store.keys(":body:").is_empty());
}
