//! What a worker tells of itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_queue::{CancellationToken, Ending, Meter, MeteredJob, Outcome, Queue, RetryPolicy, Worker};
use tokio::sync::Notify;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::bench::Bench;
use crate::watched::Watched;

const SECOND: Duration = Duration::from_secs(1);

#[derive(Default)]
struct Heard {
    started: Vec<(String, u32)>,
    took: Vec<Duration>,
    ended: BTreeMap<&'static str, u64>,
}

/// A meter that writes everything down.
#[derive(Clone, Default)]
struct Book(Arc<Mutex<Heard>>);

impl Meter for Book {
    fn started(&self, job: &MeteredJob<'_>) {
        self.0.lock().unwrap().started.push((job.queue.to_owned(), job.attempt));
    }

    fn handled(&self, _: &MeteredJob<'_>, took: Duration) {
        self.0.lock().unwrap().took.push(took);
    }

    fn ended(&self, queue: &str, ending: Ending) {
        assert!(["bench", "watched"].contains(&queue));
        *self.0.lock().unwrap().ended.entry(ending.name()).or_default() += 1;
    }
}

#[tokio::test]
async fn a_meter_counts_each_delivery_once_as_the_summary_does() {
    let bench = Bench::memory();
    let builder = bench.builder().max_failures(2).retry(RetryPolicy::fixed(Duration::ZERO));
    let queue: Queue<u32> = builder.open(&bench.store).await.unwrap();
    queue.enqueue_many(0..5_u32).await.unwrap();
    bench.queue::<String>().await.enqueue("no number".to_owned()).await.unwrap();
    let book = Book::default();
    let worker = Worker::new(queue.clone()).meter(book.clone()).until_drained();
    let run = worker.run(|delivery| async move {
        match (delivery.payload(), delivery.delivery()) {
            (0, 1) => Outcome::snooze(Duration::ZERO),
            (1, _) => Outcome::retry("again"),
            (2, _) => Outcome::fail("for good"),
            (3, _) => {
                delivery.ack().await.unwrap();
                Outcome::Done
            }
            _ => Outcome::Done,
        }
    });
    let summary = run.await.unwrap();
    let heard = book.0.lock().unwrap();
    let expected = [("done", 3), ("snoozed", 1), ("retried", 1), ("buried", 2), ("undecodable", 2)];
    assert_eq!(heard.ended, BTreeMap::from(expected));
    assert_eq!(heard.ended.values().sum::<u64>(), summary.deliveries());
    assert_eq!((heard.started.len(), heard.took.len()), (7, 7));
    assert!(heard.started.contains(&("bench".to_owned(), 2)));
}

#[tokio::test(start_paused = true)]
async fn a_meter_hears_of_lost_cancelled_and_handed_back_jobs() {
    let watched = Watched::new();
    let queue = watched.queue(1).await;
    let doomed = queue.enqueue(1).await.unwrap().id();
    let (stop, begun) = (CancellationToken::new(), Arc::new(Notify::new()));
    let (book, told) = (Book::default(), Arc::clone(&begun));
    let worker = Worker::new(queue.clone()).concurrency(1).prefetch(1).meter(book.clone());
    let worker = worker.stop_on(stop.clone()).stop_within(SECOND);
    let run = tokio::spawn(worker.run(move |_| {
        let told = Arc::clone(&told);
        async move {
            told.notify_one();
            std::future::pending::<()>().await;
        }
    }));
    begun.notified().await;
    sleep(SECOND).await;
    queue.cancel(&[doomed]).await.unwrap();
    queue.enqueue_many([2, 3]).await.unwrap();
    begun.notified().await;
    sleep(SECOND).await;
    stop.cancel();
    let summary = run.await.unwrap().unwrap();
    let heard = book.0.lock().unwrap();
    assert_eq!(heard.ended, BTreeMap::from([("cancelled", 1), ("handed_back", 2)]));
    assert_eq!(summary.deliveries(), 3);
    assert!(heard.took.iter().all(|took| *took >= SECOND), "{:?}", heard.took);
}

#[tokio::test]
async fn a_meter_that_panics_harms_no_job() {
    struct Panics;
    impl Meter for Panics {
        fn started(&self, _: &MeteredJob<'_>) {
            panic!("as a test of panics asks for")
        }

        fn ended(&self, _: &str, _: Ending) {
            panic!("as a test of panics asks for")
        }
    }
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    queue.enqueue_many(0..3_u32).await.unwrap();
    let worker = Worker::new(queue).meter(Panics).until_drained();
    assert_eq!(worker.run(|_| async {}).await.unwrap().done, 3);
}

/// Writes down the spans of jobs.
struct Spans(Arc<Mutex<Vec<String>>>);

struct Fields(String);

impl Visit for Fields {
    fn record_debug(&mut self, field: &Field, value: &dyn std::fmt::Debug) {
        self.0 += &format!("{}={value:?} ", field.name());
    }
}

impl Subscriber for Spans {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.is_span()
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        let mut fields = Fields(format!("{} ", span.metadata().name()));
        span.record(&mut fields);
        self.0.lock().unwrap().push(fields.0);
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}
    fn record_follows_from(&self, _: &Id, _: &Id) {}
    fn event(&self, _: &Event<'_>) {}
    fn enter(&self, _: &Id) {}
    fn exit(&self, _: &Id) {}
}

#[tokio::test]
async fn a_handler_runs_in_a_span_that_names_its_job() {
    let spans = Arc::new(Mutex::new(Vec::new()));
    let _guard = tracing::subscriber::set_default(Spans(Arc::clone(&spans)));
    let bench = Bench::memory();
    let queue: Queue<u32> = bench.queue().await;
    let id = queue.enqueue(7).await.unwrap().id();
    Worker::new(queue).until_drained().run(|_| async {}).await.unwrap();
    let spans = spans.lock().unwrap().clone();
    assert_eq!(spans, [format!("job queue=\"bench\" job={id} attempt=1 ")]);
}
