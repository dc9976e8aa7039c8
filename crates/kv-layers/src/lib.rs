//! Layers around any store: what a program wants of every call, whatever the backend.
//!
//! | Layer | What it does | What its caller may see |
//! | --- | --- | --- |
//! | [`Observe`] | counts and traces each call | nothing |
//! | [`Statistics`] | counts hits, misses, bytes and time by namespace | nothing |
//! | [`ReadOnly`] | refuses writes | `ReadOnly` |
//! | [`NearCache`] | keeps what was read in this process until it changes | what others changed a round trip ago |
//! | `Compress` | stores large values compressed; feature `compress` | no queues |
//! | `Encrypt` | stores values encrypted; feature `encrypt` | no queues; `Serialization` for a value that does not decrypt |
//! | [`Fallback`] | uses a spare store while the primary is away | a store that promises less |
//! | [`Limit`] | bounds how many calls run and wait | `Backpressure` |
//! | [`Retry`] | repeats what failed in passing and changed nothing | fewer errors, later |
//! | [`Timeout`] | bounds the time of each attempt | `Timeout` |
//!
//! [`Layers`] puts several layers around a store in this order, the outermost first, and explains
//! the order. [`Layer::on`] puts a single layer around a store.
//!
//! ```
//! use std::time::Duration;
//! use kv_core::Store;
//! use kv_layers::{Layers, Limit, Metrics, Observe, Operation, Retry, Timeout};
//! use kv_memory::MemoryStore;
//! # kv_testkit::runtime()?.block_on(async {
//! let metrics = Metrics::new();
//! let layers = Layers::new()
//!     .observe(Observe::to(metrics.clone()))
//!     .limit(Limit::to(64).queue(1_000))
//!     .retry(Retry::new().attempts(3))
//!     .timeout(Timeout::after(Duration::from_secs(2)));
//! let store = Store::from(layers.on(MemoryStore::new())?);
//!
//! store.set("greeting", "hello").await?;
//! assert_eq!(store.get("greeting").await?, Some("hello".to_owned()));
//! assert_eq!(metrics.snapshot(Operation::Set).done, 1);
//! # Ok::<(), kv_core::Error>(()) }).unwrap();
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! # Two kinds
//! Observe, limit, retry and timeout are *transparent*: they change neither arguments nor answers. A
//! transparent layer implements [`Layer`]: one method around every call. [`Layered`] forwards all
//! methods of the contract and all verbs of a native queue engine, in one place. So the store keeps
//! its capabilities, its queues and its fast path, and a layer, even a program's own, takes a few
//! dozen lines.
//!
//! A store with a [`Fallback`] is two stores and promises less than one: plain reads and writes,
//! with lifetimes. It always refuses conditions, `take`, counters and queues. Read-only, compress and
//! encrypt change what may be done or what is stored: they see keys and values, and refuse queues.
//! Statistics see keys and the sizes of values. A near cache sees keys and values too; queues pass it,
//! since nothing of them is kept.
//!
//! # What no layer does
//! A layer sends a write again, to either store, only if the error says that the write was not
//! applied. No layer starts a task, reads the environment, or shows a value or a secret.

mod call;
mod chance;
#[cfg(any(feature = "compress", feature = "encrypt"))]
mod coded;
#[cfg(feature = "compress")]
mod compress;
#[cfg(feature = "encrypt")]
mod encrypt;
mod fallback;
mod layer;
mod limit;
mod near;
mod observe;
mod read_only;
mod retry;
mod stack;
mod statistics;
mod timeout;

pub use call::{Access, Call, Operation};
#[cfg(feature = "compress")]
pub use compress::Compress;
#[cfg(feature = "encrypt")]
pub use encrypt::{Encrypt, EncryptionKey};
pub use fallback::{Fallback, FallbackStore};
pub use layer::{Layer, Layered};
pub use limit::Limit;
pub use near::{NearCache, NearFigures};
pub use observe::{Ended, Figures, Latencies, Meter, Metrics, Observe};
pub use read_only::ReadOnly;
pub use retry::Retry;
pub use stack::Layers;
pub use statistics::{Statistics, Usage};
pub use timeout::Timeout;
