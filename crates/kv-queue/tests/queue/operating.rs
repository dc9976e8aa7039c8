//! What an operator sees: the whole queue, exactly.

use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::{Job, Queue};

use crate::bench::Bench;
use crate::watched::{Call, Watched};

async fn queue(bench: &Bench) -> Queue<u32> {
    bench.builder().partitions(4).open(&bench.store).await.unwrap()
}

/// A queue of four partitions with so many dead letters, one after another.
async fn buried(bench: &Bench, letters: u32) -> Queue<u32> {
    let queue = queue(bench).await;
    queue.enqueue_many(0..letters).await.unwrap();
    for delivery in queue.dequeue(letters as usize).await.unwrap() {
        bench.advance(Duration::from_secs(1));
        delivery.fail("as the test asks for").await.unwrap();
    }
    queue
}

pub(crate) async fn a_redrive_makes_no_more_claimable_than_it_was_asked_for(bench: &Bench) {
    let queue = buried(bench, 8).await;
    for (limit, left) in [(1, 7), (5, 2), (9, 0)] {
        let before = queue.stats().await.unwrap().dead;
        assert_eq!(queue.redrive(limit).await.unwrap(), before - left);
        assert_eq!(queue.stats().await.unwrap().dead, left);
    }
}

pub(crate) async fn dead_letters_are_of_all_partitions_and_the_oldest_come_first(bench: &Bench) {
    let queue = buried(bench, 8).await;
    let letters = queue.dead_letters(8).await.unwrap();
    assert_eq!(letters.len(), 8);
    assert!(letters.is_sorted_by_key(|letter| letter.died));
    assert_eq!(queue.dead_letters(3).await.unwrap()[..], letters[..3]);
    let mut walk = queue.walk_dead_letters();
    for page in letters.chunks(3) {
        assert_eq!(walk.next(3).await.unwrap(), page);
    }
    assert!(walk.next(3).await.unwrap().is_empty());
}

pub(crate) async fn a_dead_letter_is_discarded_or_cancelled_by_its_id(bench: &Bench) {
    let queue = buried(bench, 3).await;
    let waiting = queue.enqueue(9).await.unwrap().id();
    let letters = queue.dead_letters(3).await.unwrap();
    let (first, second) = (letters[0].id, letters[1].id);
    assert_eq!(queue.discard(&[first, waiting]).await.unwrap(), 1, "what waits is left alone");
    assert_eq!(queue.cancel(&[second]).await.unwrap(), 1);
    let stats = queue.stats().await.unwrap();
    assert_eq!((stats.dead, stats.ready, stats.evicted), (1, 1, 2));
}

pub(crate) async fn dead_letters_end_with_their_age(bench: &Bench) {
    let hour = Duration::from_secs(3_600);
    let queue = bench.builder::<u32>().keep_dead_for(hour).open(&bench.store).await.unwrap();
    queue.enqueue_many([1, 2]).await.unwrap();
    queue.dequeue(1).await.unwrap()[0].fail("old").await.unwrap();
    bench.advance(hour);
    queue.dequeue(1).await.unwrap()[0].fail("new").await.unwrap();
    let letters = queue.dead_letters(9).await.unwrap();
    assert_eq!(letters.iter().map(|one| &*one.reason).collect::<Vec<_>>(), ["new"]);
}

pub(crate) async fn clearing_removes_more_than_one_request_takes(bench: &Bench) {
    let queue = queue(bench).await;
    queue.enqueue_many((0..5_000).map(|n| Job::new(n).unique(n.to_string()))).await.unwrap();
    assert_eq!(queue.clear().await.unwrap(), 5_000);
    assert!(!queue.enqueue(Job::new(1).unique("1")).await.unwrap().is_duplicate());
}

pub(crate) async fn a_deleted_queue_is_gone_and_can_be_made_anew(bench: &Bench) {
    let queue = buried(bench, 8).await;
    queue.enqueue(Job::new(1).unique("page")).await.unwrap();
    queue.delete().await.unwrap();
    assert_eq!(queue.enqueue(2).await.unwrap_err().kind(), ErrorKind::Closed);
    // Another number of partitions, and no job, key or letter of before.
    let again = bench.builder::<u32>().partitions(2).open(&bench.store).await.unwrap();
    let stats = again.stats().await.unwrap();
    assert_eq!((stats.entered, stats.dead), (0, 0));
    assert!(!again.enqueue(Job::new(1).unique("page")).await.unwrap().is_duplicate());
}

