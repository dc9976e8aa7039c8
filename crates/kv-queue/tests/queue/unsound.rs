//! Engines that break their contract: every verb ends, and its error says what was wrong.

use std::future::Future;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, QueueSupport, Submit, Submitted,
};
use kv_core::{
    Capabilities, Condition, Entry, Error, ErrorKind, KeyValueStore, Outcome, Remaining, Result,
    ScanPage, ScanRequest, Store, Write,
};
use kv_memory::MemoryStore;
use kv_queue::{CancellationToken, Queue, Worker};

/// What is wrong with the engine.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Fault {
    /// A page begins at the beginning, whatever it is to come after.
    SamePage,
    /// The letter that a page is to come after is always gone.
    NoPlace,
    /// A redrive says that it made a job ready, and did nothing.
    IdleRedrive,
    /// A purge says that it left jobs.
    MorePurge,
    /// A claim brings nothing, and says that more is ready.
    IdleClaim,
    /// Maintenance says that it left due jobs.
    MoreMaintenance,
    /// The last answer to a submit is missing.
    LostAnswer,
}

#[derive(Clone)]
struct Unsound {
    memory: MemoryStore,
    fault: Fault,
    exchanges: Arc<AtomicUsize>,
}

impl Unsound {
    /// A queue of one partition on it, on which the fault shows, and the same queue without it.
    async fn queues(fault: Fault) -> (Queue<u32>, Queue<u32>) {
        let memory = MemoryStore::new();
        let sound = Queue::open(&Store::new(memory.clone()), "unsound").await.unwrap();
        let store = Store::new(Self { memory, fault, exchanges: Arc::default() });
        (Queue::open(&store, "unsound").await.unwrap(), sound)
    }

    /// A worker's queue, and how many exchanges it has sent.
    async fn worked_on(fault: Fault) -> (Queue<u32>, Arc<AtomicUsize>) {
        let (memory, exchanges) = (MemoryStore::new(), Arc::<AtomicUsize>::default());
        let store = Self { memory, fault, exchanges: Arc::clone(&exchanges) };
        let queue = Queue::open(&Store::new(store), "unsound").await.unwrap();
        (queue, exchanges)
    }

    fn inner(&self) -> Arc<dyn QueueEngine> {
        match self.memory.queue_engine() {
            QueueSupport::Native(engine) => engine,
            other => panic!("{other:?}"),
        }
    }

    fn page(&self, request: Inspect) -> Inspect {
        match request {
            Inspect::Peek { limit, bytes, .. } if self.fault == Fault::SamePage => {
                Inspect::Peek { after: None, limit: limit.min(2), bytes }
            }
            Inspect::Dead { limit, bytes, .. } if self.fault == Fault::SamePage => {
                Inspect::Dead { after: None, limit: limit.min(2), bytes }
            }
            other => other,
        }
    }
}

#[async_trait]
impl QueueEngine for Unsound {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.inner().open(queue, partitions).await
    }

    async fn submit(&self, at: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        let mut answers = self.inner().submit(at, request).await?;
        if self.fault == Fault::LostAnswer {
            answers.pop();
        }
        Ok(answers)
    }

    async fn exchange(&self, at: &Partition, mut request: Exchange) -> Result<Exchanged> {
        self.exchanges.fetch_add(1, Ordering::Relaxed);
        if self.fault != Fault::IdleClaim {
            return self.inner().exchange(at, request).await;
        }
        request.claim = None;
        Ok(Exchanged { more: true, ..self.inner().exchange(at, request).await? })
    }

    async fn maintain(&self, at: &Partition, request: Maintain) -> Result<Maintained> {
        let more = self.fault == Fault::MoreMaintenance;
        Ok(Maintained { more, ..self.inner().maintain(at, request).await? })
    }

    async fn control(&self, at: &Partition, request: Control) -> Result<Controlled> {
        match (self.fault, &request) {
            (Fault::IdleRedrive, Control::Redrive { .. }) => {
                Ok(Controlled { affected: 1, more: true })
            }
            (Fault::MorePurge, Control::Purge) => {
                Ok(Controlled { more: true, ..self.inner().control(at, request).await? })
            }
            _ => self.inner().control(at, request).await,
        }
    }

    async fn inspect(&self, at: &Partition, request: Inspect) -> Result<Inspected> {
        let Inspect::Dead { after: Some(after), bytes, .. } = request else {
            return self.inner().inspect(at, self.page(request)).await;
        };
        if self.fault != Fault::NoPlace {
            return self.inner().inspect(at, self.page(request)).await;
        }
        let first = Inspect::Dead { after: None, limit: 2, bytes };
        let Inspected::Dead(letters) = self.inner().inspect(at, first).await? else {
            panic!("of another kind");
        };
        let other = letters.into_iter().find(|letter| letter.key != after);
        Ok(Inspected::Dead(other.into_iter().collect()))
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.inner().remove(queue, partitions).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.inner().wait(partitions, timeout).await
    }
}

