//! A store that fails by script.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Watcher, Write, async_trait,
};

use crate::Method;

/// Which calls of a method fail, and how.
#[derive(Clone, Copy, Debug)]
pub struct Fault {
    method: Method,
    /// `None` for every call.
    nth: Option<u64>,
    kind: ErrorKind,
    reply_lost: bool,
}

impl Fault {
    /// The nth call from now on fails, the next one being the first; the others do not.
    pub const fn nth(method: Method, nth: u64, kind: ErrorKind) -> Self {
        Self { method, nth: Some(nth), kind, reply_lost: false }
    }

    /// Every call fails, until the store is [healed](Faulty::heal).
    pub const fn every(method: Method, kind: ErrorKind) -> Self {
        Self { method, nth: None, kind, reply_lost: false }
    }

    /// The call is executed before it fails. The error of a write says
    /// [`MaybeApplied`](kv_core::Effect::MaybeApplied) then.
    #[must_use]
    pub const fn reply_lost(self) -> Self {
        Self { reply_lost: true, ..self }
    }

    fn error(self) -> Error {
        let error = Error::new(self.kind, "an injected fault").operation(self.method.name());
        if self.reply_lost && self.method.writes() { error.maybe_applied() } else { error }
    }
}

/// A decorator whose calls fail as they are told to, and only those: for tests of retries and
/// fallbacks. Clones share the store and the script.
///
/// It has no [`get_now`](KeyValueStore::get_now), so that every read can fail. The methods that
/// return no result (capabilities, key prefix, queue engine) pass through.
///
/// ```
/// use kv_core::{ErrorKind, KeyValueStore, Store};
/// use kv_testkit::{Fault, Faulty, Method, Recorder};
///
/// # kv_testkit::runtime()?.block_on(async {
/// let faulty = Faulty::new(Recorder::new());
/// faulty.inject(Fault::nth(Method::Get, 2, ErrorKind::Connection));
/// let store = Store::new(faulty.clone());
/// assert!(store.get::<i32>("k").await.is_ok());
/// assert_eq!(store.get::<i32>("k").await.unwrap_err().kind(), ErrorKind::Connection);
/// assert!(store.get::<i32>("k").await.is_ok());
/// assert_eq!(faulty.calls(Method::Get), 3);
/// # });
/// # Ok::<(), std::io::Error>(())
/// ```
#[derive(Clone)]
pub struct Faulty {
    inner: Arc<dyn KeyValueStore>,
    script: Arc<Mutex<Script>>,
}

#[derive(Default)]
struct Script {
    calls: BTreeMap<Method, u64>,
    /// What is still to come, with the number of the call for each that is not for every one.
    faults: Vec<(Option<u64>, Fault)>,
}

impl Faulty {
    /// A store that does not fail yet.
    pub fn new(inner: impl KeyValueStore) -> Self {
        Self { inner: Arc::new(inner), script: Arc::default() }
    }

    /// Adds a fault. Of several for one call, the one that was added first counts.
    pub fn inject(&self, fault: Fault) {
        let mut script = self.script();
        let called = script.calls.get(&fault.method).copied().unwrap_or(0);
        let number = fault.nth.map(|nth| called.saturating_add(nth));
        script.faults.push((number, fault));
    }

    /// Forgets every fault.
    pub fn heal(&self) {
        self.script().faults.clear();
    }

    /// How often a method was called, failed calls included.
    pub fn calls(&self, method: Method) -> u64 {
        self.script().calls.get(&method).copied().unwrap_or(0)
    }

    fn script(&self) -> MutexGuard<'_, Script> {
        self.script.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a call, and tells how it fails.
    fn next(&self, method: Method) -> Option<Fault> {
        let mut script = self.script();
        let calls = script.calls.entry(method).or_default();
        *calls += 1;
        let number = *calls;
        let is_due = |(due, fault): &&(Option<u64>, Fault)| {
            fault.method == method && due.is_none_or(|due| due == number)
        };
        script.faults.iter().find(is_due).map(|(_, fault)| *fault)
    }

    async fn call<T>(
        &self,
        method: Method,
        call: impl Future<Output = Result<T>> + Send,
    ) -> Result<T> {
        let Some(fault) = self.next(method) else { return call.await };
        if fault.reply_lost {
            call.await?;
        }
        Err(fault.error())
    }
}

impl fmt::Debug for Faulty {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let script = self.script();
        f.debug_struct("Faulty")
            .field("calls", &script.calls)
            .field("faults", &script.faults)
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for Faulty {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.call(Method::Get, self.inner.get(key)).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.call(Method::Set, self.inner.set(key, value, write)).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.call(Method::Set, self.inner.set_cached(key, value, write)).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.call(Method::Delete, self.inner.delete(key, condition)).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.call(Method::Ttl, self.inner.ttl(key)).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.call(Method::Scan, self.inner.scan(request)).await
    }

    fn capabilities(&self) -> Capabilities {
        self.inner.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.inner.key_prefix()
    }

    fn get_now(&self, _: &str) -> Option<Result<Option<Entry>>> {
        None
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.call(Method::Exists, self.inner.exists(key)).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.call(Method::GetMany, self.inner.get_many(keys)).await
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        self.call(Method::SetDurable, self.inner.set_durable(key, value, write, durability)).await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        self.call(Method::SetMany, self.inner.set_many(entries, lifetime)).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.call(Method::DeleteMany, self.inner.delete_many(keys)).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        self.call(Method::Increment, self.inner.increment(key, by, lifetime)).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        self.call(Method::Take, self.inner.take(key)).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        self.call(Method::Touch, self.inner.touch(key, lifetime)).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        self.call(Method::Execute, self.inner.execute(commands)).await
    }

    async fn now(&self) -> Result<Duration> {
        self.call(Method::Now, self.inner.now()).await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        match self.next(Method::Watch) {
            Some(fault) => Err(fault.error()),
            None => self.inner.watch(prefix, watcher),
        }
    }

    async fn ping(&self) -> Result<()> {
        self.call(Method::Ping, self.inner.ping()).await
    }

    async fn stats(&self) -> Result<Stats> {
        self.call(Method::Stats, self.inner.stats()).await
    }

    async fn close(&self) -> Result<()> {
        self.call(Method::Close, self.inner.close()).await
    }

    fn queue_engine(&self) -> QueueSupport {
        self.inner.queue_engine()
    }
}
