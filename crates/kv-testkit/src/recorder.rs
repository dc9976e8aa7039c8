//! Shows that a decorator forwards every method.

mod call;

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, KeyValueStore, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Version, Watcher, Write,
    async_trait,
};

pub(crate) use self::call::Deaf;
use self::call::{Called, call};
use crate::failure::ensure;
use crate::{Failure, Method};

/// How a decorator treats a method that it does not simply forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Treatment {
    /// As `Unsupported`; `None` for `get_now`, `Refused` for `queue_engine`.
    Refused,
    /// In a way of its own, which the decorator's own tests show.
    Own,
}

/// Fails unless a decorator calls, for each method, the same method of the store inside. The
/// exceptions are declared, and a refusal is checked to be one.
///
/// ```
/// use kv_testkit::{Faulty, Method, Treatment, forwards};
///
/// # kv_testkit::runtime()?.block_on(async {
/// forwards(Faulty::new, &[(Method::GetNow, Treatment::Refused)]).await.unwrap();
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
///
/// # Errors
/// Names the method that did not arrive, or was not refused.
///
/// # Cancel safety
/// Nothing is left behind.
pub async fn forwards<D: KeyValueStore>(
    decorate: impl Fn(Recorder) -> D,
    exceptions: &[(Method, Treatment)],
) -> Result<(), Failure> {
    for method in Method::ALL {
        let recorder = Recorder::new();
        let decorator = decorate(recorder.clone());
        let called = call(&decorator, method).await;
        let (name, calls) = (method.name(), recorder.calls());
        match exceptions.iter().find(|(one, _)| *one == method).map(|(_, treatment)| treatment) {
            Some(Treatment::Own) => {}
            Some(Treatment::Refused) => {
                ensure!(called == Called::Refused, "{name}: declared as refused, but {called:?}");
                let written: Vec<_> = calls.iter().filter(|call| call.writes()).collect();
                ensure!(written.is_empty(), "{name}: refused, but {written:?} arrived");
            }
            None => {
                ensure!(calls.contains(&method), "{name}: not forwarded; {calls:?} arrived");
                ensure!(called == Called::Answered, "{name}: forwarded, but {called:?}");
            }
        }
    }
    Ok(())
}

/// A store that holds nothing and notes which of its methods were called. Clones share the notes.
#[derive(Clone, Debug, Default)]
pub struct Recorder {
    calls: Arc<Mutex<BTreeSet<Method>>>,
}

impl Recorder {
    /// A store on which nothing was called.
    pub fn new() -> Self {
        Self::default()
    }

    /// The methods that were called so far.
    pub fn calls(&self) -> BTreeSet<Method> {
        self.notes().clone()
    }

    fn notes(&self) -> MutexGuard<'_, BTreeSet<Method>> {
        self.calls.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn note<T>(&self, method: Method, answer: T) -> T {
        self.notes().insert(method);
        answer
    }
}

const VERSION: Version = Version::from_number(1);

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for Recorder {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        self.note(Method::Get, Ok(None))
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        self.note(Method::Set, Ok(Outcome::Written(VERSION)))
    }

    /// Counts as a set, which is what it is to a store that evicts nothing.
    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.set(key, value, write).await
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        self.note(Method::Delete, Ok(false))
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        self.note(Method::Ttl, Ok(None))
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        self.note(Method::Scan, Ok(ScanPage::default()))
    }

    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS;
        self.note(Method::Capabilities, all | Capabilities::DURABILITY | Capabilities::WATCH)
    }

    fn key_prefix(&self) -> &str {
        self.note(Method::KeyPrefix, "")
    }

    fn get_now(&self, _: &str) -> Option<Result<Option<Entry>>> {
        self.note(Method::GetNow, Some(Ok(None)))
    }

    async fn exists(&self, _: &str) -> Result<bool> {
        self.note(Method::Exists, Ok(false))
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.note(Method::GetMany, Ok(vec![None; keys.len()]))
    }

    async fn set_durable(
        &self,
        _: &str,
        _: Bytes,
        _: Write,
        _: Durability,
    ) -> Result<(Outcome, Achieved)> {
        self.note(Method::SetDurable, Ok((Outcome::Written(VERSION), Achieved::default())))
    }

    async fn set_many(&self, _: Vec<(String, Bytes)>, _: Lifetime) -> Result<()> {
        self.note(Method::SetMany, Ok(()))
    }

    async fn delete_many(&self, _: &[&str]) -> Result<u64> {
        self.note(Method::DeleteMany, Ok(0))
    }

    async fn increment(&self, _: &str, by: i64, _: Lifetime) -> Result<i64> {
        self.note(Method::Increment, Ok(by))
    }

    async fn take(&self, _: &str) -> Result<Option<Entry>> {
        self.note(Method::Take, Ok(None))
    }

    async fn touch(&self, _: &str, _: Lifetime) -> Result<bool> {
        self.note(Method::Touch, Ok(false))
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let answer = |command: &Command| match command {
            Command::Set { .. } => Ok(Reply::Outcome(Outcome::Written(VERSION))),
            Command::Ttl { .. } => Ok(Reply::Remaining(None)),
            Command::Increment { by, .. } => Ok(Reply::Number(*by)),
            Command::Get { .. } | Command::Take { .. } => Ok(Reply::Entry(None)),
            _ => Ok(Reply::Flag(false)),
        };
        self.note(Method::Execute, Ok(commands.iter().map(answer).collect()))
    }

    async fn now(&self) -> Result<Duration> {
        self.note(Method::Now, Ok(Duration::ZERO))
    }

    fn watch(&self, _: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        watcher.upgrade().into_iter().for_each(|watcher| watcher.gap());
        self.note(Method::Watch, Ok(()))
    }

    async fn ping(&self) -> Result<()> {
        self.note(Method::Ping, Ok(()))
    }

    async fn stats(&self) -> Result<Stats> {
        self.note(Method::Stats, Ok(Stats::default()))
    }

    async fn close(&self) -> Result<()> {
        self.note(Method::Close, Ok(()))
    }

    fn queue_engine(&self) -> QueueSupport {
        self.note(Method::QueueEngine, QueueSupport::Generic)
    }
}
