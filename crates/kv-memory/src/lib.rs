//! The in-memory backend: lifetimes, bounded size, and a native queue engine.
//!
//! [`MemoryStore`] keeps bytes under string keys in sharded maps. A verb on one key is one atomic
//! step under its shard's lock. Nothing waits, so every future is ready at its first poll, on any
//! executor.
//!
//! - **Lifetimes.** A key is invisible from the moment it expires. Its memory is freed when the
//!   key is next used, and by a background thread, at a cost by what expires.
//! - **Bounded size.** With [`max_entries`](MemoryStoreBuilder::max_entries) a full store drops
//!   what has expired, then evicts about the least recently used of a few keys chosen at random.
//!   A key that was used again since it was written counts as younger, so a scan of keys that
//!   nobody reads again pushes out its own keys.
//! - **Nothing left behind.** The thread starts with the first lifetime, and has ended when the
//!   last handle is dropped or the store is closed.

mod builder;
mod cleanup;
mod contents;
mod expiry;
mod queue;
mod record;
mod scan;
mod slots;
mod store;
mod sweeper;
mod table;
mod time;
mod verbs;

pub use builder::MemoryStoreBuilder;
pub use store::MemoryStore;
