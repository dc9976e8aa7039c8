//! Being told of the changes of a store's keys.

use std::sync::{Arc, Weak};

use super::Store;
use crate::watch::{Channel, Watch, Watcher};
use crate::{Capabilities, Result};

impl Store {
    /// Tells of changes of the keys that begin with a prefix, within this store's namespace; of
    /// every key for an empty prefix. The keys are without prefix of the store and namespace.
    ///
    /// The first thing told is [`Gap`](crate::Change::Gap): from then on changes are told. So a
    /// program that reads everything at a gap, and a key when the key is told, has what the store
    /// has, a little later.
    ///
    /// - **What is told**: writes, deletes, new lifetimes, and that a key was removed because it
    ///   expired or was evicted. The backend may remove an expired key long after its end, and
    ///   tells only then. This program's own writes are told too. The library's own keys are not.
    /// - **How often**: at least once after each change. Several changes of a key may be told once,
    ///   and one change several times. A key may be told though nothing changed.
    /// - **In which order**: changes of different keys may come in any order. The change of a key is
    ///   told after it was made, so a read after it returns what was written then or later.
    /// - **How late**: the memory backend tells before the call that changes returns, Redis within
    ///   a round trip. A connection that has become silent is noticed after a while, which the
    ///   backend documents; then [`Lost`](crate::Change::Lost) is told.
    /// - **How many wait**: 1,024 changes wait for the reader. If there are more, all of them become
    ///   one gap.
    ///
    /// ```
    /// use kv_core::{Change, Store};
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(kv_memory::MemoryStore::new());
    /// let mut watch = store.namespace("flags").watch("")?;
    /// assert!(matches!(watch.next().await, Some(Change::Gap)));
    ///
    /// store.namespace("flags").set("dark-mode", &true).await?;
    /// let Some(Change::Key(key)) = watch.next().await else { unreachable!() };
    /// assert_eq!(key, "dark-mode");
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// `Unsupported` if the backend does not declare [`Capabilities::WATCH`]. A server that cannot
    /// be reached is not an error here, but [`Lost`](crate::Change::Lost), and is tried again.
    pub fn watch(&self, prefix: &str) -> Result<Watch> {
        let start = self.key("watch", if prefix.is_empty() { "*" } else { prefix })?;
        self.require(Capabilities::WATCH, "watch", "watch")?;
        let start = if prefix.is_empty() { self.prefix() } else { &start };
        let channel = Arc::new(Channel::new(self.prefix().len()));
        let watcher: Weak<dyn Watcher> = Arc::downgrade(&channel) as _;
        self.backend()?.watch(start, watcher).map_err(|error| error.operation("watch"))?;
        Ok(Watch::new(channel))
    }
}
