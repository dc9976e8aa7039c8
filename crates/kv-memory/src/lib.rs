//! The in-memory backend: lifetimes, bounded size, and a native queue engine.
//!
//! [`MemoryStore`] keeps bytes under string keys in a `DashMap`. A verb on one key is one atomic
//! step under its shard's lock. No verb waits, so every future is ready at its first poll, on any
//! executor.
//!
//! - **Lifetimes.** A key is invisible from the moment it expires. The next use of the key, or a
//!   background thread, frees its memory, at a cost proportional to the number of expired keys.
//! - **Bounded size.** With [`max_entries`](MemoryStoreBuilder::max_entries) a full store drops
//!   expired keys, then evicts about the least recently used of a few random keys. A key that was
//!   used again after its write counts as younger, so a scan over keys that nobody reads again
//!   evicts its own keys.
//! - **Values that do something.** A value is dropped when no lock is held, so a value made by
//!   `Bytes::from_owner` may use the store in its `Drop`.
//! - **Nothing left behind.** Most of the memory is given back when most of the keys are gone. The
//!   thread starts with the first lifetime, and ends before the drop of the last handle, or the close
//!   of the store, returns.

mod builder;
mod cleanup;
mod eviction;
mod expiry;
mod order;
mod queue;
mod reads;
mod record;
mod records;
mod scan;
mod shard;
mod side;
mod store;
mod sweeper;
mod table;
mod time;
mod verbs;

pub use builder::MemoryStoreBuilder;
pub use store::MemoryStore;
