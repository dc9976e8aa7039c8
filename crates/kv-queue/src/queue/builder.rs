//! Opening a queue.

use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{MAX_PARTITIONS, Partition, Policy, QueueEngine, QueueSupport};
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

    /// A queue with other settings than the default ones.
    pub fn builder(name: &str) -> QueueBuilder<T> {
        QueueBuilder::new(name)
    }
}

/// The settings of a queue, from [`Queue::builder`].
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

    /// How long a delivery may stay unsettled before its job is delivered again: 30 seconds
    /// unless set.
    #[must_use]
    pub fn lease(mut self, lease: Duration) -> Self {
        self.settings.lease = lease;
        self
    }

    /// How long a verb may take for each partition that it asks, repeats included: 15 seconds
    /// unless set. Then it is an error of kind `Timeout`.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.settings.timeout = timeout;
        self
    }

    /// Into how many partitions the queue is split, from 1, the default, to 1,024; fixed by whoever
    /// opens the queue first. Order holds within a partition. A unique key always maps to the same
    /// partition, so it is unique in the whole queue.
    #[must_use]
    pub fn partitions(mut self, partitions: u32) -> Self {
        self.partitions = partitions;
        self
    }

    /// How long a job waits that failed in a [`Worker`](crate::Worker): exponential from one
    /// second to ten minutes unless set.
    #[must_use]
    pub fn retry(mut self, policy: RetryPolicy) -> Self {
        self.settings.retry = policy;
        self
    }

    /// What becomes of a job whose payload does not decode: it has failed like any other, unless
    /// set.
    #[must_use]
    pub fn undecodable(mut self, undecodable: Undecodable) -> Self {
        self.settings.undecodable = undecodable;
        self
    }

    /// How many failures make a job a dead letter: 5 unless set; at least 1.
    #[must_use]
    pub fn max_failures(mut self, failures: u32) -> Self {
        self.settings.policy.max_failures = failures;
        self
    }

    /// How many ended leases, as after a crash, make a job a dead letter: 3 unless set; at
    /// least 1.
    #[must_use]
    pub fn max_crashes(mut self, crashes: u32) -> Self {
        self.settings.policy.max_crashes = crashes;
        self
    }

    /// After how many deliveries a job is a dead letter when it would be delivered again: 1,000,000
    /// unless set; at least 1. Deliveries count that ended in a failure, a crash or a snooze; a
    /// day of snoozes of one second is 86,400. Those that were handed back unbegun do not count.
    #[must_use]
    pub fn max_deliveries(mut self, deliveries: u32) -> Self {
        self.settings.policy.max_deliveries = deliveries;
        self
    }

    /// How many dead letters a partition keeps, the newest: 10,000 unless set.
    #[must_use]
    pub fn keep_dead(mut self, letters: u32) -> Self {
        self.settings.policy.keep_dead = letters;
        self
    }

    /// For how long a partition keeps a dead letter: without end unless set; at least a
    /// millisecond.
    #[must_use]
    pub fn keep_dead_for(mut self, time: Duration) -> Self {
        self.settings.policy.keep_dead_for = Some(time);
        self
    }

    /// The largest encoded payload in bytes: 1 MiB unless set.
    #[must_use]
    pub fn max_payload(mut self, bytes: usize) -> Self {
        self.settings.max_payload = bytes;
        self
    }

    /// The clock for a store that has none of its own; others ignore it.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    /// Opens the queue on a store, and creates it if it is new. If the last handle of this queue,
    /// in any process, had another lease or other budgets, a warning is logged.
    ///
    /// # Errors
    /// `InvalidKey` for a name that is blank, too long or has a control character; `Config` for settings out of range, or
    /// another number of partitions than the queue has; `Unsupported` on a store that can hold no
    /// queue; the store's own.
    pub async fn open(self, store: &Store) -> Result<Queue<T>> {
        self.check().map_err(|error| error.operation("open queue").key(&self.name))?;
        let name: Arc<str> = store.reserved_key("queue", &encode(&self.name))?.into();
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

/// A name in which no braces are left: on a Redis Cluster, they would choose the slot.
fn encode(name: &str) -> String {
    let mut encoded = String::with_capacity(name.len());
    for c in name.chars() {
        match c {
            '{' => encoded.push_str("%7B"),
            '}' => encoded.push_str("%7D"),
            '%' => encoded.push_str("%25"),
            other => encoded.push(other),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::{complaint, encode};

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
        assert_eq!(encode("fetch:run-42"), "fetch:run-42");
        assert_eq!(encode("{a}%7B"), "%7Ba%7D%257B");
    }
}
