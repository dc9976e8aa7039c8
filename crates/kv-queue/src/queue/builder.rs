//! Opening a queue.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    GroupLimit, MAX_PARTITIONS, Partition, Policy, QueueEngine, QueueSupport, encode_name,
};
use kv_core::{Capabilities, Clock, Error, ErrorKind, Result, Store, SystemClock};

use super::handle::Queue;
use super::{agreement, registry};
use crate::generic::GenericEngine;
use crate::requests::{Connection, Requests, Settings, Undecodable};
use crate::retry::RetryPolicy;

impl<T> Queue<T> {
    /// Opens a queue with the default settings, and creates it if it is new.
    ///
    /// # Errors
    /// As [`QueueBuilder::open`].
    pub async fn open(store: &Store, name: &str) -> Result<Self> {
        Self::builder(name).open(store).await
    }

    /// Settings for a queue, to change and then [`open`](QueueBuilder::open).
    pub fn builder(name: &str) -> QueueBuilder<T> {
        QueueBuilder::new(name)
    }
}

/// The settings of a queue, from [`Queue::builder`]; each setter names its default.
#[derive(Clone, Debug)]
pub struct QueueBuilder<T> {
    name: String,
    partitions: u32,
    pub(super) settings: Settings,
    clock: Arc<dyn Clock>,
    payload: PhantomData<fn() -> T>,
}

