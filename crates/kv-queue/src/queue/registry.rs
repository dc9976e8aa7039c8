//! Which queues a store has: their names and numbers of partitions, in one value beside them.
//!
//! A store lists no queues itself, and a walk over its keys would cost as much as it has keys. So
//! opening a queue writes its name down, and deleting the queue strikes it out.

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::{Condition, Error, ErrorKind, Result, Serializer, Store, Write};

use super::agreement;
use super::handle::Queue;
use crate::QueueStats;

/// The most names that are written down: about 1 MiB of short names.
const MAX_NAMES: usize = 10_000;

/// How often a change is tried again when others change the value at the same time.
const ATTEMPTS: usize = 16;

/// How many queues are counted at once.
const AT_ONCE: usize = 8;

type Names = BTreeMap<String, u32>;

/// A queue of a store, from [`queues`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct QueueInfo {
    /// The queue's name.
    pub name: String,
    /// The number of its partitions.
    pub partitions: u32,
    /// Its jobs in each state.
    pub stats: QueueStats,
}

/// The queues of a store, or of a namespace of it, by name, with the numbers of their jobs.
///
/// A queue is listed from its first opening to its deletion. A queue that only earlier versions of
/// this crate have opened is listed after it was opened again. At most 10,000 queues are listed.
///
/// # Errors
/// Those of the store; `Config` if the list was written by a version that this one cannot read.
///
/// ```
/// use kv_queue::Queue;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let mails = Queue::<String>::builder("mails").partitions(4).open(&store).await?;
/// mails.enqueue("hello".to_owned()).await?;
///
/// let queues = kv_queue::queues(&store).await?;
/// assert_eq!((&*queues[0].name, queues[0].partitions), ("mails", 4));
/// assert_eq!(queues[0].stats.ready, 1);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub async fn queues(store: &Store) -> Result<Vec<QueueInfo>> {
    let names = names(store).await.map_err(|error| error.operation("queues"))?;
    let info = |(name, partitions): (String, u32)| async move {
        let queue = attach::<()>(store, &name, partitions).await?;
        let stats = queue.stats().await?;
        Ok(QueueInfo { name, partitions, stats })
    };
    stream::iter(names.into_iter().map(info)).buffered(AT_ONCE).try_collect().await
}

/// The names of the queues that [`queues`] lists, each with its number of partitions. Counts no jobs.
///
/// # Errors
/// As [`queues`].
///
/// ```
/// # use kv_queue::Queue;
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// Queue::<String>::builder("mails").partitions(4).open(&store).await?;
/// assert_eq!(kv_queue::queue_names(&store).await?.get("mails"), Some(&4));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub async fn queue_names(store: &Store) -> Result<BTreeMap<String, u32>> {
    names(store).await.map_err(|error| error.operation("queue names"))
}

impl<T> Queue<T> {
    /// Opens a queue that exists, with the number of partitions, the lease and the budgets of the
    /// handle that opened it last; `None` if [`queues`] does not list it. For operators' tools,
    /// which know a queue by its name only.
    ///
    /// # Errors
    /// As [`QueueBuilder::open`](crate::QueueBuilder::open).
    pub async fn attach(store: &Store, name: &str) -> Result<Option<Self>> {
        let names = names(store).await.map_err(|error| error.operation("attach").key(name))?;
        match names.get(name) {
            Some(partitions) => attach(store, name, *partitions).await.map(Some),
            None => Ok(None),
        }
    }
}

async fn attach<T>(store: &Store, name: &str, partitions: u32) -> Result<Queue<T>> {
    let mut builder = Queue::<T>::builder(name).partitions(partitions);
    agreement::adopt(store, &mut builder.settings).await;
    builder.connect(store).await
}

/// Writes a queue's name down.
pub(super) async fn add(store: &Store, name: &str, partitions: u32) {
    let add = |names: &mut Names| {
        let has_room = names.len() < MAX_NAMES || names.contains_key(name);
        has_room && names.insert(name.to_owned(), partitions) != Some(partitions)
    };
    // The queue is open already: a failure here costs its line in a list.
    if let Err(error) = change(store, add).await {
        tracing::debug!(queue = name, %error, "a queue cannot be listed");
    }
}

/// Strikes a queue's name out.
pub(super) async fn remove(store: &Store, name: &str) -> Result<()> {
    change(store, |names| names.remove(name).is_some()).await
}

/// Changes the names, unless `edit` returns that nothing is to change.
async fn change(store: &Store, edit: impl Fn(&mut Names) -> bool) -> Result<()> {
    let key = key(store)?;
    for _ in 0..ATTEMPTS {
        let entry = store.inner().get(&key).await?;
        let mut names = entry.as_ref().map_or(Ok(Names::new()), |it| decode(&it.value))?;
        if !edit(&mut names) {
            return Ok(());
        }
        let condition = entry.map_or(Condition::Absent, |it| Condition::Version(it.version));
        if write(store, &key, &names, condition).await? {
            return Ok(());
        }
    }
    let message = format!("others changed the list of queues during each of {ATTEMPTS} attempts");
    Err(Error::new(ErrorKind::Conflict, message).key(&key))
}

/// Stores the names, or nothing where none is left; returns whether the condition held.
async fn write(store: &Store, key: &str, names: &Names, condition: Condition) -> Result<bool> {
    if names.is_empty() {
        return store.inner().delete(key, condition).await;
    }
    let write = Write::ALWAYS.condition(condition);
    let outcome = store.inner().set(key, Serializer::Json.encode(names)?, write).await?;
    Ok(outcome.is_written())
}

async fn names(store: &Store) -> Result<Names> {
    let entry = store.inner().get(&key(store)?).await?;
    entry.map_or(Ok(Names::new()), |entry| decode(&entry.value))
}

fn decode(stored: &[u8]) -> Result<Names> {
    Serializer::Json.decode(stored).map_err(|error| {
        let message = "the list of queues is in a format that this version does not know";
        Error::new(ErrorKind::Config, message).because(error)
    })
}

fn key(store: &Store) -> Result<String> {
    store.reserved_key("queues", "all")
}
