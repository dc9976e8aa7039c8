//! Deleting everything that a namespace holds.

use super::Store;
use crate::Result;

/// How many keys are deleted together.
const TOGETHER: usize = 500;

impl Store {
    /// Deletes every key of this store's namespace; of the whole deployment, if the store is in no
    /// namespace. Returns how many keys this call removed. Counters, locks, limits and queues stay.
    ///
    /// The call walks over the keys in bounded memory, so its time grows with the keys of the whole
    /// server. To end many entries in constant time, give them a tag and
    /// [`invalidate`](Self::invalidate) it. A key that is written meanwhile may stay.
    ///
    /// ```
    /// use kv_core::Store;
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// store.set("other", &0).await?;
    /// let pages = store.namespace("pages");
    /// pages.set_many([("a", 1), ("b", 2)], kv_core::Expiry::Never).await?;
    /// assert_eq!(pages.clear().await?, 2);
    /// assert_eq!(store.keys("*").await?, ["other"]);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`scan`](Self::scan) and [`delete_many`](Self::delete_many). After an error a part
    /// of the keys may be deleted.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the keys deleted.
    pub async fn clear(&self) -> Result<u64> {
        let mut scan = self.scan("*");
        let (mut keys, mut deleted) = (Vec::new(), 0);
        loop {
            let next = scan.next().await.transpose()?;
            let is_last = next.is_none();
            keys.extend(next);
            if keys.len() == TOGETHER || (is_last && !keys.is_empty()) {
                deleted += self.delete_many(&keys).await?;
                keys.clear();
            }
            if is_last {
                return Ok(deleted);
            }
        }
    }
}
