//! Being told of changes: what a backend tells, and what a program reads.

mod channel;
mod watchers;

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use futures_core::Stream;

pub(crate) use self::channel::Channel;
pub use self::watchers::Watchers;
use crate::Error;

/// What a backend tells of changes, see [`KeyValueStore::watch`](crate::KeyValueStore::watch).
///
/// A method is called on the thread that found the change. So it must be quick, and must not wait.
pub trait Watcher: Send + Sync + 'static {
    /// The key may have been changed, once or several times.
    fn changed(&self, key: &str);

    /// Anything may have changed before now. From now on every change is told.
    fn gap(&self);

    /// From now on changes are not told, until the next [`gap`](Self::gap). The error says why.
    fn lost(&self, error: Error);
}

/// One thing that a [`Watch`] tells.
#[derive(Debug)]
pub enum Change {
    /// The key may have been changed, once or several times. Read the key to know what it holds.
    Key(String),
    /// Anything may have changed before now. From now on every change is told. Read everything
    /// again.
    Gap,
    /// From now on changes are not told, until the next [`Gap`](Self::Gap). The error says why.
    Lost(Error),
}

/// Changes of the keys under a prefix: a [`Stream`] with a `next` of its own, from
/// [`Store::watch`](crate::Store::watch).
///
/// Dropping the watch ends it.
#[must_use = "a watch that is dropped tells nothing"]
pub struct Watch {
    channel: Arc<Channel>,
}

impl Watch {
    pub(crate) const fn new(channel: Arc<Channel>) -> Self {
        Self { channel }
    }

    /// The next change, or `None` once the store is closed.
    ///
    /// # Cancel safety
    /// No change is lost: the next call returns it.
    pub async fn next(&mut self) -> Option<Change> {
        std::future::poll_fn(|context| self.channel.poll(context)).await
    }
}

impl Stream for Watch {
    type Item = Change;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Change>> {
        self.channel.poll(context)
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Watch").finish_non_exhaustive()
    }
}
