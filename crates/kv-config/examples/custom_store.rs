//! A store of one's own: five methods, and variables of its own.
//!
//! `tree` keeps everything in one ordered map under one lock. It never evicts: a full store
//! refuses new keys. `docs/BACKENDS.md` goes through it; the conformance suite checks it.
//!
//! ```text
//! OC_KV_STORE_TYPE=tree OC_KV_STORE_TREE_MAX_ENTRIES=100 \
//!     cargo run --package kv-config --example custom_store
//! ```

use std::collections::BTreeMap;
use std::ops::Bound::{Excluded, Unbounded};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_config::{Config, Factory, Loader, Settings, Variable};
use kv_core::{
    Bytes, Capabilities, Clock, Condition, Cursor, Entry, Error, ErrorKind, KeyValueStore,
    Lifetime, Outcome, Remaining, Result, ScanPage, ScanRequest, Store, SystemClock, Version,
    Write, async_trait,
};

struct Record {
    value: Bytes,
    version: u64,
    /// The clock's time from which on it is gone.
    until: Option<Duration>,
}

#[derive(Default)]
struct Tree {
    records: BTreeMap<String, Record>,
    writes: u64,
}

pub(crate) struct TreeStore {
    tree: Mutex<Tree>,
    max_entries: usize,
    clock: Arc<dyn Clock>,
}

impl TreeStore {
    pub(crate) fn new(max_entries: usize, clock: impl Clock) -> Self {
        Self { tree: Mutex::default(), max_entries, clock: Arc::new(clock) }
    }

    /// The tree, and the time of this step.
    ///
    /// It is not rounded: a key that was set at 0.9 ms for 50 ms is there until 50.9 ms. The time
    /// since the start is right here, since the tree ends with the process.
    fn lock(&self) -> (MutexGuard<'_, Tree>, Duration) {
        let tree = self.tree.lock().unwrap_or_else(PoisonError::into_inner);
        (tree, self.clock.now())
    }
}

impl Tree {
    /// What is under a key, unless it has expired.
    fn live(&self, key: &str, now: Duration) -> Option<&Record> {
        self.records.get(key).filter(|record| record.is_live(now))
    }

    fn make_room(&mut self, max_entries: usize, now: Duration) -> Result<()> {
        if self.records.len() >= max_entries {
            self.records.retain(|_, record| record.is_live(now));
        }
        if self.records.len() < max_entries {
            return Ok(());
        }
        let message = format!("the tree is full; expected at most {max_entries} entries");
        Err(Error::new(ErrorKind::OutOfMemory, message))
    }
}

impl Record {
    fn is_live(&self, now: Duration) -> bool {
        self.until.is_none_or(|until| now < until)
    }
}

/// A part of a millisecond is rounded up: what is there has some time left.
fn in_milliseconds(left: Duration) -> Duration {
    let millis = left.as_nanos().div_ceil(1_000_000);
    Duration::from_millis(u64::try_from(millis).unwrap_or(u64::MAX))
}

fn holds(condition: &Condition, found: Option<&Record>) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => found.is_none(),
        Condition::Present => found.is_some(),
        Condition::Version(version) => {
            found.is_some_and(|record| version.as_number() == Some(record.version))
        }
    }
}

#[async_trait]
impl KeyValueStore for TreeStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let (tree, now) = self.lock();
        Ok(tree.live(key, now).map(|record| Entry {
            value: record.value.clone(),
            version: Version::from_number(record.version),
        }))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let millis = write.lifetime.as_millis()?;
        let (mut tree, now) = self.lock();
        let found = tree.live(key, now);
        if !holds(&write.condition, found) {
            return Ok(Outcome::ConditionFailed);
        }
        let kept = found.and_then(|record| record.until);
        let until = match write.lifetime {
            Lifetime::Keep => kept,
            Lifetime::Never | Lifetime::In(_) => {
                millis.map(|millis| now.saturating_add(Duration::from_millis(millis)))
            }
        };
        if !tree.records.contains_key(key) {
            tree.make_room(self.max_entries, now)?;
        }
        tree.writes += 1;
        let version = tree.writes;
        tree.records.insert(key.to_owned(), Record { value, version, until });
        Ok(Outcome::Written(Version::from_number(version)))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let (mut tree, now) = self.lock();
        let found = tree.live(key, now);
        let wanted = found.is_some() && holds(&condition, found);
        Ok(wanted && tree.records.remove(key).is_some())
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let (tree, now) = self.lock();
        Ok(tree.live(key, now).map(|record| match record.until {
            None => Remaining::Forever,
            Some(until) => Remaining::Expires(in_milliseconds(until.saturating_sub(now))),
        }))
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let after = request.cursor.map(|cursor| cursor.as_str().strip_prefix("after "));
        let start = match after {
            None => Unbounded,
            Some(Some(key)) => Excluded(key),
            Some(None) => return Err(Error::new(ErrorKind::InvalidKey, "the cursor is no tree's")),
        };
        let (tree, now) = self.lock();
        let mut records = tree.records.range::<str, _>((start, Unbounded));
        let seen: Vec<_> = records.by_ref().take(request.limit.max(1)).collect();
        let more = records.next().is_some();
        let next = seen.last().filter(|_| more).map(|(key, _)| Cursor::new(format!("after {key}")));
        let live = seen.into_iter().filter(|(_, record)| record.is_live(now));
        let matching = live.map(|(key, _)| key).filter(|key| request.pattern.matches(key));
        Ok(ScanPage { keys: matching.cloned().collect(), next })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS
    }
}

/// Configurations that know `tree` beside the library's own backends.
pub(crate) fn loader() -> Loader {
    let factory = Factory::new(|settings: Settings| async move {
        let store = TreeStore::new(settings.get("MAX_ENTRIES")?, SystemClock::new());
        Ok(Box::new(store) as Box<dyn KeyValueStore>)
    });
    let max_entries = Variable::integer("MAX_ENTRIES", 1..=1_000_000).default("10000");
    Config::with_backend("tree", factory.variable(max_entries.help("How many keys it holds.")))
}

/// Uses what the five methods do not have: typed values, lifetimes, counters, a walk.
pub(crate) async fn run(store: &Store) -> Result<(Vec<String>, i64)> {
    let users = store.namespace("user");
    users.set("1", "Ada").await?;
    users.set_if_absent("1", "Grace", Duration::from_secs(60)).await?;
    users.set_if_absent("2", "Grace", Duration::from_secs(60)).await?;
    users.increment("visits", 41, Duration::from_secs(60)).await?;
    Ok((users.keys("*").await?, users.increment("visits", 1, Duration::from_secs(60)).await?))
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let config = loader().from_env()?;
    let store = config.open().await?;
    let (keys, visits) = run(&store).await?;
    println!("on {}: users {keys:?}, {visits} visits", config.backend());
    store.close().await
}