impl<T> QueueBuilder<T> {
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            partitions: 1,
            settings: Settings {
                name: name.into(),
                lease: Duration::from_secs(30),
                timeout: Duration::from_secs(15),
                max_payload: 1 << 20,
                policy: Policy::default(),
                retry: RetryPolicy::default(),
                note_times: false,
                undecodable: Undecodable::default(),
                #[cfg(feature = "testing")]
                recorder: None,
            },
            clock: Arc::new(SystemClock::new()),
            payload: PhantomData,
        }
    }

    /// How long a delivery may stay unsettled before its job is delivered again: 30 seconds by
    /// default, at least a millisecond. A [`Worker`](crate::Worker) renews its leases.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a verb may take for each partition that it asks, repeats included: 15 seconds by
    /// default, at least a millisecond. After that time the verb fails with `Timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// The number of partitions of the queue, from 1, the default, to 1,024. The first `open` fixes
    /// it. Order holds within a partition. A unique key always maps to the same partition, so it is
    /// unique in the whole queue.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// How long a job waits after it failed in a [`Worker`](crate::Worker): by default exponential,
    /// from one second to ten minutes.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// What happens to a job whose payload does not decode. By default the job has failed, as if
    /// its handler had failed.
    #[must_use]
    pub fn undecodable(mut self, undecodable: Undecodable) -> Self {
        self.settings.undecodable = undecodable;
        self
    }

    /// The number of failures that makes a job a dead letter: 5 by default, at least 1.
    #[must_use]
    pub fn max_failures(mut self, failures: u32) -> Self {
        self.settings.policy.max_failures = failures;
        self
    }

    /// The number of crashes that makes a job a dead letter: 3 by default, at least 1. A crash is a
    /// lease that ended before its job was settled.
    #[must_use]
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.settings.policy.max_crashes = crashes;
        self
    }

    /// The number of deliveries after which a job becomes a dead letter instead of being delivered
    /// again: 1,000,000 by default, at least 1. A delivery counts if it ended in a failure, a crash
    /// or a snooze; a snooze every second makes 86,400 a day. A delivery that was handed back
    /// before it began does not count.
    #[must_use]
    pub fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.settings.policy.max_deliveries = deliveries;
        self
    }

    /// How many dead letters a partition keeps: the newest 10,000 by default.
    #[must_use]
    pub fn keep_dead(mut self, letters: u32) -> Self {
        self.settings.policy.keep_dead = letters;
        self
    }

    /// How long a partition keeps a dead letter: for ever by default; at least a millisecond.
    #[must_use]
    pub fn keep_dead_for(mut self, time: Duration) -> Self {
        self.settings.policy.keep_dead_for = Some(time);
        self
    }

    /// How many done jobs a partition keeps, with what their handlers returned: none by default. The
    /// oldest go first. [`result`](Queue::result) and [`wait`](Queue::wait) need this.
    ///
    /// ```
    /// # use kv_queue::{Outcome, Queue, Worker};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<String>::builder("lengths").keep_done(1_000).open(&store).await?;
    /// let id = queue.enqueue("hello".to_owned()).await?.id();
    /// let worker = Worker::new(queue.clone()).until_drained();
    /// worker.run(|delivery| async move { Outcome::done_with(delivery.payload().len()) }).await?;
    /// assert_eq!(queue.result::<usize>(id).await?, Some(5));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn keep_done(mut self, jobs: u32) -> Self {
        self.settings.policy.keep_done = jobs;
        self
    }

    /// How long a partition keeps a done job: as long as its number allows by default; at least a
    /// millisecond. Without [`keep_done`](Self::keep_done), at most 10,000 are kept.
    #[must_use]
    pub fn keep_done_for(mut self, time: Duration) -> Self {
        let policy = &mut self.settings.policy;
        policy.keep_done_for = Some(time);
        if policy.keep_done == 0 {
            policy.keep_done = 10_000;
        }
        self
    }

    /// Keeps the time at which this handle submits each job, for
    /// [`Delivery::enqueued_at`](crate::Delivery::enqueued_at) and
    /// [`JobInfo::enqueued`](crate::JobInfo). By default it is not kept, because a plain job has no
    /// record that could hold it.
    #[must_use]
    pub fn note_times(mut self) -> Self {
        self.settings.note_times = true;
        self
    }

    /// What each [group](crate::Job::group) may do that has no limit of its own: everything by
    /// default. [`limit_group`](Queue::limit_group) gives a group a limit of its own.
    ///
    /// A limit counts leases and claims. It is exact over all processes that open the queue with the
    /// same limit. A changed limit counts for a group from its next claim on. So that a handler
    /// starts when its job was claimed, leave [`Worker::prefetch`](crate::Worker::prefetch) at zero.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{GroupLimit, Job, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let polite = GroupLimit::new().concurrency(2).rate(5, Duration::from_secs(1)).burst(2);
    /// let queue = Queue::<u32>::builder("fetch").group_limit(polite).open(&store).await?;
    /// queue.enqueue_many((0..9).map(|page| Job::new(page).group("example.org"))).await?;
    /// assert_eq!(queue.dequeue(9).await?.len(), 2);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    #[must_use]
    pub fn group_limit(mut self, limit: GroupLimit) -> Self {
        self.settings.policy.group = limit;
        self
    }

    /// The largest encoded payload in bytes: 1 MiB by default.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// The clock for the generic engine, and for dates if the store has no clock; native engines use
    /// their store's clock.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Writes down every job that is enqueued through this handle and its clones.
    #[cfg(feature = "testing")]
    #[must_use]
    pub fn record_to(mut self, recorder: &crate::testing::Recorder) -> Self {
        self.settings.recorder = Some(recorder.clone());
        self
    }

    /// Opens the queue on a store, and creates the queue if it is new. If the last handle of this
    /// queue, in any process, had another lease or other budgets, `open` logs a warning.
    ///
    /// # Errors
    /// `InvalidKey` if the name is blank, too long or has a control character; `Config` if a setting
    /// is out of range, or the queue has another number of partitions; `Unsupported` if the store
    /// cannot hold queues; the store's own errors.
    pub async fn open(self, store: &Store) -> Result<Queue<T>> {
        let (name, partitions) = (self.name.clone(), self.partitions);
        let queue = self.connect(store).await?;
        agreement::check(store, &queue.connection().settings).await;
        registry::add(store, &name, partitions).await;
        Ok(queue)
    }

    /// Opens the queue, and says nothing of itself to later handles.
    pub(super) async fn connect(self, store: &Store) -> Result<Queue<T>> {
        self.check().map_err(|error| error.operation("open queue").key(&self.name))?;
        let name: Arc<str> = store.reserved_key("queue", &encode_name(&self.name))?.into();
        let engine = engine_of(store, Arc::clone(&self.clock))?;
        let partitions = (0..self.partitions)
            .map(|number| Partition { queue: Arc::clone(&name), number })
            .collect();
        let connection =
            Connection::new(engine, store.clone(), self.clock, partitions, self.settings);
        let opened = connection.write(|| connection.engine.open(&name, self.partitions)).await;
        opened.map_err(|error| error.operation("open queue").key(&self.name))?;
        Ok(Queue::of(Arc::new(Requests::new(connection))))
    }

    fn check(&self) -> Result<()> {
        let Settings { lease, timeout, policy, .. } = &self.settings;
        let wrong = |what: String| Err(Error::new(ErrorKind::Config, what));
        if let Some(problem) = complaint(&self.name) {
            let message = format!("a queue name that {problem}; expected a name");
            return Err(Error::new(ErrorKind::InvalidKey, message));
        }
        if !(1..=MAX_PARTITIONS).contains(&self.partitions) {
            let given = self.partitions;
            return wrong(format!("{given} partitions; expected 1 to {MAX_PARTITIONS}"));
        }
        let keep = &policy.keep_dead_for.unwrap_or(Duration::MAX);
        for (name, time) in [("lease", lease), ("timeout", timeout), ("keep_dead_for", keep)] {
            if *time < Duration::from_millis(1) {
                return wrong(format!("a {name} of {time:?}; expected at least a millisecond"));
            }
        }
        for (name, least) in [
            ("max_failures", policy.max_failures),
            ("max_crashes", policy.max_crashes),
            ("max_deliveries", policy.max_deliveries),
        ] {
            if least == 0 {
                return wrong(format!("{name} is 0; expected at least 1"));
            }
        }
        policy.group.check()
    }
}

