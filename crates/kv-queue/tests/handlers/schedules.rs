//! Schedules.

mod kills;
mod stepwise;

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::{ErrorKind, KeyValueStore, Write};
use kv_queue::{CancellationToken, Cron, Job, Misfire, Queue};
use tokio::time::{Instant, sleep};

use crate::bench::Bench;
use crate::watched::Watched;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn hourly() -> Cron {
    Cron::new("@hourly", "UTC").unwrap()
}

/// The store's time.
async fn now(bench: &Bench) -> SystemTime {
    UNIX_EPOCH + bench.store.inner().now().await.unwrap()
}

#[tokio::test]
async fn the_same_schedule_said_again_changes_nothing_and_another_replaces_it() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    let first = queue.schedule("report", hourly(), 7).await.unwrap();
    queue.schedules().pause("report").await.unwrap();
    bench.advance(HOUR * 3);
    let again = queue.schedule("report", hourly(), 7).await.unwrap();
    assert!(again.is_paused && first.cron == again.cron);
    queue.schedules().resume("report").await.unwrap();
    let daily = Cron::new("@daily", "Asia/Kolkata").unwrap();
    let other = queue.schedule("report", daily.clone(), 7).misfire(Misfire::Skip).await.unwrap();
    assert_eq!(other.next, daily.next_after(now(&bench).await));
    let listed = queue.schedules().list().await.unwrap();
    assert_eq!((listed.len(), listed[0].misfire), (1, Misfire::Skip));
}

#[tokio::test]
async fn a_schedule_that_cannot_be_is_refused_and_the_error_names_it() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    let unique = Job::new(1).unique("own");
    for (name, job, kind) in [
        ("", Job::new(1), ErrorKind::InvalidKey),
        ("a\nb", Job::new(1), ErrorKind::InvalidKey),
        ("unique", unique, ErrorKind::Config),
        ("dated", Job::new(1).run_at(UNIX_EPOCH), ErrorKind::Config),
        ("urgent", Job::new(1).priority(16), ErrorKind::TooLarge),
        ("dead", Job::new(1).time_to_live(Duration::ZERO), ErrorKind::InvalidTtl),
    ] {
        let error = queue.schedule(name, hourly(), job).await.unwrap_err();
        assert_eq!((error.kind(), error.failed_key()), (kind, Some(name)));
    }
    assert!(queue.schedules().list().await.unwrap().is_empty());
}

#[tokio::test]
async fn queues_and_namespaces_have_their_own_schedules() {
    let bench = Bench::memory();
    let (one, other) = (bench.store.clone(), bench.store.namespace("other"));
    let mut queues = Vec::new();
    for (store, name) in [(&one, "a"), (&one, "a:b"), (&other, "a")] {
        let queue = Queue::<u32>::open(store, name).await.unwrap();
        queue.schedule("b:hourly", hourly(), 7).await.unwrap();
        queues.push(queue);
    }
    assert!(bench.store.keys("*").await.unwrap().is_empty(), "programs see none");
    queues[0].schedules().remove("b:hourly").await.unwrap();
    queues[2].delete().await.unwrap();
    let left = Queue::<u32>::open(&other, "a").await.unwrap().schedules();
    assert!(left.list().await.unwrap().is_empty(), "deleted with the queue");
    assert_eq!(queues[1].schedules().list().await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_schedule_that_cannot_be_read_harms_no_other_and_can_be_removed() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    for name in ["broken", "sound"] {
        queue.schedule(name, hourly(), 7).await.unwrap();
    }
    let key = bench.store.reserved_key("queue-schedule", "5:bench:broken").unwrap();
    let stored = bench.store.inner().set(&key, "of a later version".into(), Write::ALWAYS).await;
    assert!(stored.unwrap().is_written());
    bench.advance(HOUR);
    let schedules = queue.schedules();
    assert_eq!(schedules.fire_due().await.unwrap().fired, 1);
    let listed = schedules.list().await.unwrap();
    assert_eq!(listed.iter().map(|it| &*it.name).collect::<Vec<_>>(), ["sound"]);
    let error = schedules.get("broken").await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Serialization);
    assert!(schedules.remove("broken").await.unwrap());
    assert_eq!(schedules.get("broken").await.unwrap(), None);
}

#[tokio::test]
async fn a_queue_has_no_more_than_a_thousand_schedules() {
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    for n in 0..1_000_u32 {
        queue.schedule(n.to_string(), hourly(), n).await.unwrap();
    }
    let error = queue.schedule("more", hourly(), 1).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Backpressure);
    queue.schedules().remove("7").await.unwrap();
    queue.schedule("more", hourly(), 1).await.unwrap();
    bench.advance(HOUR);
    assert_eq!(queue.schedules().fire_due().await.unwrap().fired, 1_000);
}

#[tokio::test(start_paused = true)]
async fn a_running_scheduler_fires_exactly_then_and_sees_what_is_new() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let stop = CancellationToken::new();
    let run = tokio::spawn(queue.schedules().scheduler().stop_on(stop.clone()).run());
    sleep(SECOND * 7).await;
    let minutely = Cron::new("* * * * *", "UTC").unwrap();
    let made = queue.schedule("minutely", minutely, 7).await.unwrap();
    let due = made.next.unwrap().duration_since(UNIX_EPOCH).unwrap();
    let left = due - watched.now().await.unwrap();
    let begun = Instant::now();
    while queue.size().await.unwrap() == 0 {
        sleep(Duration::from_millis(10)).await;
    }
    let late = begun.elapsed() - left;
    assert!(late <= Duration::from_millis(20), "{late:?} late");
    sleep(SECOND * 240).await;
    assert_eq!(queue.size().await.unwrap(), 5);
    stop.cancel();
    run.await.unwrap().unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_scheduler_goes_on_after_an_outage_and_ends_with_its_queue() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    queue.schedule("minutely", Cron::new("* * * * *", "UTC").unwrap(), 7).await.unwrap();
    let run = tokio::spawn(queue.schedules().scheduler().run());
    sleep(SECOND).await;
    watched.refuse_submits(Some(ErrorKind::Connection));
    sleep(SECOND * 150).await;
    watched.refuse_submits(None);
    sleep(SECOND * 25).await;
    assert_eq!(queue.size().await.unwrap(), 1, "one for all that were missed");
    sleep(SECOND * 10).await;
    assert_eq!(queue.size().await.unwrap(), 2);
    queue.close().await.unwrap();
    let error = run.await.unwrap().unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Closed);
}
