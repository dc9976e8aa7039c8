//! What producers, consumers and operators are promised.

use std::future::Future;
use std::pin::pin;
use std::task::{Context, Waker};
use std::time::Duration;

use kv_core::{Error, ErrorKind};
use kv_queue::{Delivery, Job, Queue, RetryPolicy, Undecodable};
use serde::de::DeserializeOwned;

use crate::bench::Bench;

const SECOND: Duration = Duration::from_secs(1);
const LEASE: Duration = Duration::from_secs(30);

async fn one<T: DeserializeOwned>(queue: &Queue<T>) -> Delivery<T> {
    queue.dequeue(1).await.unwrap().pop().unwrap()
}

async fn payloads(queue: &Queue<u32>, n: usize) -> Vec<u32> {
    queue.dequeue(n).await.unwrap().iter().map(|delivery| *delivery.payload()).collect()
}

fn is_conflict<T>(outcome: Result<T, Error>) -> bool {
    outcome.is_err_and(|error| error.kind() == ErrorKind::Conflict)
}

pub(crate) async fn jobs_come_by_priority_and_then_in_order(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let priorities = [(1, 8), (2, 15), (3, 0), (4, 8), (5, 0)];
    for (payload, priority) in priorities {
        queue.enqueue(Job::new(payload).priority(priority)).await.unwrap();
    }
    assert_eq!(payloads(&queue, 3).await, [3, 5, 1]);
    assert_eq!(payloads(&queue, 9).await, [4, 2]);
    assert!(queue.enqueue(Job::new(6).priority(16)).await.is_err());
}

pub(crate) async fn a_job_that_is_acked_is_gone(bench: &Bench) {
    let queue = bench.queue::<String>().await;
    let id = queue.enqueue("a".to_owned()).await.unwrap().id();
    let delivery = one(&queue).await;
    assert_eq!((delivery.id(), delivery.payload().as_str()), (id, "a"));
    assert_eq!((delivery.attempt(), delivery.delivery()), (1, 1));
    delivery.ack().await.unwrap();
    assert!(is_conflict(delivery.ack().await), "a second ack finds no lease");
    bench.advance(LEASE * 2);
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    assert_eq!(queue.stats().await.unwrap().done, 1);
}

pub(crate) async fn a_delayed_job_comes_when_it_is_due(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(Job::new(1).delay(SECOND)).await.unwrap();
    queue.enqueue(2).await.unwrap();
    assert_eq!(payloads(&queue, 9).await, [2]);
    bench.advance(SECOND - Duration::from_millis(1));
    assert!(payloads(&queue, 9).await.is_empty());
    bench.advance(Duration::from_millis(1));
    assert_eq!(payloads(&queue, 9).await, [1]);
}

pub(crate) async fn a_lease_that_ends_brings_the_job_back_and_fences_the_old_holder(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    let first = one(&queue).await;
    bench.advance(LEASE - Duration::from_millis(1));
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    bench.advance(Duration::from_millis(2));
    let second = one(&queue).await;
    assert_eq!((second.attempt(), second.delivery()), (2, 2));
    assert!(second.token() > first.token());
    assert!(is_conflict(first.ack().await) && is_conflict(first.retry(SECOND).await));
    assert!(is_conflict(first.extend(LEASE).await) && is_conflict(first.fail("no").await));
    second.ack().await.unwrap();
    assert!(queue.drained().await.unwrap());
}

pub(crate) async fn an_extended_lease_keeps_the_job(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    let delivery = one(&queue).await;
    bench.advance(LEASE - SECOND);
    delivery.extend(LEASE).await.unwrap();
    bench.advance(LEASE - SECOND);
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    delivery.ack().await.unwrap();
}

pub(crate) async fn a_retry_waits_and_the_budget_of_failures_buries(bench: &Bench) {
    let queue = bench.builder::<u32>().max_failures(2).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    one(&queue).await.retry(SECOND).await.unwrap();
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    bench.advance(SECOND);
    let again = one(&queue).await;
    assert_eq!(again.attempt(), 2);
    again.retry(SECOND).await.unwrap();
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.dead, stats.outstanding()), (1, 0));
}

pub(crate) async fn crashes_have_a_budget_of_their_own(bench: &Bench) {
    let queue = bench.builder::<u32>().max_crashes(2).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    for crash in 1..=2 {
        assert_eq!(one(&queue).await.attempt(), crash);
        bench.advance(LEASE + SECOND);
    }
    assert!(queue.dequeue(1).await.unwrap().is_empty());
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!((letters.len(), letters[0].crashes, letters[0].failures), (1, 2, 0));
}

