//! Schedules, and jobs at a date, on every engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_queue::{Cron, Job, Queue};

use crate::bench::Bench;

const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(3_600);

fn hourly() -> Cron {
    Cron::new("@hourly", "UTC").unwrap()
}

/// The store's time.
async fn now(bench: &Bench) -> SystemTime {
    UNIX_EPOCH + bench.store.inner().now().await.unwrap()
}

/// Goes on to a second after the next full hour.
async fn to_next_hour(bench: &Bench) {
    let next = hourly().next_after(now(bench).await).unwrap();
    bench.advance(next.duration_since(now(bench).await).unwrap() + SECOND);
}

pub(crate) async fn a_job_at_a_date_comes_then_by_the_stores_clock(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    let date = now(bench).await + HOUR;
    queue.enqueue(Job::new(1).run_at(date)).await.unwrap();
    queue.enqueue_many([Job::new(2).run_at(date), Job::new(3).run_at(UNIX_EPOCH)]).await.unwrap();
    let past = queue.dequeue(9).await.unwrap();
    assert_eq!(past.iter().map(|it| *it.payload()).collect::<Vec<_>>(), [3]);
    past[0].ack().await.unwrap();
    bench.advance(HOUR - SECOND);
    assert!(queue.dequeue(9).await.unwrap().is_empty());
    bench.advance(SECOND);
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 2);
}

pub(crate) async fn a_due_schedule_fires_once_and_says_when_the_next_is(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    let made = queue.schedule("hourly", hourly(), Job::new(7).priority(3)).await.unwrap();
    assert_eq!(made.next, hourly().next_after(now(bench).await));
    let schedules = queue.schedules();
    assert_eq!(schedules.fire_due().await.unwrap().fired, 0);
    to_next_hour(bench).await;
    let (fired, due) = (schedules.fire_due().await.unwrap(), made.next.unwrap());
    assert_eq!((fired.fired, fired.next), (1, Some(HOUR - SECOND)));
    assert_eq!(schedules.fire_due().await.unwrap().fired, 0);
    let jobs = queue.dequeue(9).await.unwrap();
    assert_eq!(jobs.iter().map(|it| *it.payload()).collect::<Vec<_>>(), [7]);
    let info = schedules.get("hourly").await.unwrap().unwrap();
    assert_eq!((info.next, info.history.len()), (Some(due + HOUR), 1));
    assert_eq!((info.history[0].due, info.history[0].job), (Some(due), Some(jobs[0].id())));
}

pub(crate) async fn schedulers_side_by_side_fire_a_due_time_once(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    queue.schedule("hourly", hourly(), 7).await.unwrap();
    to_next_hour(bench).await;
    let mut others = Vec::new();
    for _ in 0..8 {
        others.push(bench.queue::<u32>().await.schedules());
    }
    let fired = futures_util::future::join_all(others.iter().map(|it| it.fire_due())).await;
    let fired: u64 = fired.into_iter().map(|fired| fired.unwrap().fired).sum();
    assert_eq!((fired, queue.size().await.unwrap()), (1, 1));
}

pub(crate) async fn a_schedule_is_paused_resumed_run_and_removed(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    let schedules = queue.schedules();
    assert!(!schedules.pause("hourly").await.unwrap(), "there is none");
    assert_eq!(schedules.run_now("hourly").await.unwrap(), None);
    queue.schedule("hourly", hourly(), 7).await.unwrap();
    assert!(schedules.pause("hourly").await.unwrap());
    to_next_hour(bench).await;
    assert_eq!(schedules.fire_due().await.unwrap().fired, 0);
    assert!(schedules.run_now("hourly").await.unwrap().is_some(), "paused or not");
    assert!(schedules.resume("hourly").await.unwrap());
    assert_eq!(schedules.fire_due().await.unwrap().fired, 0, "nothing is made up for");
    to_next_hour(bench).await;
    assert_eq!(schedules.fire_due().await.unwrap().fired, 1);
    assert!(
        schedules.remove("hourly").await.unwrap() && !schedules.remove("hourly").await.unwrap()
    );
    to_next_hour(bench).await;
    assert_eq!(schedules.fire_due().await.unwrap().fired, 0);
    assert_eq!((schedules.list().await.unwrap(), queue.size().await.unwrap()), (vec![], 2));
}
