//! Schedules, and jobs at a date, on every engine.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_queue::{Cron, Job, JobId, Misfire, Overlap, Queue};

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

/// Goes on to the next full hour. Returns how many jobs were enqueued, and due times skipped.
async fn next_hour(bench: &Bench, queue: &Queue<u32>) -> (u64, u64) {
    to_next_hour(bench).await;
    let fired = queue.schedules().fire_due().await.unwrap();
    (fired.fired, fired.skipped)
}

pub(crate) async fn a_firing_is_skipped_while_the_last_job_waits_or_runs(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    let job = Job::new(7).group("g");
    queue.schedule("hourly", hourly(), job).overlap(Overlap::Skip).await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (1, 0));
    assert_eq!(next_hour(bench, &queue).await, (0, 1), "it waits for a claim");
    let held = queue.dequeue(9).await.unwrap();
    held[0].extend(4 * HOUR).await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (0, 1), "it runs");
    held[0].retry(2 * HOUR).await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (0, 1), "it waits for another try");
    bench.advance(2 * HOUR);
    assert_eq!(queue.schedules().fire_due().await.unwrap().fired, 0);
    let held = queue.dequeue(9).await.unwrap();
    assert_eq!(held.len(), 1, "there is one job");
    held[0].fail("broken").await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (1, 0), "a dead letter has ended");
    queue.dequeue(1).await.unwrap()[0].ack().await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (1, 0), "a done job has ended");
    queue.clear().await.unwrap();
    queue.schedules().run_now("hourly").await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (0, 1), "a job that was asked for counts");
}

pub(crate) async fn a_firing_waits_for_the_end_of_the_last_job(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    queue.schedule("hourly", hourly(), 7).overlap(Overlap::Wait).await.unwrap();
    assert_eq!(next_hour(bench, &queue).await, (1, 0));
    for _ in 0..3 {
        assert_eq!(next_hour(bench, &queue).await, (0, 0));
    }
    let waits = queue.schedules().fire_due().await.unwrap();
    assert_eq!(waits.next, Some(5 * SECOND), "it asks again soon");
    queue.dequeue(1).await.unwrap()[0].ack().await.unwrap();
    bench.advance(5 * SECOND);
    assert_eq!(queue.schedules().fire_due().await.unwrap().fired, 1, "one for all that passed");
    assert_eq!((queue.schedules().fire_due().await.unwrap().fired, size(&queue).await), (0, 1));
    let each = Misfire::CatchUp { within: 9 * HOUR };
    let schedule = queue.schedule("hourly", hourly(), 7).overlap(Overlap::Wait);
    assert_eq!(schedule.misfire(each).await.unwrap().overlap, Overlap::Wait);
    for _ in 0..2 {
        assert_eq!(next_hour(bench, &queue).await, (0, 0));
    }
    for _ in 0..2 {
        queue.dequeue(1).await.unwrap()[0].ack().await.unwrap();
        let fired = queue.schedules().fire_due().await.unwrap().fired;
        assert_eq!((fired, size(&queue).await), (1, 1), "one after another");
    }
}

async fn size(queue: &Queue<u32>) -> usize {
    usize::try_from(queue.size().await.unwrap()).unwrap()
}

pub(crate) async fn schedulers_beside_an_ending_job_enqueue_no_two(bench: &Bench) {
    let queue: Queue<u32> = bench.queue().await;
    queue.schedule("hourly", hourly(), 7).overlap(Overlap::Skip).await.unwrap();
    let mut others = Vec::new();
    for _ in 0..6 {
        others.push(bench.queue::<u32>().await.schedules());
    }
    assert_eq!(next_hour(bench, &queue).await, (1, 0));
    for _ in 0..5 {
        let held = queue.dequeue(9).await.unwrap();
        assert!(held.len() <= 1, "{} jobs of one schedule at once", held.len());
        to_next_hour(bench).await;
        let fire = futures_util::future::join_all(others.iter().map(|it| it.fire_due()));
        let end = async {
            for delivery in &held {
                // Its lease may have ended.
                let _ = delivery.ack().await;
            }
        };
        let (fired, ()) = futures_util::future::join(fire, end).await;
        assert!(fired.into_iter().all(|fired| fired.is_ok()));
        let last: Vec<JobId> = history(&queue).await;
        let running = queue.size().await.unwrap();
        assert!(running <= 1 && !last.is_empty(), "{running} jobs of one schedule at once");
    }
}

/// The jobs of the firings that are remembered.
async fn history(queue: &Queue<u32>) -> Vec<JobId> {
    let info = queue.schedules().get("hourly").await.unwrap().unwrap();
    info.history.iter().filter_map(|firing| firing.job).collect()
}
