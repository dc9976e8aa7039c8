//! What a store is after it was closed and opened again.

use std::time::Duration;

use kv_core::queue::{GroupLimit, Inspect, Inspected, Policy, State};
use kv_core::{Clock, KeyValueStore, Lifetime, Remaining, Write};
use kv_sqlite::SqliteStore;
use kv_testkit::ManualClock;

use crate::jobs::{ack, claim, engine, partition, submit};
use crate::support::{Place, assert_whole, put, value};

const HOUR: Duration = Duration::from_secs(3_600);

#[tokio::test]
async fn values_versions_lifetimes_and_counters_are_as_they_were() {
    let (place, clock) = (Place::new(), ManualClock::new());
    let open = async || place.builder().clock(clock.clone()).open().await.unwrap();
    let store = open().await;
    put(&store, "plain", "v").await;
    let entry = store.get("plain").await.unwrap().unwrap();
    store.set("short", "v".into(), Write::ALWAYS.lifetime(Lifetime::In(HOUR))).await.unwrap();
    store.increment("n", 41, Lifetime::Never).await.unwrap();
    store.close().await.unwrap();
    clock.advance(HOUR / 2);

    let store = open().await;
    assert_eq!(store.get("plain").await.unwrap(), Some(entry), "the value and its version");
    assert_eq!(store.ttl("short").await.unwrap(), Some(Remaining::Expires(HOUR / 2)));
    assert_eq!(store.increment("n", 1, Lifetime::Never).await.unwrap(), 42);
    clock.advance(HOUR / 2);
    assert_eq!(value(&store, "short").await, None);
}

#[tokio::test]
async fn no_version_comes_twice_over_many_lives_of_a_store() {
    let place = Place::new();
    let mut seen = std::collections::HashSet::new();
    for _ in 0..5 {
        let store = place.open().await;
        for _ in 0..20 {
            put(&store, "k", "same").await;
            let version = store.get("k").await.unwrap().unwrap().version;
            assert!(seen.insert(version.as_number().unwrap()), "{version:?}");
            store.delete("k", kv_core::Condition::Always).await.unwrap();
        }
        store.close().await.unwrap();
    }
}

/// The date is set by hand; the monotonic time goes its own way.
#[derive(Clone, Debug)]
struct SetDate(ManualClock, Duration);

impl Clock for SetDate {
    fn now(&self) -> Duration {
        self.0.now()
    }

    fn wall(&self) -> Duration {
        self.1 + self.0.now()
    }
}

#[tokio::test]
async fn a_date_that_was_set_back_while_nobody_ran_prolongs_no_lifetime() {
    let (place, clock) = (Place::new(), ManualClock::new());
    let open = async |date| {
        let clock = SetDate(clock.clone(), Duration::from_secs(date));
        SqliteStore::builder(place.path()).clock(clock).open().await.unwrap()
    };
    let store = open(1_700_000_000).await;
    let lifetime = Lifetime::In(Duration::from_secs(60));
    store.set("k", "v".into(), Write::ALWAYS.lifetime(lifetime)).await.unwrap();
    store.close().await.unwrap();

    let store = open(1_600_000_000).await;
    let Some(Remaining::Expires(left)) = store.ttl("k").await.unwrap() else { panic!() };
    assert!(left <= Duration::from_millis(60_250), "{left:?}");
    clock.advance(Duration::from_secs(61));
    assert_eq!(value(&store, "k").await, None);
    assert!(store.now().await.unwrap() >= Duration::from_secs(1_700_000_060));
}

