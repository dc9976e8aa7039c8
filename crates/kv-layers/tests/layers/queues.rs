//! A native queue engine has transparent layers around it, and a fallback refuses queues. That the
//! queue's guarantees hold through layers, the tests of `kv-queue` show.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Counts, Exchange, Exchanged, Export, Exported, Import, Imported, Inspect,
    Inspected, Maintain, Maintained, Partition, Policy, QueueEngine, QueueSupport, Session, Submit,
    Submitted,
};
use kv_core::{
    Achieved, Bytes, Capabilities, Condition, Durability, Entry, KeyValueStore, Outcome, Remaining,
    Result, ScanPage, ScanRequest, Write, async_trait,
};
use kv_layers::{Fallback, Layer, Layers, Limit, Metrics, Observe, Operation, Retry, Timeout};
use kv_memory::MemoryStore;

const SECOND: Duration = Duration::from_secs(1);

#[test]
fn what_is_no_native_engine_stays_what_it_is() {
    let around = |support| Retry::new().on(With(support, MemoryStore::new())).queue_engine();
    assert!(matches!(around(QueueSupport::Generic), QueueSupport::Generic));
    assert!(matches!(around(QueueSupport::Refused("why")), QueueSupport::Refused("why")));
}

#[test]
fn a_queue_on_a_fallback_is_refused_with_the_reason() {
    let store = Fallback::to(MemoryStore::new).on(MemoryStore::new()).unwrap();
    let QueueSupport::Refused(why) = store.queue_engine() else { panic!("it is not refused") };
    assert!(why.contains("cannot move between two stores"), "{why}");
}

#[tokio::test(start_paused = true)]
async fn a_wait_takes_the_time_that_its_caller_names_and_no_place() {
    let layers = Layers::new().limit(Limit::to(1).queue(0)).timeout(Timeout::after(SECOND));
    let store = layers.on(Noted::default().store()).unwrap();
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no engine") };
    let partition = Partition { queue: "q".into(), number: 0 };
    let waited = engine.wait(std::slice::from_ref(&partition), 60 * SECOND);
    let other = async {
        tokio::time::sleep(2 * SECOND).await;
        store.ping().await
    };
    let (woken, answered) = tokio::join!(waited, other);
    assert_eq!(woken.unwrap(), [0; 0]);
    answered.unwrap();
}

#[tokio::test(start_paused = true)]
async fn every_verb_of_an_engine_arrives_as_itself_and_is_seen() {
    let (noted, metrics) = (Noted::default(), Metrics::new());
    let store = Observe::to(metrics.clone()).on(Retry::new().on(noted.store()));
    let QueueSupport::Native(engine) = store.queue_engine() else { panic!("no engine") };
    let partition = Partition { queue: "q".into(), number: 0 };
    let session = Session { name: "l".into(), request: 1 };
    let policy = Policy::default();
    let exchange =
        Exchange { session, acks: Vec::new(), operations: Vec::new(), claim: None, policy };
    engine.open("q", 1).await.unwrap();
    engine.submit(&partition, Submit { session: None, jobs: Vec::new() }).await.unwrap();
    let submit = Submit { session: None, jobs: Vec::new() };
    let _ = engine.submit_durable(&partition, submit, Durability::replicas(1)).await.unwrap();
    engine.exchange(&partition, exchange).await.unwrap();
    engine.maintain(&partition, Maintain { limit: 1, policy }).await.unwrap();
    engine.control(&partition, Control::Pause).await.unwrap();
    engine.inspect(&partition, Inspect::Counts).await.unwrap();
    let export = Export { at: None, limit: 1, bytes: 1 };
    engine.export(&partition, export).await.unwrap();
    engine.import(&partition, Import::default()).await.unwrap();
    engine.wait(&[partition], SECOND).await.unwrap();
    engine.remove("q", 1).await.unwrap();
    let all = [
        "control",
        "exchange",
        "export",
        "import",
        "inspect",
        "maintain",
        "open",
        "remove",
        "submit",
        "submit_durable",
        "wait",
    ];
    assert_eq!(noted.0.lock().unwrap().iter().copied().collect::<Vec<_>>(), all);
    let seen = |verb: &Operation| metrics.snapshot(*verb).done == 1;
    assert_eq!(Operation::ALL.iter().filter(|verb| seen(verb)).count(), all.len());
}

/// Memory with another engine.
struct With(QueueSupport, MemoryStore);

#[async_trait]
impl KeyValueStore for With {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.1.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.1.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.1.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.1.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.1.scan(request).await
    }

    fn capabilities(&self) -> Capabilities {
        self.1.capabilities()
    }

    fn queue_engine(&self) -> QueueSupport {
        self.0.clone()
    }
}

/// An engine that notes which of its verbs were called.
#[derive(Clone, Default)]
struct Noted(Arc<Mutex<BTreeSet<&'static str>>>);

impl Noted {
    fn store(&self) -> With {
        With(QueueSupport::Native(Arc::new(self.clone())), MemoryStore::new())
    }

    fn note<T>(&self, verb: &'static str, answer: T) -> Result<T> {
        self.0.lock().unwrap().insert(verb);
        Ok(answer)
    }
}

#[async_trait]
impl QueueEngine for Noted {
    async fn open(&self, _: &str, _: u32) -> Result<()> {
        self.note("open", ())
    }

    async fn submit(&self, _: &Partition, _: Submit) -> Result<Vec<Submitted>> {
        self.note("submit", Vec::new())
    }

    async fn submit_durable(
        &self,
        _: &Partition,
        _: Submit,
        _: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        self.note("submit_durable", (Vec::new(), Achieved::default()))
    }

    async fn exchange(&self, _: &Partition, _: Exchange) -> Result<Exchanged> {
        self.note("exchange", Exchanged::default())
    }

    async fn maintain(&self, _: &Partition, _: Maintain) -> Result<Maintained> {
        self.note("maintain", Maintained::default())
    }

    async fn control(&self, _: &Partition, _: Control) -> Result<Controlled> {
        self.note("control", Controlled::default())
    }

    async fn inspect(&self, _: &Partition, _: Inspect) -> Result<Inspected> {
        self.note("inspect", Inspected::Counts(Counts::default()))
    }

    async fn remove(&self, _: &str, _: u32) -> Result<()> {
        self.note("remove", ())
    }

    async fn export(&self, _: &Partition, _: Export) -> Result<Exported> {
        self.note("export", Exported::default())
    }

    async fn import(&self, _: &Partition, _: Import) -> Result<Imported> {
        self.note("import", Imported::default())
    }

    async fn wait(&self, _: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        tokio::time::sleep(timeout).await;
        self.note("wait", Vec::new())
    }
}