pub(crate) async fn a_snooze_charges_no_attempt(bench: &Bench) {
    let queue = bench.builder::<u32>().max_failures(1).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    for delivery in 1..=5 {
        let snoozed = one(&queue).await;
        assert_eq!((snoozed.attempt(), snoozed.delivery()), (1, delivery));
        snoozed.snooze(SECOND).await.unwrap();
        assert!(queue.dequeue(1).await.unwrap().is_empty());
        bench.advance(SECOND);
    }
}

pub(crate) async fn a_failed_job_is_kept_with_its_bytes_and_can_be_redriven(bench: &Bench) {
    let queue = bench.queue::<String>().await;
    let id = queue.enqueue("payload".to_owned()).await.unwrap().id();
    one(&queue).await.fail("no such page").await.unwrap();
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!((letters.len(), letters[0].id), (1, id));
    assert_eq!((&*letters[0].payload, &*letters[0].reason), (&b"\"payload\""[..], "no such page"));
    assert!(queue.drained().await.unwrap(), "a dead letter is not outstanding");
    assert_eq!(queue.redrive_jobs(&[id]).await.unwrap(), 1);
    let again = one(&queue).await;
    assert_eq!((again.id(), again.attempt()), (id, 1));
    again.fail("still").await.unwrap();
    assert_eq!(queue.redrive(9).await.unwrap(), 1);
}

pub(crate) async fn a_unique_key_holds_for_the_life_of_the_run(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let job = || Job::new(7).unique("url");
    let first = queue.enqueue(job()).await.unwrap();
    assert!(!first.is_duplicate());
    let both = queue.enqueue_many([job(), Job::new(8).unique("b"), job()]).await.unwrap();
    assert_eq!((both.added, both.duplicates), (1, 2));
    for delivery in queue.dequeue(9).await.unwrap() {
        delivery.ack().await.unwrap();
    }
    bench.advance(SECOND * 86_400 * 365);
    let again = queue.enqueue(job()).await.unwrap();
    assert!(again.is_duplicate() && again.id() == first.id());
    queue.clear().await.unwrap();
    assert!(!queue.enqueue(job()).await.unwrap().is_duplicate());
}

pub(crate) async fn a_unique_key_of_a_live_job_is_free_when_it_is_done(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let job = || Job::new(7).unique_while_live("url");
    queue.enqueue(job()).await.unwrap();
    let delivery = one(&queue).await;
    assert!(queue.enqueue(job()).await.unwrap().is_duplicate());
    delivery.fail("dead letters keep it").await.unwrap();
    assert!(queue.enqueue(job()).await.unwrap().is_duplicate());
    queue.redrive(1).await.unwrap();
    one(&queue).await.ack().await.unwrap();
    assert!(!queue.enqueue(job()).await.unwrap().is_duplicate());
}

pub(crate) async fn a_unique_window_ends_with_time(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let job = || Job::new(7).unique_for("url", SECOND * 60);
    queue.enqueue(job()).await.unwrap();
    one(&queue).await.ack().await.unwrap();
    bench.advance(SECOND * 59);
    assert!(queue.enqueue(job()).await.unwrap().is_duplicate());
    bench.advance(SECOND * 2);
    assert!(!queue.enqueue(job()).await.unwrap().is_duplicate());
}

pub(crate) async fn a_checkpoint_survives_a_crash_and_a_stale_one_is_refused(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    let first = one(&queue).await;
    assert_eq!(first.restore::<String>().unwrap(), None);
    first.checkpoint("page 1").await.unwrap();
    first.checkpoint("page 2").await.unwrap();
    bench.advance(LEASE + SECOND);
    let second = one(&queue).await;
    assert_eq!(second.restore::<String>().unwrap().as_deref(), Some("page 2"));
    assert!(second.restore::<u32>().is_err(), "a state of another type is an error");
    assert!(is_conflict(first.checkpoint("stale").await));
    second.retry(Duration::ZERO).await.unwrap();
    let third = one(&queue).await;
    assert_eq!(third.restore::<String>().unwrap().as_deref(), Some("page 2"));
}

pub(crate) async fn progress_renews_the_budget_of_failures(bench: &Bench) {
    let queue = bench.builder::<u32>().max_failures(2).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    for page in 1..=5_u64 {
        let delivery = one(&queue).await;
        delivery.checkpoint_at(page, &page).await.unwrap();
        delivery.retry(Duration::ZERO).await.unwrap();
    }
    let stuck = one(&queue).await;
    stuck.checkpoint_at(5, &5).await.unwrap();
    stuck.retry(Duration::ZERO).await.unwrap();
    assert_eq!(queue.stats().await.unwrap().dead, 1, "no progress, no new budget");
}

