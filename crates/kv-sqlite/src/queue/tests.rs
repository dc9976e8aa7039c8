use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::task::{Context, Waker};
use std::time::Duration;

use futures_executor::block_on;
use kv_core::queue::{
    Control, NewJob, Partition, QueueEngine, QueueSupport, Submit, Unique, UniqueScope,
};
use kv_core::{Clock, ErrorKind, KeyValueStore, async_trait};
use kv_queue_machine::testing::{Dump, ManualClock, NaiveTables, START, Subject, check};
use kv_queue_machine::{Counter, Map, Set, Tables};

use super::partition;
use super::tables::SqlTables;
use crate::SqliteStore;
use crate::file::Session;

/// The engine of a file of its own, on a clock that stands still.
struct Sqlite {
    _folder: tempfile::TempDir,
    clock: Arc<ManualClock>,
    store: SqliteStore,
    engine: Arc<dyn QueueEngine>,
}

impl Sqlite {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::default());
        clock.set(START);
        let shared: Arc<dyn Clock> = Arc::clone(&clock) as _;
        let path = folder.path().join("queue.db");
        let store = SqliteStore::builder(path).clock(shared).open().await.unwrap();
        let QueueSupport::Native(engine) = store.queue_engine() else { panic!() };
        Self { _folder: folder, clock, store, engine }
    }

    fn open() -> Self {
        block_on(async {
            let sqlite = Self::new().await;
            sqlite.engine.open("q", 2).await.unwrap();
            sqlite
        })
    }

    fn submit(&self, number: u32, unique: Option<&str>) {
        let unique = unique.map(|key| Unique { key: key.to_owned(), scope: UniqueScope::Run });
        let job = NewJob {
            body: "body".into(),
            priority: 8,
            delay: Duration::ZERO,
            unique,
            time_to_live: None,
            group: None,
            note_time: false,
        };
        let request = Submit { session: None, jobs: vec![job] };
        block_on(self.engine.submit(&partition(number), request)).unwrap();
    }

    fn rows(&self, table: &'static str) -> i64 {
        let count = move |session: &Session| {
            let sql = format!("SELECT count(*) FROM {table}");
            Ok(session.row(&sql, [], |row| row.get(0))?.unwrap())
        };
        block_on(self.store.workers().read(count)).unwrap()
    }
}

fn partition(number: u32) -> Partition {
    Partition { queue: "q".into(), number }
}

/// Everything of a partition; the sizes that its row names are those of its sets.
fn copy(session: &Session, partition: &Partition) -> kv_core::Result<NaiveTables> {
    let tables = SqlTables::load(session, partition::find(session, partition)?)?;
    let mut naive = NaiveTables::default();
    for set in Set::ALL {
        let members = tables.first(set, usize::MAX)?;
        assert_eq!(tables.len(set)?, members.len() as u64, "{set:?}");
        for member in members {
            naive.insert(set, member.score, &member.name)?;
        }
    }
    for map in Map::ALL {
        let place = tables.place_in(map);
        let read = |row: &rusqlite::Row<'_>| Ok((row.get::<_, String>(0)?, session.value(row, 1)?));
        let sql = "SELECT key, small, large FROM items WHERE place = ?1";
        for (key, value) in session.rows(sql, &[&place], read)? {
            naive.put(map, &key, value)?;
        }
    }
    for counter in Counter::ALL {
        naive.set_counter(counter, tables.counter(counter)?)?;
    }
    Ok(naive)
}

#[async_trait]
impl Subject for Sqlite {
    fn engine(&self) -> &dyn QueueEngine {
        &*self.engine
    }

    async fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        let partition = partition.clone();
        let look = move |session: &Session| session.snapshot(|| copy(session, &partition));
        let naive = self.store.workers().read(look).await.map_err(|error| error.to_string())?;
        Dump::from(&naive).check()
    }
}

#[test]
fn it_answers_as_the_machine_does() {
    block_on(check(Sqlite::new, 0..40, 400)).unwrap();
}

/// Fails unless the oracle catches a bug in the statements of the committing thread.
fn is_caught(text: &'static str, bug: &'static str) {
    let make = async || {
        let sqlite = Sqlite::new().await;
        let plant = move |session: &Session| {
            session.plant(text, bug);
            Ok(())
        };
        sqlite.store.workers().write(0, false, plant).await.unwrap();
        sqlite
    };
    let caught = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
        block_on(check(make, 0..40, 400)).is_err()
    }));
    assert!(caught.unwrap_or(true), "{bug:?} in place of {text:?} is not caught");
}