/// A file of format 1 has no columns for groups.
#[tokio::test]
async fn a_file_of_before_there_were_groups_is_brought_up_to_date_with_its_jobs() {
    let place = Place::new();
    let store = place.open().await;
    submit(&store, None, "old".into()).await;
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    undo_format_3(&file);
    for column in ["turn", "plain_turn", "queued", "ring", "blocked", "groups"] {
        file.execute(&format!("ALTER TABLE partitions DROP COLUMN {column}"), []).unwrap();
    }
    file.pragma_update(None, "user_version", 1).unwrap();
    drop(file);

    let store = place.open().await;
    submit(&store, Some("group"), "new".into()).await;
    let claimed = claim(&store).await;
    let claimed: Vec<_> = claimed.iter().map(|it| (&it.body[..], it.group.as_deref())).collect();
    assert_eq!(claimed, [(&b"old"[..], None), (b"new", Some("group"))]);
}

/// A file of format 3 has all values in their rows, in a column of another name.
fn undo_format_4(file: &rusqlite::Connection) {
    for table in ["entries", "items"] {
        let undo = format!(
            "DROP TRIGGER {table}_removed; DROP TRIGGER {table}_replaced;
             ALTER TABLE {table} DROP COLUMN large;
             ALTER TABLE {table} RENAME COLUMN small TO value;"
        );
        file.execute_batch(&undo).unwrap();
    }
    file.execute_batch("DROP TABLE large; PRAGMA user_version = 3").unwrap();
}

/// A file of format 2 has no column for done jobs, and another name for one of its columns.
fn undo_format_3(file: &rusqlite::Connection) {
    undo_format_4(file);
    file.execute("ALTER TABLE partitions DROP COLUMN kept", []).unwrap();
    file.execute("ALTER TABLE partitions RENAME COLUMN sessions TO 'lanes'", []).unwrap();
}

#[tokio::test]
async fn a_file_of_before_done_jobs_were_kept_is_brought_up_to_date_and_older_builds_notice() {
    let place = Place::new();
    let store = place.open().await;
    submit(&store, None, "old".into()).await;
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    undo_format_3(&file);
    file.pragma_update(None, "user_version", 2).unwrap();
    let mut older = file.prepare("SELECT lanes, 0 FROM partitions").unwrap();
    assert!(older.query_row([], |row| row.get::<_, i64>(0)).is_ok());

    let store = place.open().await;
    let handle = claim(&store).await.remove(0).handle;
    ack(&store, vec![handle], Policy { keep_done: 9, ..Policy::default() }).await;
    let default = GroupLimit::new();
    let look = Inspect::Job { key: handle.key, bytes: true, default };
    let answer = engine(&store).inspect(&partition(), look).await.unwrap();
    let Inspected::Job { job: Some(job), .. } = answer else { panic!("{answer:?}") };
    assert_eq!(job.view.standing.state(), State::Done);
    let error = older.query_row([], |row| row.get::<_, i64>(0)).unwrap_err();
    assert!(error.to_string().contains("lanes"), "{error}");
}

#[tokio::test]
async fn a_file_of_before_large_values_stood_apart_keeps_them_and_older_builds_notice() {
    let place = Place::new();
    let store = place.open().await;
    put(&store, "small", "v").await;
    store.close().await.unwrap();
    let file = rusqlite::Connection::open(place.path()).unwrap();
    undo_format_4(&file);
    let large = "large".repeat(20_000);
    file.execute("INSERT INTO entries VALUES('old', 1, NULL, ?1)", [large.as_bytes()]).unwrap();
    let mut older = file.prepare("SELECT value FROM entries WHERE key = 'small'").unwrap();
    assert!(older.query_row([], |row| row.get::<_, Vec<u8>>(0)).is_ok());

    let store = place.open().await;
    assert_eq!(value(&store, "small").await.unwrap(), "v");
    assert_eq!(value(&store, "old").await.unwrap(), large);
    put(&store, "old", &large).await;
    assert_eq!(value(&store, "old").await.unwrap(), large);
    let apart = "SELECT count(*) FROM large";
    assert_eq!(file.query_row(apart, [], |row| row.get::<_, i64>(0)).unwrap(), 1);
    let error = older.query_row([], |row| row.get::<_, Vec<u8>>(0)).unwrap_err();
    assert!(error.to_string().contains("value"), "{error}");
    store.close().await.unwrap();
    assert_whole(&place.path());
}