pub(crate) async fn a_payload_that_does_not_decode_has_failed_and_is_buried_with_its_bytes(
    bench: &Bench,
) {
    let writer = bench.queue::<String>().await;
    writer.enqueue("no number".to_owned()).await.unwrap();
    let reader = bench.builder::<u32>().max_failures(2);
    let reader = reader.retry(RetryPolicy::fixed(SECOND)).open(&bench.store).await.unwrap();
    reader.enqueue(7).await.unwrap();
    assert_eq!(payloads(&reader, 1).await, [7], "it does not count");
    assert_eq!(reader.stats().await.unwrap().timed, 1, "it is tried again");
    bench.advance(SECOND);
    // The queue as another process would see it: the job is due, and fails for the last time.
    let reader = bench.builder::<u32>().max_failures(2).open(&bench.store).await.unwrap();
    assert!(reader.dequeue(1).await.unwrap().is_empty());
    let letters = reader.dead_letters(9).await.unwrap();
    assert_eq!((letters.len(), &*letters[0].payload), (1, &b"\"no number\""[..]));
    let reason = &letters[0].reason;
    assert!(reason.contains("string, expected u32 at line 1 column 11"), "{reason}");
    assert!(!reason.contains("no number"), "{reason}");
}

pub(crate) async fn a_queue_may_bury_at_once_what_does_not_decode(bench: &Bench) {
    bench.queue::<String>().await.enqueue("no number".to_owned()).await.unwrap();
    let reader = bench.builder::<u32>().undecodable(Undecodable::Bury);
    let reader = reader.open(&bench.store).await.unwrap();
    assert!(reader.dequeue(1).await.unwrap().is_empty());
    assert_eq!(reader.stats().await.unwrap().dead, 1);
}

pub(crate) async fn a_payload_beyond_the_limit_is_refused_with_the_limit(bench: &Bench) {
    let queue = bench.builder::<String>().max_payload(10).open(&bench.store).await.unwrap();
    let error = queue.enqueue("nine more..".to_owned()).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::TooLarge);
    assert!(error.to_string().contains("at most 10"), "{error}");
    assert_eq!(queue.size().await.unwrap(), 0);
}

pub(crate) async fn a_cancelled_job_is_gone_and_its_worker_is_told(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let running = queue.enqueue(1).await.unwrap().id();
    let delivery = one(&queue).await;
    let waiting = queue.enqueue(2).await.unwrap().id();
    assert_eq!(queue.cancel(&[running, waiting]).await.unwrap(), 2);
    assert_eq!(queue.size().await.unwrap(), 0);
    let error = delivery.extend(LEASE).await.unwrap_err();
    assert!(error.to_string().contains("cancelled"), "{error}");
    assert!(queue.drained().await.unwrap());
}

pub(crate) async fn a_paused_queue_delivers_nothing_until_resumed(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    queue.pause().await.unwrap();
    assert!(bench.queue::<u32>().await.dequeue(1).await.unwrap().is_empty());
    assert!(queue.stats().await.unwrap().paused && !queue.drained().await.unwrap());
    queue.resume().await.unwrap();
    assert_eq!(payloads(&queue, 1).await, [7]);
}

pub(crate) async fn peek_size_and_clear_see_what_waits(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    queue.enqueue(Job::new(4).delay(SECOND)).await.unwrap();
    let taken = one(&queue).await;
    assert_eq!(queue.peek(9).await.unwrap(), [2, 3]);
    assert_eq!(queue.peek(1).await.unwrap(), [2]);
    assert_eq!(queue.size().await.unwrap(), 3);
    assert_eq!(queue.clear().await.unwrap(), 4);
    assert!(is_conflict(taken.ack().await));
    assert!(queue.drained().await.unwrap() && queue.peek(9).await.unwrap().is_empty());
}

pub(crate) async fn a_closed_queue_says_so_and_its_jobs_stay(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let out = one(&queue).await;
    let clone = queue.clone();
    queue.close().await.unwrap();
    queue.close().await.unwrap();
    let closed = |error: Error| error.kind() == ErrorKind::Closed;
    assert!(clone.enqueue(3).await.is_err_and(closed) && clone.dequeue(1).await.is_err_and(closed));
    assert!(clone.size().await.is_err_and(closed) && clone.clear().await.is_err_and(closed));
    out.ack().await.unwrap();
    assert_eq!(payloads(&bench.queue().await, 9).await, [2]);
}

pub(crate) async fn a_queue_ends_with_its_store(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(7).await.unwrap();
    bench.store.close().await.unwrap();
    let closed = |error: Error| error.kind() == ErrorKind::Closed;
    assert!(queue.enqueue(8).await.is_err_and(closed) && queue.dequeue(1).await.is_err_and(closed));
    assert!(queue.stats().await.is_err_and(closed));
}