#[test]
fn the_oracle_catches_a_bug_in_the_statements_of_the_host() {
    for (text, bug) in [
        (
            "FROM ready WHERE place = ?1 ORDER BY name",
            "FROM ready WHERE place = ?1 ORDER BY -score",
        ),
        (
            "DELETE FROM members WHERE place = ?1 AND name = ?2",
            "DELETE FROM members WHERE 0 AND ?1 = ?2",
        ),
        (
            "FROM members WHERE place = ?1 AND score <= ?3",
            "FROM members WHERE place = ?1 AND score < ?3",
        ),
        ("ORDER BY score, name", "ORDER BY score DESC, name"),
        ("UPDATE members SET score = ?3", "UPDATE members SET score = score + 0 * ?3"),
        (
            "ON CONFLICT(place, key) DO UPDATE SET small = ?3, large = ?4",
            "ON CONFLICT(place, key) DO NOTHING",
        ),
        (
            "DELETE FROM items WHERE place = ?1 AND key = ?2",
            "DELETE FROM items WHERE 0 AND ?1 = ?2",
        ),
        ("?1, ?2, ?3,", "?1, ?2, ?3 - 1,"),
        ("UPDATE meta SET places = places + 1", "UPDATE meta SET places = places"),
    ] {
        is_caught(text, bug);
    }
}

#[test]
fn a_wait_names_the_one_partition_of_many_that_has_work() {
    let sqlite = block_on(Sqlite::new());
    block_on(sqlite.engine.open("q", 1_024)).unwrap();
    let partitions: Vec<_> = (0..1_024).map(partition).collect();
    let wait = || block_on(sqlite.engine.wait(&partitions, Duration::ZERO)).unwrap();
    assert_eq!(wait(), [0_u32; 0]);
    sqlite.submit(0, None);
    sqlite.submit(1_023, None);
    assert_eq!(wait(), [0, 1_023]);
    block_on(sqlite.engine.control(&partition(0), Control::Pause)).unwrap();
    assert_eq!(wait(), [1_023], "a pause is no work");
}

#[test]
fn a_wait_is_over_at_once_where_something_is_and_after_whatever_makes_it_so() {
    let sqlite = Sqlite::open();
    let partitions = [partition(0), partition(1)];
    let wait = || sqlite.engine.wait(&partitions, Duration::from_secs(60));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(wait()).unwrap());
        sqlite.submit(1, None);
        assert_eq!(waiting.join().unwrap(), [1]);
    });
    assert_eq!(block_on(wait()).unwrap(), [1]);
    block_on(sqlite.engine.control(&partition(1), Control::Pause)).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| block_on(wait()).unwrap());
        block_on(sqlite.engine.control(&partition(1), Control::Resume)).unwrap();
        assert_eq!(waiting.join().unwrap(), [1]);
    });
}

#[test]
fn a_job_of_another_process_ends_a_wait() {
    let sqlite = Sqlite::open();
    let shared: Arc<dyn Clock> = Arc::clone(&sqlite.clock) as _;
    let other = SqliteStore::builder(sqlite.store.path()).clock(shared).open();
    let QueueSupport::Native(other) = block_on(other).unwrap().queue_engine() else { panic!() };
    let partitions = [partition(0)];
    let mut wait = pin!(other.wait(&partitions, Duration::from_secs(60)));
    let mut context = Context::from_waker(Waker::noop());
    assert!(wait.as_mut().poll(&mut context).is_pending());
    sqlite.submit(0, None);
    assert_eq!(block_on(wait).unwrap(), [0]);
}

#[test]
fn closing_ends_waits_and_refuses_every_later_call() {
    let sqlite = Sqlite::open();
    let partitions = [partition(0)];
    let ended = std::thread::scope(|scope| {
        let wait = || block_on(sqlite.engine.wait(&partitions, Duration::from_secs(60)));
        let waiting = scope.spawn(wait);
        block_on(sqlite.store.close()).unwrap();
        waiting.join().unwrap().unwrap_err()
    });
    let open = block_on(sqlite.engine.open("q", 2)).unwrap_err();
    let control = block_on(sqlite.engine.control(&partitions[0], Control::Pause)).unwrap_err();
    assert_eq!([ended, open, control].map(|error| error.kind()), [ErrorKind::Closed; 3]);
}

