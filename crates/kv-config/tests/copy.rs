//! What a store holds comes into another one as it is, also after an interruption.
#![cfg(test)]
#![cfg(all(feature = "memory", feature = "redis", feature = "sqlite"))]

use std::path::Path;
use std::time::Duration;

use kv_config::{Config, Position, StoreCopy};
use kv_core::queue::{
    Export, JobImage, Numbers, Partition, QueueEngine, QueueSupport, UniqueImage,
};
use kv_core::{
    Bytes, Condition, ErrorKind, Expiry, KeyValueStore, Remaining, SetOptions, Store, Write,
};
use kv_queue::{Job, Queue};
use kv_testbed::{ChildTest, RedisServer};

const HOUR: Duration = Duration::from_secs(3_600);
const PARTITIONS: u32 = 2;
const JOBS: u64 = 2_500;
const FROM: &str = "KV_CONFIG_COPY_FROM";
const TO: &str = "KV_CONFIG_COPY_TO";

async fn file(path: &Path) -> Store {
    Config::builder().store_type("sqlite").sqlite_path(path).build().unwrap().open().await.unwrap()
}

async fn memory() -> Store {
    Config::builder().build().unwrap().open().await.unwrap()
}

async fn queue(store: &Store) -> Queue<String> {
    Queue::builder("work:{1}").partitions(PARTITIONS).open(store).await.unwrap()
}

fn between<'a>(from: &'a Store, to: &'a Store) -> StoreCopy<'a> {
    StoreCopy::between(&**from.inner(), &**to.inner()).queue("work:{1}", PARTITIONS)
}

async fn fill_values(store: &Store) {
    for number in 0..700 {
        store.set(&format!("page:{number}"), &number).await.unwrap();
    }
    store.set_with("short", "ends", SetOptions::new().ttl(HOUR)).await.unwrap();
    store.increment("visits", 41, HOUR).await.unwrap();
    store.namespace("inner").set("k", "v").await.unwrap();
}

/// Jobs in every state that a queue has, on several pages.
async fn fill_queue(store: &Store) {
    let queue = queue(store).await;
    queue.enqueue_many((0..JOBS).map(|it| Job::new(format!("job {it}")))).await.unwrap();
    for delivery in queue.dequeue(7).await.unwrap().iter().enumerate() {
        match delivery {
            (0, it) => it.ack().await.unwrap(),
            (1, it) => it.fail("for good").await.unwrap(),
            (2, it) => {
                it.checkpoint(&"half").await.unwrap();
                it.retry(HOUR).await.unwrap();
            }
            (3, it) => it.snooze(Duration::ZERO).await.unwrap(),
            (4, it) => it.snooze(HOUR).await.unwrap(),
            // Still held.
            _ => {}
        }
    }
    let urgent = Job::new("urgent".to_owned()).priority(0).unique_while_live("live");
    queue.enqueue(urgent).await.unwrap();
    let later = Job::new("later".to_owned()).delay(HOUR).unique_for("window", HOUR);
    queue.enqueue(later).await.unwrap();
    queue.enqueue(Job::new("once".to_owned()).unique("run")).await.unwrap();
    let grouped = |name: &str| Job::new(name.to_owned()).group("example.org");
    queue.enqueue_many([grouped("first"), grouped("second").priority(2)]).await.unwrap();
    queue.enqueue(grouped("third").delay(HOUR)).await.unwrap();
    queue.pause().await.unwrap();
}

/// Everything of a queue, in one order.
#[derive(Debug, Default, PartialEq)]
struct Dump {
    jobs: Vec<JobImage>,
    unique: Vec<UniqueImage>,
    numbers: Vec<Numbers>,
}

async fn dump(store: &Store) -> Dump {
    let QueueSupport::Native(engine) = store.inner().queue_engine() else { panic!() };
    let name = store.reserved_key("queue", "work:%7B1%7D").unwrap();
    engine.open(&name, PARTITIONS).await.unwrap();
    let mut dump = Dump::default();
    for number in 0..PARTITIONS {
        read(&*engine, &Partition { queue: (*name).into(), number }, &mut dump).await;
    }
    dump
}

async fn read(engine: &dyn QueueEngine, partition: &Partition, dump: &mut Dump) {
    let mut at = None;
    let (first_job, first_key) = (dump.jobs.len(), dump.unique.len());
    loop {
        let page =
            engine.export(partition, Export { at, limit: 300, bytes: 1 << 20 }).await.unwrap();
        assert_eq!(page.broken, 0);
        dump.jobs.extend(page.jobs);
        dump.unique.extend(page.unique);
        at = page.next;
        if at.is_none() {
            dump.numbers.push(page.numbers);
            break;
        }
    }
    dump.jobs[first_job..].sort_by_key(|job| job.key);
    dump.unique[first_key..].sort_by(|one, other| one.key.cmp(&other.key));
}

