//! The part of the contract that two stores can keep.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Effect, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Watcher, Write, async_trait,
};

use super::Fallback;
use super::batch::{self, check_condition, check_lifetime, check_write};
use super::side::Side;
use super::switch::{Switch, is_away};

/// A primary with a spare store for outages, made by [`Fallback::on`]. [`Fallback`] says what a
/// program sees.
///
/// Each call takes a lock for a moment before and after, and arguments that are lists are cloned.
///
/// # Cancel safety
/// As with either store. If the caller that tries the primary drops its call, another caller makes
/// the trial after another pause.
pub struct FallbackStore {
    switch: Switch,
    offered: Capabilities,
}

impl FallbackStore {
    pub(super) fn new(primary: Arc<dyn KeyValueStore>, settings: Fallback) -> Result<Self> {
        let spare = (settings.spare)();
        let lifetimes =
            |store: &dyn KeyValueStore| store.capabilities().contains(Capabilities::TTL);
        let offered = if lifetimes(&*primary) { Capabilities::TTL } else { Capabilities::NONE };
        let offered = offered.withheld_by("fallback");
        if offered.contains(Capabilities::TTL) && !lifetimes(&*spare) {
            let message = "the spare store has no lifetimes; expected them, as the primary has";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(Self { switch: Switch::new(primary, spare, settings), offered })
    }

    /// Whether the spare store serves calls now.
    pub fn is_on_fallback(&self) -> bool {
        self.switch.is_open()
    }

    /// Runs a plain call on the serving store. If the primary is away and did not execute the call,
    /// runs it on the spare store.
    async fn plain<A, T, R>(&self, args: A, run: impl Fn(Side, A) -> R + Send + Sync) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        if let Some(spare) = self.switch.spare().await? {
            return run(spare, args).await;
        }
        let error = match run(self.switch.primary.clone(), args.clone()).await {
            Ok(answer) => {
                self.switch.answered();
                return Ok(answer);
            }
            Err(error) => error,
        };
        if !is_away(&error) {
            return Err(error);
        }
        match self.switch.failed(&error) {
            Some(spare) if error.effect() == Effect::NotApplied => run(spare, args).await,
            _ => Err(error),
        }
    }
}

impl fmt::Debug for FallbackStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FallbackStore")
            .field("is_on_fallback", &self.is_on_fallback())
            .finish_non_exhaustive()
    }
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for FallbackStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.plain(key, |side, key| async move { side.store.get(key).await }).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        check_write(&write, self.offered)?;
        let run =
            |side: Side, (value, write)| async move { side.store.set(key, value, write).await };
        self.plain((value, write), run).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        check_write(&write, self.offered)?;
        let run = |side: Side, (value, write)| async move {
            side.store.set_cached(key, value, write).await
        };
        self.plain((value, write), run).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        check_condition(&condition, self.offered)?;
        let run = |side: Side, condition| async move { side.store.delete(key, condition).await };
        self.plain(condition, run).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.plain(key, |side, key| async move { side.store.ttl(key).await }).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.plain(request, |side, request| async move {
            let cursor = side.cursor(request.cursor)?;
            let request = ScanRequest { cursor: cursor.as_ref(), ..request };
            Ok(side.page(side.store.scan(request).await?))
        })
        .await
    }

    fn capabilities(&self) -> Capabilities {
        self.offered
    }

    fn key_prefix(&self) -> &str {
        self.switch.primary.store.key_prefix()
    }

    /// None: only the call itself decides which store answers.
    fn get_now(&self, _: &str) -> Option<Result<Option<Entry>>> {
        None
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.plain(key, |side, key| async move { side.store.exists(key).await }).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.plain(keys, |side, keys| async move { side.store.get_many(keys).await }).await
    }

    /// Refused: the spare store has no copies, and goes with its outage.
    async fn set_durable(
        &self,
        _: &str,
        _: Bytes,
        _: Write,
        _: Durability,
    ) -> Result<(Outcome, Achieved)> {
        Err(self.offered.unsupported("durable writes"))
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        check_lifetime(lifetime, self.offered)?;
        let run = |side: Side, entries| async move { side.store.set_many(entries, lifetime).await };
        self.plain(entries, run).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.plain(keys, |side, keys| async move { side.store.delete_many(keys).await }).await
    }

    /// Refused: what two stores count cannot be added up.
    async fn increment(&self, _: &str, _: i64, _: Lifetime) -> Result<i64> {
        Err(self.offered.unsupported("counters"))
    }

    /// Refused: two stores cannot promise that exactly one caller gets the entry.
    async fn take(&self, _: &str) -> Result<Option<Entry>> {
        Err(self.offered.unsupported("take"))
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        check_lifetime(lifetime, self.offered)?;
        let run = |side: Side, key| async move { side.store.touch(key, lifetime).await };
        self.plain(key, run).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let (allowed, places) = batch::split(commands, self.offered);
        if allowed.is_empty() {
            // This asks neither store, so it says nothing about the primary.
            self.switch.check_open()?;
            return Ok(batch::join(Vec::new(), places));
        }
        let run =
            |side: Side, commands| async move { batch::whole(side.store.execute(commands).await?) };
        Ok(batch::join(self.plain(allowed, run).await?, places))
    }

    async fn now(&self) -> Result<Duration> {
        self.plain((), |side, ()| async move { side.store.now().await }).await
    }

    /// Refused: nobody would tell what changes when the serving store does.
    fn watch(&self, _: &str, _: Weak<dyn Watcher>) -> Result<()> {
        Err(self.offered.unsupported("watch"))
    }

    async fn ping(&self) -> Result<()> {
        self.plain((), |side, ()| async move { side.store.ping().await }).await
    }

    async fn stats(&self) -> Result<Stats> {
        self.plain((), |side, ()| async move { side.store.stats().await }).await
    }

    async fn close(&self) -> Result<()> {
        let spare = self.switch.close();
        let closed = self.switch.primary.store.close().await;
        closed.and(spare.store.close().await)
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Refused(
            "the layer `fallback` refuses queues: one cannot move between two stores; open it on the \
             primary alone",
        )
    }
}
