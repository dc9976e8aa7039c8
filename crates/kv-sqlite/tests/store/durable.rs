//! How safe a write is, and what is told of it.

use std::time::Duration;

use kv_core::queue::{NewJob, Partition, QueueSupport, Submit};
use kv_core::{Achieved, Condition, Durability, ErrorKind, KeyValueStore, Write};
use kv_sqlite::SqliteSync;

use crate::support::{Place, value};

const ON_DISK: Achieved = Achieved { replicas: 0, on_disk: true };

#[tokio::test]
async fn a_write_asked_onto_the_disk_is_there_whatever_the_store_is_set_to() {
    for sync in [SqliteSync::Normal, SqliteSync::Full] {
        let place = Place::new();
        let store = place.builder().sync(sync).open().await.unwrap();
        let set = |write| store.set_durable("k", "v".into(), write, Durability::disk());
        let (outcome, achieved) = set(Write::ALWAYS).await.unwrap();
        assert!(outcome.is_written());
        assert_eq!(achieved, ON_DISK);
        let failed = set(Write::ALWAYS.condition(Condition::Absent)).await.unwrap();
        assert!(!failed.0.is_written());
        assert_eq!(failed.1, Achieved::default(), "nothing was written");
        assert_eq!(value(&store, "k").await.unwrap(), "v");
    }
}

#[tokio::test]
async fn there_are_no_replicas_and_that_is_told_and_no_error() {
    let place = Place::new();
    let store = place.open().await;
    let wanted = Durability::replicas(1);
    let (_, achieved) = store.set_durable("k", "v".into(), Write::ALWAYS, wanted).await.unwrap();
    assert_eq!(achieved, Achieved::default());
    assert!(!achieved.meets(wanted));
}

#[tokio::test]
async fn a_limit_that_a_call_cannot_keep_is_refused_and_nothing_written() {
    let place = Place::new();
    let store = place.open().await;
    let wanted = Durability::disk().within(Duration::from_secs(5));
    let error = store.set_durable("k", "v".into(), Write::ALWAYS, wanted).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    assert_eq!(value(&store, "k").await, None);
}

#[tokio::test]
async fn jobs_asked_onto_the_disk_are_there_also_when_the_request_is_repeated() {
    let place = Place::new();
    let store = place.open().await;
    let QueueSupport::Native(queues) = store.queue_engine() else { panic!() };
    queues.open("q", 1).await.unwrap();
    let partition = Partition { queue: "q".into(), number: 0 };
    let job = NewJob {
        body: "job".into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    };
    let session = kv_core::queue::Session { name: "session".into(), request: 1 };
    let request = Submit { session: Some(session), jobs: vec![job] };
    let submit = || queues.submit_durable(&partition, request.clone(), Durability::disk());
    let (first, achieved) = submit().await.unwrap();
    assert_eq!(achieved, ON_DISK);
    assert_eq!(submit().await.unwrap(), (first, ON_DISK));
}

/// The files as a power cut leaves them that took what was not flushed: the log up to a byte.
#[tokio::test]
async fn a_log_that_is_cut_anywhere_leaves_a_whole_earlier_state() {
    let place = Place::new();
    let store = place.builder().sync(SqliteSync::Full).open().await.unwrap();
    let log = place.folder().join("store.db-wal");
    // What was acknowledged when the log had so many bytes.
    let mut acknowledged = Vec::new();
    for number in 0..100_u32 {
        let batch = (0..3).map(|part| (format!("{number}:{part}"), "v".repeat(900).into()));
        store.set_many(batch.collect(), kv_core::Lifetime::Never).await.unwrap();
        acknowledged.push(std::fs::metadata(&log).unwrap().len());
    }
    let bytes = std::fs::read(&log).unwrap();
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    for cut in 0..200 {
        let at = rng.usize(..=bytes.len());
        let copy = Place::new();
        std::fs::copy(place.path(), copy.path()).unwrap();
        std::fs::write(copy.folder().join("store.db-wal"), &bytes[..at]).unwrap();
        let kept = acknowledged.iter().filter(|end| **end <= at as u64).count();
        let found = batches(&copy).await;
        assert!(found >= kept, "{found} of {kept} batches after cut {cut} at {at}, seed {seed}");
    }
}

/// How many batches are there; each is whole, and none is missing before another.
async fn batches(copy: &Place) -> usize {
    let Ok(store) = copy.builder().open().await else { return 0 };
    let mut keys = Vec::new();
    for number in 0..100 {
        for part in 0..3 {
            keys.push(format!("{number}:{part}"));
        }
    }
    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
    let found = store.get_many(&keys).await.unwrap();
    let there: Vec<usize> = found.chunks(3).map(|batch| batch.iter().flatten().count()).collect();
    assert!(there.is_sorted_by(|one, next| one >= next), "{there:?}");
    assert!(there.iter().all(|count| [0, 3].contains(count)), "{there:?}");
    store.close().await.unwrap();
    there.iter().filter(|count| **count == 3).count()
}