async fn assert_values(store: &Store) {
    for number in [0, 1, 350, 699] {
        assert_eq!(store.get(&format!("page:{number}")).await.unwrap(), Some(number));
    }
    assert_eq!(store.keys("*").await.unwrap().len(), 702);
    assert_eq!(store.counter("visits").await.unwrap(), Some(41));
    assert_eq!(store.namespace("inner").get::<String>("k").await.unwrap().unwrap(), "v");
    let Some(Remaining::Expires(left)) = store.ttl("short").await.unwrap() else { panic!() };
    assert!(left <= HOUR && left > HOUR / 2, "{left:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn memory_a_file_redis_and_a_file_again_hold_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let server = RedisServer::start().unwrap();
    let redis = Config::from_vars([("OC_KV_STORE_URL", server.url())]).unwrap();
    let stores = [
        memory().await,
        file(&folder.path().join("one.db")).await,
        redis.open().await.unwrap(),
        file(&folder.path().join("two.db")).await,
    ];
    fill_values(&stores[0]).await;
    fill_queue(&stores[0]).await;
    let before = dump(&stores[0]).await;
    assert!(before.jobs.len() > 2_500 && before.unique.len() == 3, "{:?}", before.unique);
    for pair in stores.windows(2) {
        let copied = between(&pair[0], &pair[1]).run(|_| {}).await.unwrap();
        assert_eq!((copied.values, copied.left_out, copied.present), (703, 0, 0));
        assert_values(&pair[1]).await;
        assert_eq!(dump(&pair[1]).await, before);
        // Once more, it finds everything there.
        let again = between(&pair[0], &pair[1]).run(|_| {}).await.unwrap();
        assert_eq!((again.jobs, again.present), (0, copied.jobs));
        assert_eq!(dump(&pair[1]).await, before);
    }
    works_on(&stores[3], &before).await;
}

/// The copy is a queue like any other: what was held comes again, and what was done does not.
async fn works_on(store: &Store, before: &Dump) {
    let queue = queue(store).await;
    queue.resume().await.unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.dead, stats.timed, stats.leased, stats.done), (1, 4, 0, 1));
    assert_eq!(stats.ready, before.jobs.len() as u64 - 5);
    let again = queue.enqueue(Job::new("again".to_owned()).unique("run")).await.unwrap();
    assert!(format!("{again:?}").contains("Duplicate"), "{again:?}");
    for delivery in queue.dequeue(3).await.unwrap() {
        delivery.ack().await.unwrap();
    }
    assert_eq!(queue.stats().await.unwrap().done, 4);
}

#[tokio::test]
async fn copies_in_a_process_of_its_own() {
    let (Ok(from), Ok(to)) = (std::env::var(FROM), std::env::var(TO)) else { return };
    let (from, to) = (file(Path::new(&from)).await, file(Path::new(&to)).await);
    ChildTest::say("process", std::process::id());
    let copied = between(&from, &to).run(|so_far| ChildTest::say("at", &so_far.position)).await;
    copied.unwrap();
    ChildTest::say("at", "done");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_copy_that_is_killed_and_made_again_ends_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let from = folder.path().join("from.db");
    let store = file(&from).await;
    fill_values(&store).await;
    fill_queue(&store).await;
    let before = dump(&store).await;
    for (round, parts) in [1, 3, 5, 8, 11].into_iter().enumerate() {
        let to = folder.path().join(format!("to-{round}.db"));
        let position = copy_until_killed(&from, &to, parts);
        let destination = file(&to).await;
        let copy = between(&store, &destination);
        // From where it was, or from the beginning.
        let copy = if round % 2 == 0 { copy.resume_at(Position::new(position)) } else { copy };
        let copied = copy.run(|_| {}).await.unwrap();
        assert_eq!(copied.position.as_str(), "end");
        assert_values(&destination).await;
        assert_eq!(dump(&destination).await, before, "after {parts} parts");
        destination.close().await.unwrap();
    }
}

/// Kills the process when it has told of so many parts; the last position that it told.
fn copy_until_killed(from: &Path, to: &Path, parts: usize) -> String {
    let variables = [(FROM, from.to_str().unwrap()), (TO, to.to_str().unwrap())];
    let mut child = ChildTest::start("copies_in_a_process_of_its_own", &variables).unwrap();
    let _ = child.hear("process").unwrap();
    let told = (0..parts).map(|_| child.hear("at").unwrap()).last().unwrap();
    drop(child);
    assert_ne!(told, "done", "it is killed in the middle");
    told
}

#[tokio::test]
async fn a_destination_with_other_jobs_is_refused_and_stays_as_it_is() {
    let (from, to) = (memory().await, memory().await);
    for (store, body) in [(&from, "ours"), (&to, "theirs")] {
        // So many that each partition has some.
        let jobs = (0..64).map(|_| Job::new(body.to_owned()));
        queue(store).await.enqueue_many(jobs).await.unwrap();
    }
    let (theirs, error) = (dump(&to).await, between(&from, &to).run(|_| {}).await.unwrap_err());
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("expected a partition that is empty"), "{error}");
    assert_eq!(dump(&to).await, theirs);
}

#[tokio::test]
async fn another_number_of_partitions_and_a_strange_position_are_refused() {
    let (from, to) = (memory().await, memory().await);
    drop(queue(&from).await);
    let copy = StoreCopy::between(&**from.inner(), &**to.inner()).queue("work:{1}", 3);
    assert_eq!(copy.run(|_| {}).await.unwrap_err().kind(), ErrorKind::Config);
    let copy = between(&from, &to).resume_at(Position::new("jobs 7 0"));
    assert_eq!(copy.run(|_| {}).await.unwrap_err().kind(), ErrorKind::Config);
}

#[tokio::test]
async fn a_value_beyond_the_limit_of_the_destination_is_told_with_its_key() {
    let folder = tempfile::tempdir().unwrap();
    let (from, to) = (memory().await, file(&folder.path().join("to.db")).await);
    let large = Bytes::from(vec![7; 17 << 20]);
    from.inner().set("large", large, Write::ALWAYS).await.unwrap();
    let error = StoreCopy::between(&**from.inner(), &**to.inner()).run(|_| {}).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("large"), "{error}");
    assert!(from.inner().delete("large", Condition::Always).await.unwrap(), "nothing is removed");
    from.set_if_absent("k", &1, Expiry::Never).await.unwrap();
}
