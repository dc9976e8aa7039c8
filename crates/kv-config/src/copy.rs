//! What one store holds, brought into another.

mod position;
mod queues;
mod values;

use std::fmt;

use kv_core::{KeyValueStore, Result};

pub use position::Position;

use position::Place;

/// Copies what one store holds into another, between any two backends: values, counters, their
/// lifetimes, and the queues that are named.
///
/// Stop the programs that write to either store first; what they change meanwhile is copied or
/// not. Nothing is removed from the source.
///
/// - **Values and counters** of the whole store, under the source's key prefix, are written under
///   that of the destination. A key that is there already is replaced.
/// - **Queues** need an engine of their own on both sides: memory, a SQLite file, Redis. Jobs keep
///   their keys, order, delays, unique keys, attempts and checkpoints, and dead letters their
///   reasons; a pause stays. A job that a worker holds is ready in the copy. Times are dates, so
///   both stores must agree about the date.
/// - **A copy that was interrupted can be made again**, from its beginning or from a
///   [`Position`] that was told. The result is the same.
///
/// ```
/// use kv_config::{Config, StoreCopy};
/// # #[cfg(feature = "memory")] {
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # runtime.block_on(async {
/// let [from, to] = [Config::from_vars([("OC_KV_STORE_TYPE", "memory")])?, Config::builder().build()?];
/// let (source, destination) = (from.open().await?, to.open().await?);
/// source.set("user:1", "Ada").await?;
///
/// let copied = StoreCopy::between(&**source.inner(), &**destination.inner())
///     .run(|so_far| println!("{} values", so_far.values))
///     .await?;
/// assert_eq!(copied.values, 1);
/// assert_eq!(destination.get::<String>("user:1").await?.as_deref(), Some("Ada"));
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// # }
/// # Ok::<(), kv_core::Error>(())
/// ```
#[must_use = "a copy does nothing until it is run"]
pub struct StoreCopy<'a> {
    from: &'a dyn KeyValueStore,
    to: &'a dyn KeyValueStore,
    queues: Vec<(String, u32)>,
    begin: Position,
}

/// What a copy has done so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Copied {
    /// Values and counters that were written.
    pub values: u64,
    /// Jobs and dead letters that were added.
    pub jobs: u64,
    /// Jobs and dead letters that the destination had already.
    pub present: u64,
    /// What is left out: keys that hold something else than a value, and jobs of which a part is
    /// unreadable or gone.
    pub left_out: u64,
    /// Where an interrupted copy can go on.
    pub position: Position,
}

impl<'a> StoreCopy<'a> {
    /// A copy of all values and counters, and of no queue yet.
    pub fn between(from: &'a dyn KeyValueStore, to: &'a dyn KeyValueStore) -> Self {
        Self { from, to, queues: Vec::new(), begin: Position::default() }
    }

    /// Copies a queue, too: the name under which it is opened, after the namespace of its store if
    /// that has one, and its number of partitions.
    pub fn queue(mut self, name: impl Into<String>, partitions: u32) -> Self {
        self.queues.push((name.into(), partitions));
        self
    }

    /// Goes on where a copy of the same stores and queues was interrupted.
    pub fn resume_at(mut self, position: Position) -> Self {
        self.begin = position;
        self
    }

    /// Copies, and tells after each part what is done so far.
    ///
    /// # Errors
    /// Those of both stores, with the key; `Config` for a queue with another number of partitions,
    /// and for a position that belongs to another copy; `Unsupported` for a lifetime or a queue that a
    /// store cannot have; `TooLarge` for a value beyond the destination's limit; `Conflict` if the
    /// destination's queue has other jobs.
    ///
    /// # Cancel safety
    /// A dropped copy has copied a part. Making it again completes it.
    pub async fn run(self, mut progress: impl FnMut(&Copied) + Send) -> Result<Copied> {
        let mut copied = Copied { position: self.begin.clone(), ..Copied::default() };
        let mut place = copied.position.place(&self.queues)?;
        loop {
            place = match place {
                Place::Values(cursor) => self.copy_values(cursor, &mut copied).await?,
                Place::Queue(at) => self.copy_jobs(at, &mut copied).await?,
                Place::End => return Ok(copied),
            };
            copied.position = place.told();
            progress(&copied);
        }
    }
}

impl fmt::Debug for StoreCopy<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("StoreCopy").field("queues", &self.queues).finish_non_exhaustive()
    }
}
