//! Layers around any store: what a program wants of every call, whatever the backend.
//!
//! | Layer | What it does | What its caller may see |
//! | --- | --- | --- |
//! | [`Observe`] | counts and traces each call | nothing |
//! | [`Fallback`] | uses a spare store while the primary is away | a store that promises less |
//! | [`Limit`] | bounds how many calls run and wait | `Backpressure` |
//! | [`Retry`] | repeats what failed in passing and changed nothing | fewer errors, later |
//! | [`Timeout`] | bounds the time of each attempt | `Timeout` |
//!
//! [`Layers`] puts several of them around a store, in this order, the outermost first; it tells
//! why. A layer alone is put around a store by [`Layer::on`].
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
//! All but fallback are *transparent*: they change neither what is asked nor what is answered. Such
//! a layer implements [`Layer`], which is one method that stands around every call; [`Layered`] is
//! the one place that forwards all methods of the contract, and all verbs of a native queue engine.
//! So the store keeps its capabilities, its queues and its fast path, and a layer is a few dozen
//! lines, one of a program's own too.
//!
//! A store with a [`Fallback`] is two stores, which can promise less than one: plain reads and
//! writes, with lifetimes. It refuses conditions, `take`, counters and queues at all times.
//!
//! # What no layer does
//! No write is sent a second time unless its error says that it was not applied, to no store. No
//! layer starts a task, reads the environment, or shows a value or a secret.

mod call;
mod chance;
mod fallback;
mod layer;
mod layered;
mod limit;
mod observe;
mod retry;
mod stack;
mod timeout;

pub use call::{Access, Call, Operation};
pub use fallback::{Fallback, FallbackStore};
pub use layer::Layer;
pub use layered::Layered;
pub use limit::Limit;
pub use observe::{Ended, Figures, Latencies, Meter, Metrics, Observe};
pub use retry::Retry;
pub use stack::Layers;
pub use timeout::Timeout;
