//! What partitions that hang, are paused or have a backlog leave to the others.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use kv_queue::{CancellationToken, Job, Worker};
use tokio::time::{Instant, sleep};

use crate::idle::Idle;
use crate::watched::Watched;

const SECOND: Duration = Duration::from_secs(1);

/// How long after its time a due job begins at most.
const PROMPT: Duration = Duration::from_millis(50);

/// The partition that a job is in.
fn partition(id: kv_queue::JobId) -> u32 {
    id.to_string().split_once('-').unwrap().0.parse().unwrap()
}

#[tokio::test(start_paused = true)]
async fn a_due_job_begins_at_its_time_while_other_partitions_hang() {
    for (hung, partitions) in [(1, 24), (8, 24), (17, 24), (22, 64)] {
        let watched = Watched::new();
        let queue = watched.queue(partitions).await;
        let mut idle = Idle::start(&queue);
        sleep(SECOND).await;
        let due = Instant::now() + SECOND * 17;
        let mut healthy = 0;
        for number in 0..partitions {
            let id = queue.enqueue(Job::new(number).delay(SECOND * 17)).await.unwrap().id();
            healthy += usize::from(partition(id) >= hung);
        }
        (0..hung).for_each(|number| watched.hold(number));
        for _ in 0..healthy {
            let (_, at) = idle.next().await;
            let late = at.duration_since(due);
            assert!(late <= PROMPT, "{late:?} late with {hung} of {partitions} hung");
        }
        watched.release();
        idle.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_job_begins_promptly_while_other_partitions_hang_now_and_then() {
    let watched = Watched::new();
    let queue = watched.queue(24).await;
    let mut idle = Idle::start(&queue);
    for round in 0..40 {
        sleep(SECOND).await;
        match round % 2 {
            0 => (0..17).for_each(|number| watched.hold(number)),
            _ => watched.release(),
        }
        let mut jobs = Vec::new();
        for number in 0..24 {
            let delay = Duration::from_millis(40 * u64::from(number));
            let id = queue.enqueue(Job::new(number).delay(delay)).await.unwrap().id();
            jobs.extend((partition(id) >= 17).then_some((number, Instant::now() + delay)));
        }
        while !jobs.is_empty() {
            let (number, at) = idle.next().await;
            let Some(job) = jobs.iter().position(|(job, _)| *job == number) else { continue };
            let late = at.saturating_duration_since(jobs.remove(job).1);
            assert!(late <= PROMPT * 2, "{late:?} late in round {round}");
        }
    }
    watched.release();
    idle.stop().await;
}

#[tokio::test(start_paused = true)]
async fn a_worker_on_a_paused_queue_with_an_overdue_job_does_not_spin() {
    for partitions in [1, 8] {
        let watched = Watched::new();
        let queue = watched.queue(partitions).await;
        let mut idle = Idle::start(&queue);
        sleep(SECOND).await;
        queue.pause().await.unwrap();
        queue.enqueue(Job::new(7).delay(SECOND)).await.unwrap();
        sleep(SECOND * 5).await;
        watched.take_calls();
        sleep(SECOND * 100).await;
        let calls = watched.take_calls().len();
        assert!(calls <= 100, "{calls} calls in 100 s");
        let before = Instant::now();
        queue.resume().await.unwrap();
        let (_, at) = idle.next().await;
        assert!(at.duration_since(before) <= SECOND * 3, "it runs after the pause");
        idle.stop().await;
    }
}

#[tokio::test(start_paused = true)]
async fn many_urgent_jobs_that_are_due_come_before_a_backlog() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let (urgent, delay) = (2_000, SECOND);
    let due = Instant::now() + delay;
    queue.enqueue_many((0..20_000).map(|_| Job::new(0).priority(15))).await.unwrap();
    let jobs = (0..urgent).map(|_| Job::new(1).priority(0).delay(delay));
    queue.enqueue_many(jobs).await.unwrap();
    let (stop, [backlog, done]) =
        (CancellationToken::new(), [(); 2].map(|()| Arc::new(AtomicUsize::new(0))));
    let worker = Worker::new(queue).concurrency(16).stop_on(stop.clone());
    let (behind, first) = (Arc::clone(&backlog), Arc::clone(&done));
    let run = tokio::spawn(worker.run(move |delivery| {
        let is_urgent = *delivery.payload() == 1;
        let is_behind = Instant::now() > due && first.load(SeqCst) < urgent && !is_urgent;
        behind.fetch_add(usize::from(is_behind), SeqCst);
        first.fetch_add(usize::from(is_urgent), SeqCst);
        async {
            sleep(Duration::from_millis(1)).await;
            Ok::<(), String>(())
        }
    }));
    sleep(delay + SECOND).await;
    let counts = (done.load(SeqCst), backlog.load(SeqCst));
    assert!(counts.0 == urgent && counts.1 <= 320, "{counts:?} within a second");
    stop.cancel();
    run.await.unwrap().unwrap();
}