#[test]
fn a_queue_that_is_removed_ends_its_waits_and_leaves_no_row() {
    let sqlite = Sqlite::open();
    let partitions = [partition(0)];
    (0..20).for_each(|number| sqlite.submit(1, Some(&number.to_string())));
    let error = std::thread::scope(|scope| {
        let waiting =
            scope.spawn(|| block_on(sqlite.engine.wait(&partitions, Duration::from_secs(60))));
        block_on(sqlite.engine.remove("q", 2)).unwrap();
        waiting.join().unwrap().unwrap_err()
    });
    assert_eq!(error.kind(), ErrorKind::Config);
    block_on(sqlite.engine.remove("q", 2)).unwrap();
    block_on(sqlite.store.compact()).unwrap();
    for table in ["queues", "partitions", "ready", "members", "items", "garbage"] {
        assert_eq!(sqlite.rows(table), 0, "{table}");
    }
    block_on(sqlite.engine.open("q", 3)).unwrap();
    sqlite.submit(2, Some("0"));
    assert_eq!(sqlite.rows("ready"), 1, "nothing is left of the old one's unique keys");
}

#[test]
fn three_hundred_queues_that_were_removed_leave_no_row() {
    let sqlite = Sqlite::open();
    block_on(sqlite.engine.remove("q", 2)).unwrap();
    for _ in 0..300 {
        block_on(sqlite.engine.open("q", 2)).unwrap();
        (0..4).for_each(|number| sqlite.submit(number % 2, Some(&number.to_string())));
        block_on(sqlite.engine.remove("q", 2)).unwrap();
    }
    block_on(sqlite.store.compact()).unwrap();
    for table in ["queues", "partitions", "ready", "members", "items", "garbage"] {
        assert_eq!(sqlite.rows(table), 0, "{table}");
    }
}

/// A file of a build before 0.1.0, in which a purge moved the unique keys alone.
#[test]
fn a_partition_whose_unique_keys_alone_have_moved_is_read_and_purged() {
    const MOVED: i64 = (1 << 60) + 7;
    let sqlite = Sqlite::open();
    sqlite.submit(0, Some("once"));
    let moves = |session: &Session| {
        let place =
            session.row("SELECT unique_place FROM partitions", [], |row| row.get::<_, i64>(0));
        let place = place?.unwrap();
        session.execute("UPDATE items SET place = ?2 WHERE place = ?1", (place, MOVED))?;
        session.execute("UPDATE partitions SET unique_place = ?1", [MOVED])?;
        session.execute("UPDATE meta SET places = 7", [])
    };
    block_on(sqlite.store.workers().write(0, false, moves)).unwrap();
    sqlite.submit(0, Some("once"));
    assert_eq!(sqlite.rows("ready"), 1, "it is a duplicate still");
    let purged = block_on(sqlite.engine.control(&partition(0), Control::Purge)).unwrap();
    sqlite.submit(0, Some("once"));
    block_on(sqlite.store.compact()).unwrap();
    assert_eq!((purged.affected, sqlite.rows("ready"), sqlite.rows("items")), (1, 1, 3));
}

#[test]
fn a_purge_forgets_unique_keys_at_once_and_their_rows_by_and_by() {
    let sqlite = Sqlite::open();
    sqlite.submit(0, Some("once"));
    block_on(sqlite.engine.control(&partition(0), Control::Purge)).unwrap();
    sqlite.submit(0, Some("once"));
    assert_eq!(sqlite.rows("ready"), 2, "one of them is nobody's");
    block_on(sqlite.store.compact()).unwrap();
    assert_eq!(sqlite.rows("ready"), 1);
    assert_eq!((sqlite.rows("garbage"), sqlite.rows("items")), (0, 3), "a body, a key, the marks");
    block_on(sqlite.engine.control(&partition(0), Control::Purge)).unwrap();
    block_on(sqlite.store.compact()).unwrap();
    assert_eq!((sqlite.rows("ready"), sqlite.rows("items")), (0, 0), "of the places after, too");
}

#[test]
fn another_number_of_partitions_and_unknown_ones_are_refused() {
    let sqlite = Sqlite::open();
    for partitions in [0, 1, 3, u32::MAX] {
        let error = block_on(sqlite.engine.open("q", partitions)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    block_on(sqlite.engine.open("q", 2)).unwrap();
    for unknown in [partition(2), Partition { queue: "r".into(), number: 0 }] {
        let error = block_on(sqlite.engine.control(&unknown, Control::Pause)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let error = block_on(sqlite.engine.wait(&[unknown], Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