pub(crate) async fn a_peek_at_jobs_of_another_type_says_so(bench: &Bench) {
    let queue = queue(bench).await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let texts = bench.builder::<String>().partitions(4).open(&bench.store).await.unwrap();
    assert_eq!(texts.peek(9).await.unwrap_err().kind(), ErrorKind::Serialization);
    assert_eq!(queue.peek(9).await.unwrap().len(), 2);
}

/// Jobs in every state, with every kind of unique key; some of the keys.
async fn keyed(queue: &Queue<u32>) -> [String; 4] {
    let long = Duration::from_secs(9_000);
    let keys = ["run", "live", "window", "dead"].map(str::to_owned);
    let [run, live, window, dead] = keys.clone();
    let job = |number, key| Job::new(number).unique_while_live(key);
    queue.enqueue_many([job(1, live).priority(0), job(2, dead).priority(0)]).await.unwrap();
    let taken = queue.dequeue(2).await.unwrap();
    taken[0].checkpoint(&7).await.unwrap();
    taken[1].fail("as the test asks for").await.unwrap();
    queue.enqueue(Job::new(3).unique(run)).await.unwrap();
    queue.enqueue(Job::new(4).unique_for(window, long).delay(long)).await.unwrap();
    keys
}

/// The producer adds jobs during the whole of the clearing, to the same partition.
pub(crate) async fn nothing_of_before_a_clearing_is_left_beside_a_producer(bench: &Bench) {
    let queue = bench.builder::<u32>().partitions(1).open(&bench.store).await.unwrap();
    let producer = queue.clone();
    for round in 0..3 {
        let keys = keyed(&queue).await;
        let clearing = async {
            let cleared = queue.clear().await.unwrap();
            assert!(cleared >= 4, "round {round}: {cleared}");
            for key in keys {
                let again = queue.enqueue(Job::new(9).unique(&*key)).await.unwrap();
                assert!(!again.is_duplicate(), "round {round}: {key}");
            }
        };
        let producing = async {
            loop {
                producer.enqueue(Job::new(8)).await.unwrap();
                tokio::task::yield_now().await;
            }
        };
        tokio::select! {
            () = clearing => {}
            () = producing => {}
            () = tokio::time::sleep(Duration::from_secs(60)) => panic!("round {round}: no end"),
        }
        assert_eq!(queue.stats().await.unwrap().dead, 0);
        queue.clear().await.unwrap();
        assert!(queue.drained().await.unwrap());
    }
}

#[tokio::test(start_paused = true)]
async fn looks_at_many_partitions_are_side_by_side_and_only_where_something_is() {
    let watched = Watched::new();
    let queue = watched.queue(64).await;
    queue.enqueue(7).await.unwrap();
    watched.take_calls();
    watched.hold(0);
    let peek = tokio::time::timeout(Duration::from_secs(1), queue.peek(9));
    assert!(peek.await.is_err());
    assert_eq!(watched.take_calls().len(), 64, "while the first has not answered");
    watched.release();
    assert_eq!(queue.peek(9).await.unwrap(), [7]);
    watched.take_calls();
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 1);
    let is_claim = |call: &&Call| matches!(call, Call::Exchange { .. });
    let claims = watched.take_calls().iter().filter(is_claim).count();
    assert!(claims <= 10, "{claims} claims for one job");
}

#[tokio::test(start_paused = true)]
async fn letters_in_many_partitions_are_redriven_side_by_side() {
    let watched = Watched::new();
    let queue = watched.queue(32).await;
    queue.enqueue_many(0..32).await.unwrap();
    for delivery in queue.dequeue(32).await.unwrap() {
        delivery.fail("as the test asks for").await.unwrap();
    }
    watched.take_time(Duration::from_secs(1));
    let begun = tokio::time::Instant::now();
    assert_eq!(queue.redrive(31).await.unwrap(), 31);
    assert_eq!(begun.elapsed().as_secs(), 1, "31 requests, each of a second");
    assert_eq!(queue.stats().await.unwrap().dead, 1);
}
