//! Groups: turns, limits, pauses, as producers, workers and operators meet them.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::{Clock, ErrorKind};
use kv_queue::{Delivery, GroupBlock, GroupLimit, Job, Queue, Worker};
use tokio::time::Instant;

use crate::bench::Bench;

const SECOND: Duration = Duration::from_secs(1);

type Done = Result<(), String>;

fn of(group: &str, payload: u32) -> Job<u32> {
    Job::new(payload).group(group)
}

async fn limited(bench: &Bench, limit: GroupLimit) -> Queue<u32> {
    bench.builder().partitions(2).group_limit(limit).open(&bench.store).await.unwrap()
}

/// The groups of the next deliveries, in their order.
async fn groups(queue: &Queue<u32>, n: usize) -> Vec<String> {
    let deliveries = queue.dequeue(n).await.unwrap();
    deliveries.iter().map(|it| it.group().unwrap_or_default().to_owned()).collect()
}

async fn one(queue: &Queue<u32>) -> Delivery<u32> {
    queue.dequeue(1).await.unwrap().pop().unwrap()
}

pub(crate) async fn groups_take_turns_and_a_job_without_one_too(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many((0..50).map(|page| of("big", page))).await.unwrap();
    queue.enqueue_many(["b", "c"].map(|small| of(small, 0))).await.unwrap();
    queue.enqueue_many([1, 2]).await.unwrap();
    let mut first = groups(&queue, 4).await;
    first.sort();
    assert_eq!(first, ["", "b", "big", "c"]);
    assert_eq!(groups(&queue, 3).await.iter().filter(|group| *group == "big").count(), 2);
}

pub(crate) async fn a_concurrency_holds_over_all_handles_and_after_whatever_ends_a_lease(
    bench: &Bench,
) {
    let limit = GroupLimit::new().concurrency(2);
    let (one, other) = (limited(bench, limit).await, limited(bench, limit).await);
    one.enqueue_many((0..9).map(|page| of("a", page))).await.unwrap();
    let held = one.dequeue(1).await.unwrap();
    assert_eq!(other.dequeue(9).await.unwrap().len(), 1);
    assert!(one.dequeue(9).await.unwrap().is_empty());
    held[0].ack().await.unwrap();
    let held = other.dequeue(9).await.unwrap();
    assert_eq!(held.len(), 1);
    held[0].retry(Duration::ZERO).await.unwrap();
    assert_eq!(one.dequeue(9).await.unwrap().len(), 1);
    bench.advance(Duration::from_secs(31));
    assert_eq!(other.dequeue(9).await.unwrap().len(), 2, "leases of the dead have ended");
}

pub(crate) async fn a_rate_spaces_the_starts_by_the_stores_clock(bench: &Bench) {
    let queue = limited(bench, GroupLimit::new().rate(2, SECOND)).await;
    queue.enqueue_many((0..4).map(|page| of("a", page))).await.unwrap();
    queue.enqueue(of("b", 9)).await.unwrap();
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 2);
    bench.advance(SECOND / 2 - Duration::from_millis(1));
    assert!(groups(&queue, 9).await.is_empty());
    bench.advance(Duration::from_millis(1));
    assert_eq!(groups(&queue, 9).await, ["a"]);
    bench.advance(5 * SECOND);
    assert_eq!(groups(&queue, 9).await, ["a"], "no starts are saved up");
}

pub(crate) async fn limited_pauses_the_group_and_charges_nothing(bench: &Bench) {
    let queue = bench.builder().max_deliveries(2).open(&bench.store).await.unwrap();
    queue.enqueue_many((0..3).map(|page| of("a", page))).await.unwrap();
    queue.enqueue(of("b", 9)).await.unwrap();
    for _ in 0..4 {
        let delivery = one(&queue).await;
        assert_eq!((*delivery.payload(), delivery.attempt(), delivery.delivery()), (0, 1, 1));
        delivery.limited(30 * SECOND).await.unwrap();
        let error = delivery.ack().await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict, "{error}");
        groups(&queue, 9).await.iter().for_each(|group| assert_eq!(group, "b"));
        bench.advance(30 * SECOND);
    }
}