#[async_trait]
impl KeyValueStore for Unsound {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.memory.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.memory.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.memory.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.memory.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.memory.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.memory.capabilities()
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::new(self.clone()))
    }
}

/// The end of a verb that must come.
async fn ends<R>(verb: impl Future<Output = R>) -> R {
    let ended = tokio::time::timeout(Duration::from_secs(60), verb).await;
    ended.expect("it does not end")
}

/// What an error says, which is of this kind.
#[track_caller]
fn told<R: std::fmt::Debug>(outcome: Result<R>, kind: ErrorKind) -> String {
    let error: Error = outcome.unwrap_err();
    assert_eq!(error.kind(), kind, "{error}");
    error.to_string()
}

/// Dead letters in a queue.
async fn bury(queue: &Queue<u32>, letters: u32) {
    queue.enqueue_many(0..letters).await.unwrap();
    for delivery in queue.dequeue(letters as usize).await.unwrap() {
        delivery.fail("as the test asks for").await.unwrap();
    }
}

#[tokio::test]
async fn a_peek_ends_although_each_page_is_the_same() {
    let (queue, sound) = Unsound::queues(Fault::SamePage).await;
    sound.enqueue_many(0..5).await.unwrap();
    let said = told(ends(queue.peek(5)).await, ErrorKind::Backend);
    assert!(said.contains("again after itself") && said.contains("peek"), "{said}");
}

#[tokio::test]
async fn dead_letters_end_although_each_page_is_the_same() {
    let (queue, sound) = Unsound::queues(Fault::SamePage).await;
    bury(&sound, 5).await;
    let said = told(ends(queue.dead_letters(5)).await, ErrorKind::Backend);
    assert!(said.contains("again after itself") && said.contains("dead_letters"), "{said}");
}

#[tokio::test]
async fn dead_letters_end_although_the_place_of_the_walk_is_always_gone() {
    let (queue, sound) = Unsound::queues(Fault::NoPlace).await;
    bury(&sound, 3).await;
    let said = told(ends(queue.dead_letters(9)).await, ErrorKind::Conflict);
    assert!(said.contains("went away 100 times"), "{said}");
}

#[tokio::test]
async fn a_redrive_ends_although_nothing_becomes_of_the_letters() {
    let (queue, sound) = Unsound::queues(Fault::IdleRedrive).await;
    bury(&sound, 200).await;
    let said = told(ends(queue.redrive(usize::MAX)).await, ErrorKind::Conflict);
    assert!(said.contains("50 rounds") && said.contains("200"), "{said}");
}

#[tokio::test]
async fn a_clearing_asks_once_although_more_is_said_to_be_left() {
    let (queue, sound) = Unsound::queues(Fault::MorePurge).await;
    sound.enqueue_many(0..5).await.unwrap();
    assert_eq!(ends(queue.clear()).await.unwrap(), 5);
}

#[tokio::test]
async fn a_dequeue_ends_although_more_is_always_said_to_be_ready() {
    let (queue, sound) = Unsound::queues(Fault::IdleClaim).await;
    sound.enqueue_many(0..5).await.unwrap();
    let said = told(ends(queue.dequeue(1)).await, ErrorKind::Backend);
    assert!(said.contains("10000 claims") && said.contains("partition 0"), "{said}");
}

#[tokio::test]
async fn a_dequeue_ends_although_more_is_always_said_to_be_due() {
    let (queue, sound) = Unsound::queues(Fault::MoreMaintenance).await;
    sound.enqueue_many(0..5).await.unwrap();
    assert_eq!(ends(queue.dequeue(9)).await.unwrap().len(), 5);
}

#[tokio::test]
async fn many_jobs_of_which_one_has_no_answer_are_told() {
    let (queue, sound) = Unsound::queues(Fault::LostAnswer).await;
    let outcome = ends(queue.enqueue_many(0..2_000)).await;
    let error = outcome.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backend, kv_core::Effect::MaybeApplied));
    assert!(error.to_string().contains("999 answers to 1000 jobs"), "{error}");
    assert_eq!(sound.size().await.unwrap(), 1_000, "the second request was not sent");
}

#[tokio::test(start_paused = true)]
async fn a_worker_rests_although_more_is_always_said_to_be_ready() {
    let (queue, exchanges) = Unsound::worked_on(Fault::IdleClaim).await;
    queue.enqueue_many(0..5).await.unwrap();
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).stop_on(stop.clone());
    let running = tokio::spawn(worker.run(async |_| Ok::<(), String>(())));
    // The time stands still while the worker has something to do.
    tokio::time::sleep(Duration::from_secs(10)).await;
    stop.cancel();
    assert_eq!(running.await.unwrap().unwrap().done, 0);
    let sent = exchanges.load(Ordering::Relaxed);
    assert!((10_000..11_000).contains(&sent), "{sent} exchanges in 10 s");
}
