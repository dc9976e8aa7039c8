//! Counting the queues of a store once.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::stream::{self, StreamExt as _};
use kv_core::{Error, ErrorKind, Result, Store};
use kv_queue::{Queue, QueueStats};

use crate::failure::explained;

/// The most queues that are counted: the first by name.
pub(crate) const MAX_QUEUES: usize = 1_000;

/// How many queues are counted at once.
const AT_ONCE: usize = 8;

/// How long one queue may take; the others are shown all the same.
const QUEUE_TIME: Duration = Duration::from_secs(5);

/// What one count found.
pub(crate) struct Counted {
    /// How many queues the store lists.
    pub(crate) listed: usize,
    /// Each queue that was counted, in the order of the names: its partitions, and its counts or why
    /// there are none.
    pub(crate) queues: Vec<(String, u32, std::result::Result<QueueStats, String>)>,
}

/// Queues that were opened for an earlier count, so that a count asks only for the numbers.
#[derive(Default)]
pub(crate) struct Handles(Mutex<HashMap<String, (u32, Queue<()>)>>);

impl Handles {
    fn lock(&self) -> MutexGuard<'_, HashMap<String, (u32, Queue<()>)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Forgets queues that are gone, or were made anew with another number of partitions.
    fn keep(&self, names: &BTreeMap<String, u32>) {
        self.lock().retain(|name, (partitions, _)| names.get(name) == Some(partitions));
    }

    async fn open(&self, store: &Store, name: &str, partitions: u32) -> Result<Queue<()>> {
        if let Some((_, queue)) = self.lock().get(name) {
            return Ok(queue.clone());
        }
        let gone = || Error::new(ErrorKind::Conflict, "the queue was deleted meanwhile");
        let queue = Queue::<()>::attach(store, name).await?.ok_or_else(gone)?;
        self.lock().insert(name.to_owned(), (partitions, queue.clone()));
        Ok(queue)
    }
}

/// Counts the queues, or says why they cannot be listed.
pub(crate) async fn count(
    store: &Store,
    handles: &Handles,
) -> std::result::Result<Counted, String> {
    let listed = tokio::time::timeout(QUEUE_TIME, kv_queue::queue_names(store)).await;
    let mut names = match listed {
        Ok(names) => names.map_err(|error| explained(&error))?,
        Err(_) => return Err(late()),
    };
    let listed = names.len();
    if let Some(first_left_out) = names.keys().nth(MAX_QUEUES).cloned() {
        names.split_off(&first_left_out);
    }
    handles.keep(&names);
    let counted = names.into_iter().map(|(name, partitions)| async move {
        let stats = async { handles.open(store, &name, partitions).await?.stats().await };
        let stats = match tokio::time::timeout(QUEUE_TIME, stats).await {
            Ok(stats) => stats.map_err(|error| explained(&error)),
            Err(_) => Err(late()),
        };
        (name, partitions, stats)
    });
    let queues = stream::iter(counted).buffered(AT_ONCE).collect().await;
    Ok(Counted { listed, queues })
}

fn late() -> String {
    format!("the store did not answer within {} s", QUEUE_TIME.as_secs())
}
