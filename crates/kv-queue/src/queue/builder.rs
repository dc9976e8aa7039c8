//! Opening a queue.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{MAX_PARTITIONS, Partition, Policy, QueueEngine, QueueSupport, encode_name};
use kv_core::{Capabilities, Clock, Error, ErrorKind, Result, Store, SystemClock};

use super::agreement;
use super::handle::Queue;
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
    settings: Settings,
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
                undecodable: Undecodable::default(),
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

    /// The largest encoded payload in bytes: 1 MiB by default.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// The clock for the generic engine; native engines use their store's clock and ignore this
    /// one.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
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
        self.check().map_err(|error| error.operation("open queue").key(&self.name))?;
        let name: Arc<str> = store.reserved_key("queue", &encode_name(&self.name))?.into();
        let engine = engine_of(store, self.clock)?;
        let partitions = (0..self.partitions)
            .map(|number| Partition { queue: Arc::clone(&name), number })
            .collect();
        let connection = Connection::new(engine, store.clone(), partitions, self.settings);
        let opened = connection.write(|| connection.engine.open(&name, self.partitions)).await;
        opened.map_err(|error| error.operation("open queue").key(&self.name))?;
        agreement::check(store, &connection.settings).await;
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
        Ok(())
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