pub(crate) async fn an_operator_sees_limits_and_pauses_groups(bench: &Bench) {
    let queue = limited(bench, GroupLimit::new().concurrency(1)).await;
    queue.enqueue_many(["a", "a", "b", "b", "b"].map(|group| of(group, 0))).await.unwrap();
    assert!(queue.pause_group("b", 60 * SECOND).await.unwrap());
    assert_eq!(groups(&queue, 9).await, ["a"]);
    let seen = queue.groups().await.unwrap();
    let seen: Vec<_> =
        seen.iter().map(|it| (&*it.name, it.waiting, it.running, it.block)).collect();
    let paused = Some(GroupBlock::Paused(60 * SECOND));
    assert_eq!(seen, [("a", 1, 1, Some(GroupBlock::Concurrency)), ("b", 3, 0, paused)]);
    assert!(queue.resume_group("b").await.unwrap() && !queue.resume_group("b").await.unwrap());
    let three = GroupLimit::new().concurrency(3);
    assert!(queue.limit_group("b", Some(three)).await.unwrap());
    assert_eq!(groups(&queue, 9).await, ["b", "b", "b"]);
    assert!(queue.limit_group("b", None).await.unwrap());
    let refused = queue.limit_group("b", Some(GroupLimit::new().concurrency(0))).await;
    assert_eq!(refused.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(queue.pause_group("", SECOND).await.unwrap_err().kind(), ErrorKind::InvalidKey);
}

pub(crate) async fn no_more_groups_are_shown_than_asked_for(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(4).open(&bench.store).await.unwrap();
    let jobs = (0..100).map(|n| Job::new(n).group(format!("host-{n:02}")));
    queue.enqueue_many(jobs).await.unwrap();
    for limit in [0, 1, 7, 100, 1_000] {
        let seen = queue.some_groups(limit).await.unwrap();
        assert_eq!(seen.len(), limit.min(100), "of {limit}");
        assert!(seen.is_sorted_by(|one, other| one.name < other.name), "each once, by name");
    }
    assert_eq!(queue.some_groups(1_000).await.unwrap(), queue.groups().await.unwrap());
}

pub(crate) async fn a_unique_key_is_unique_within_its_group(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let unique = |job: Job<u32>| job.unique("index");
    assert!(!queue.enqueue(unique(of("a", 1))).await.unwrap().is_duplicate());
    assert!(!queue.enqueue(unique(of("b", 2))).await.unwrap().is_duplicate());
    assert!(!queue.enqueue(unique(Job::new(3))).await.unwrap().is_duplicate());
    assert!(queue.enqueue(unique(of("a", 4))).await.unwrap().is_duplicate());
    let refused = queue.enqueue(of("a\n", 5)).await.unwrap_err();
    assert_eq!(refused.kind(), ErrorKind::InvalidKey);
}

/// How many jobs of each group run, and the most that ever did.
#[derive(Clone, Default)]
struct Running(Arc<Mutex<BTreeMap<String, (usize, usize)>>>);

impl Running {
    fn change(&self, group: &str, change: impl FnOnce(&mut (usize, usize))) {
        change(self.0.lock().unwrap().entry(group.to_owned()).or_default());
    }

    async fn run(self, delivery: Delivery<u32>) -> Done {
        let group = delivery.group().unwrap_or_default().to_owned();
        self.change(&group, |(now, most)| {
            *now += 1;
            *most = (*now).max(*most);
        });
        for _ in 0..3 {
            tokio::task::yield_now().await;
        }
        self.change(&group, |(now, _)| *now -= 1);
        Ok(())
    }
}

pub(crate) async fn several_workers_never_run_more_of_a_group_than_its_limit(bench: &Bench) {
    let limit = GroupLimit::new().concurrency(2);
    let queue = limited(bench, limit).await;
    let job = |page: u32| of(&format!("group {}", page % 5), page);
    queue.enqueue_many((0..100).map(job)).await.unwrap();
    let (running, mut workers) = (Running::default(), Vec::new());
    for _ in 0..4 {
        let worker = Worker::new(limited(bench, limit).await).concurrency(8).until_drained();
        let running = running.clone();
        let run = move |delivery| running.clone().run(delivery);
        workers.push(tokio::spawn(worker.run(run)));
    }
    let mut done = 0;
    for worker in workers {
        done += worker.await.unwrap().unwrap().done;
    }
    assert_eq!(done, 100);
    for (group, (now, most)) in running.0.lock().unwrap().iter() {
        assert!(*now == 0 && *most <= 2, "{group}: {most} at a time");
    }
}

#[tokio::test]
async fn every_group_starts_within_two_rounds_beside_one_with_nearly_all_jobs() {
    let bench = Bench::memory();
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many((0..99_000).map(|page| of("big", page))).await.unwrap();
    queue.enqueue_many((1..1_000).map(|host| of(&format!("host {host}"), host))).await.unwrap();
    let mut started = std::collections::BTreeSet::new();
    for _ in 0..20 {
        started.extend(groups(&queue, 100).await);
    }
    assert_eq!(started.len(), 1_000, "after two rounds");
}

/// The date is the time of the runtime, which a paused test moves.
#[derive(Debug)]
struct RuntimeClock(Instant);

impl Clock for RuntimeClock {
    fn now(&self) -> Duration {
        self.0.elapsed()
    }

    fn wall(&self) -> Duration {
        Duration::from_secs(1_700_000_000) + self.now()
    }
}

#[tokio::test(start_paused = true)]
async fn a_worker_starts_jobs_as_soon_as_their_groups_rate_allows_and_no_sooner() {
    let clock = RuntimeClock(Instant::now());
    let store = kv_core::Store::new(kv_memory::MemoryStore::builder().clock(clock).build());
    let limit = GroupLimit::new().rate(5, SECOND);
    let queue = Queue::<u32>::builder("polite").group_limit(limit).open(&store).await.unwrap();
    let jobs = (0..20).map(|page| of(if page % 2 == 0 { "a" } else { "b" }, page));
    queue.enqueue_many(jobs).await.unwrap();
    let starts: Arc<Mutex<BTreeMap<String, Vec<Instant>>>> = Arc::default();
    let seen = Arc::clone(&starts);
    let worker = Worker::new(queue).concurrency(8).until_drained();
    let run = worker.run(move |delivery: Delivery<u32>| {
        let group = delivery.group().unwrap_or_default().to_owned();
        seen.lock().unwrap().entry(group).or_default().push(Instant::now());
        async { Done::Ok(()) }
    });
    assert_eq!(run.await.unwrap().done, 20);
    for (group, starts) in starts.lock().unwrap().iter() {
        for (index, pair) in starts.windows(2).enumerate() {
            let apart = (pair[1] - pair[0]).as_millis();
            assert!((200..=250).contains(&apart), "{group}, start {index}: {apart} ms");
        }
    }
}