fn engine_of(store: &Store, clock: Arc<dyn Clock>) -> Result<Arc<dyn QueueEngine>> {
    let refuse = |why: &'static str| Err(Error::new(ErrorKind::Unsupported, why));
    match store.inner().queue_engine() {
        QueueSupport::Native(engine) => Ok(engine),
        QueueSupport::Refused(why) => refuse(why),
        QueueSupport::Generic => {
            if store.inner().capabilities().contains(Capabilities::CONDITIONS) {
                return Ok(Arc::new(GenericEngine::new(Arc::clone(store.inner()), clock)));
            }
            refuse("a queue needs a store with conditions, which this one does not declare")
        }
    }
}

/// What is wrong with a name: nobody sees it in a list or a log.
fn complaint(name: &str) -> Option<&'static str> {
    if name.trim().is_empty() {
        Some("is blank")
    } else if name.contains(char::is_control) {
        Some("has a control character")
    } else {
        None
    }
}

#[cfg(test)]
mod tests {
    use kv_core::queue::encode_name;

    use super::complaint;

    #[test]
    fn a_name_is_visible_from_end_to_end() {
        for (name, problem) in [
            ("", "is blank"),
            (" ", "is blank"),
            ("\t\n\u{a0}\u{3000}", "is blank"),
            ("fetch\n", "has a control character"),
            ("fe\0tch", "has a control character"),
            ("fe\u{85}tch", "has a control character"),
        ] {
            assert_eq!(complaint(name), Some(problem), "{name:?}");
        }
        for name in ["fetch:run 42", " fetch ", "ä", "{a}", "*"] {
            assert_eq!(complaint(name), None, "{name:?}");
        }
    }

    #[test]
    fn names_stay_apart_and_lose_their_braces() {
        assert_eq!(encode_name("fetch:run-42"), "fetch:run-42");
        assert_eq!(encode_name("{a}%7B"), "%7Ba%7D%257B");
    }
}