pub(crate) async fn another_number_of_partitions_is_refused(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(3).open(&bench.store).await.unwrap();
    queue.enqueue(7).await.unwrap();
    let error = bench.builder::<u32>().partitions(2).open(&bench.store).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Config);
    let text = error.to_string();
    assert!(text.contains('3') && text.contains('2'), "{text}");
    let again = bench.builder::<u32>().partitions(3).open(&bench.store).await.unwrap();
    assert_eq!(payloads(&again, 9).await, [7]);
}

pub(crate) async fn queues_in_other_namespaces_are_other_queues(bench: &Bench) {
    let (a, b) = (bench.store.namespace("a"), bench.store.namespace("b"));
    let first = Queue::<u32>::open(&a, "q").await.unwrap();
    let second = Queue::<u32>::open(&b, "q").await.unwrap();
    first.enqueue(7).await.unwrap();
    assert!(second.dequeue(1).await.unwrap().is_empty());
    assert!(Queue::<u32>::open(&a, "other").await.unwrap().dequeue(1).await.unwrap().is_empty());
    assert_eq!(payloads(&Queue::open(&a, "q").await.unwrap(), 1).await, [7]);
}

pub(crate) async fn a_queue_cannot_be_seen_or_touched_through_the_store(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    bench.store.set("plain", &1).await.unwrap();
    assert_eq!(bench.store.keys("*").await.unwrap(), ["plain"]);
    for key in ["!kv:queue:bench", "!kv:queue:bench:meta"] {
        let refused = |error: Error| error.kind() == ErrorKind::InvalidKey;
        assert!(bench.store.get::<u8>(key).await.is_err_and(refused));
        assert!(bench.store.exists(key).await.is_err_and(refused));
        assert!(bench.store.delete(key).await.is_err_and(refused));
    }
    assert_eq!(queue.size().await.unwrap(), 3);
}

pub(crate) async fn drained_is_exact_across_partitions(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(4).open(&bench.store).await.unwrap();
    assert!(queue.drained().await.unwrap());
    queue.enqueue(Job::new(1).delay(SECOND)).await.unwrap();
    assert!(!queue.drained().await.unwrap(), "a delayed job is not done");
    bench.advance(SECOND);
    let delivery = one(&queue).await;
    assert!(!queue.drained().await.unwrap(), "a job in flight is not done");
    queue.enqueue(2).await.unwrap();
    delivery.ack().await.unwrap();
    assert!(!queue.drained().await.unwrap(), "what it submitted is not done");
    one(&queue).await.ack().await.unwrap();
    assert!(queue.drained().await.unwrap());
}

pub(crate) async fn a_dropped_dequeue_leaves_its_jobs_no_longer_than_a_lease(bench: &Bench) {
    let queue = bench.builder::<u32>().max_crashes(100).open(&bench.store).await.unwrap();
    queue.enqueue_many(0..20_u32).await.unwrap();
    for polls in 1..12 {
        let mut dequeue = pin!(queue.dequeue(3));
        for _ in 0..polls {
            let context = &mut Context::from_waker(Waker::noop());
            if dequeue.as_mut().poll(context).is_ready() {
                break;
            }
            tokio::task::yield_now().await;
        }
    }
    // What was dropped may still be on its way: this comes after it.
    queue.stats().await.unwrap();
    bench.advance(LEASE + SECOND);
    let mut all = payloads(&queue, 20).await;
    all.sort_unstable();
    assert_eq!(all, (0..20).collect::<Vec<_>>());
}

pub(crate) async fn many_jobs_in_many_partitions_arrive_once_each(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(5).open(&bench.store).await.unwrap();
    queue.enqueue_many(0..2_500_u32).await.unwrap();
    let mut all = Vec::new();
    loop {
        let deliveries = queue.dequeue(700).await.unwrap();
        if deliveries.is_empty() {
            break;
        }
        all.extend(deliveries.iter().map(|delivery| *delivery.payload()));
    }
    all.sort_unstable();
    assert_eq!(all, (0..2_500).collect::<Vec<_>>());
}

pub(crate) async fn a_job_that_is_too_old_is_a_dead_letter(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue(Job::new(1).time_to_live(SECOND)).await.unwrap();
    queue.enqueue(Job::new(2).time_to_live(SECOND * 3)).await.unwrap();
    bench.advance(SECOND * 2);
    assert_eq!(payloads(&queue, 9).await, [2]);
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!(letters.len(), 1);
    assert!(letters[0].reason.contains("time to live"), "{}", letters[0].reason);
}
