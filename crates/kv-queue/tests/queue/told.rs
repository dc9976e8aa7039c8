//! What a worker logs: each line names its queue, and its job where there is one.

use std::io;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::{CancellationToken, Delivery, Queue, RetryPolicy, Undecodable, Worker};
use tokio::time::{advance, sleep};
use tracing::subscriber::DefaultGuard;
use tracing_subscriber::filter::LevelFilter;

use crate::watched::{LEASE, Watched};

const SECOND: Duration = Duration::from_secs(1);

/// The lines of this thread, while it lives; a test's tasks run on its thread.
struct Lines {
    written: Arc<Mutex<Vec<u8>>>,
    _guard: DefaultGuard,
}

struct Sink(Arc<Mutex<Vec<u8>>>);

impl io::Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Lines {
    fn listen() -> Self {
        let written = Arc::<Mutex<Vec<u8>>>::default();
        let sink = Arc::clone(&written);
        let subscriber = tracing_subscriber::fmt().with_ansi(false).without_time();
        let subscriber = subscriber.with_max_level(LevelFilter::TRACE);
        let subscriber = subscriber.with_writer(move || Sink(Arc::clone(&sink))).finish();
        Self { written, _guard: tracing::subscriber::set_default(subscriber) }
    }

    /// The lines of the library.
    fn all(&self) -> Vec<String> {
        let text = String::from_utf8(self.written.lock().unwrap().clone()).unwrap();
        text.lines().filter(|line| line.contains(" kv_queue::")).map(str::to_owned).collect()
    }

    /// The only line with this text.
    #[track_caller]
    fn one(&self, text: &str) -> String {
        let mut lines = self.all();
        lines.retain(|line| line.contains(text));
        assert_eq!(lines.len(), 1, "{text:?} in {:#?}", self.all());
        lines.remove(0)
    }
}

/// Whether a line names what it is about.
fn names(line: &str, field: &str, value: &str) -> bool {
    [format!("{field}={value} "), format!("{field}=\"{value}\" ")]
        .iter()
        .any(|named| format!("{line} ").contains(named))
}

/// Does what a job's payload says.
async fn handle(queue: Queue<u32>, delivery: Delivery<u32>) -> Result<(), String> {
    let told = |error: kv_core::Error| error.to_string();
    match *delivery.payload() {
        1 => Err("no such page".to_owned()),
        2 => {
            queue.cancel(&[delivery.id()]).await.map_err(told)?;
            sleep(LEASE).await;
            Err("it was not dropped".to_owned())
        }
        3 => {
            delivery.ack().await.map_err(told)?;
            Err("after the ack".to_owned())
        }
        // The time goes by within one poll, as it does where code blocks its thread.
        4 => {
            advance(LEASE / 2).await;
            Ok(())
        }
        5 => panic!("as the test asks for"),
        _ => Ok(()),
    }
}

/// Works on jobs with these payloads until all are done; the id of the first, as the log has it.
async fn work(watched: &Watched, payloads: &[u32]) -> String {
    let (builder, store) = watched.builder();
    let retry = RetryPolicy::fixed(SECOND);
    let builder = builder.lease(LEASE).max_failures(2).retry(retry).undecodable(Undecodable::Bury);
    let queue = builder.open(&store).await.unwrap();
    let added = queue.enqueue_many(payloads.iter().copied()).await.unwrap();
    let own = queue.clone();
    let worker = Worker::new(queue).until_drained().run(move |job| handle(own.clone(), job));
    worker.await.unwrap();
    added.jobs[0].id().to_string()
}

#[tokio::test(start_paused = true)]
async fn each_line_of_a_worker_names_its_queue_and_the_job() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let (builder, store) = watched.builder();
    let texts = Queue::<String>::builder("watched").lease(LEASE).open(&store).await.unwrap();
    texts.enqueue("no number".to_owned()).await.unwrap();
    drop(builder);
    work(&watched, &[1, 2, 3, 4, 5, 6]).await;
    let all = lines.all();
    assert!(all.len() >= 8, "{all:#?}");
    for line in &all {
        assert!(names(line, "queue", "watched"), "{line}");
        let of_a_job = ["job ", "the handler", "delivery could", "payload does", "lease was"];
        let is_of_a_job = of_a_job.iter().any(|text| line.contains(text));
        assert_eq!(is_of_a_job, line.contains(" job="), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn what_a_worker_says_of_a_store_that_is_away_names_the_queue() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let queue = watched.queue(2).await;
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).stop_on(stop.clone());
    let running = tokio::spawn(worker.run(|_| async { Ok::<(), String>(()) }));
    sleep(SECOND).await;
    watched.fail(Some(ErrorKind::Connection));
    sleep(20 * SECOND).await;
    watched.fail(None);
    stop.cancel();
    running.await.unwrap().unwrap();
    let all = lines.all();
    for text in ["WARN", "queue request is repeated", "an exchange failed"] {
        assert!(all.iter().any(|line| line.contains(text)), "{text:?} in {all:#?}");
    }
    for line in all {
        assert!(names(&line, "queue", "watched"), "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_handler_that_blocks_its_thread_is_told_of_with_its_job() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let job = work(&watched, &[4]).await;
    let line = lines.one("the handler blocked its thread");
    assert!(line.contains("WARN") && names(&line, "job", &job), "{line}");
    assert!(line.contains("spawn_blocking") && names(&line, "took", "1.5s"), "{line}");
}

#[tokio::test(start_paused = true)]
async fn a_cancelled_job_is_told_as_cancelled_and_not_as_failed() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let job = work(&watched, &[2]).await;
    let line = lines.one("cancelled; its handler is dropped");
    assert!(line.contains("INFO") && names(&line, "job", &job), "{line}");
    let wrong = |line: &&String| line.contains("failed") || line.contains("lost before");
    let all = lines.all();
    assert_eq!(all.iter().find(wrong), None);
}

#[tokio::test(start_paused = true)]
async fn an_error_after_the_ack_is_told_and_changes_nothing() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let job = work(&watched, &[3]).await;
    let line = lines.one("the handler failed after it had settled the job");
    assert!(line.contains("WARN") && names(&line, "job", &job), "{line}");
    assert!(line.contains("after the ack") && names(&line, "settled_by", "ack"), "{line}");
    assert_eq!(watched.queue(1).await.stats().await.unwrap().done, 1);
}

#[tokio::test(start_paused = true)]
async fn another_handle_with_another_lease_or_budget_is_warned_of() {
    let (lines, watched) = (Lines::listen(), Watched::new());
    let open = async |change: fn(kv_queue::QueueBuilder<u32>) -> kv_queue::QueueBuilder<u32>| {
        let (builder, store) = watched.builder();
        change(builder.lease(LEASE)).open(&store).await.unwrap()
    };
    let first = open(|builder| builder).await;
    let second = open(|builder| builder).await;
    assert!(lines.all().is_empty(), "{:#?}", lines.all());
    let third = open(|builder| builder.lease(2 * LEASE).max_crashes(9)).await;
    let line = lines.one("a queue is opened with other settings");
    assert!(line.contains("WARN") && names(&line, "queue", "watched"), "{line}");
    assert!(line.contains("lease 6s instead of 3s, max_crashes 9 instead of 3"), "{line}");
    drop((first, second, third));
}
