//! The Redis backend: a [`KeyValueStore`](kv_core::KeyValueStore) on one Redis server, a Cluster,
//! or the primary that sentinels name.
//!
//! Values are plain strings that any client reads; a version is the value itself, compared on the
//! server in a script. Connections, reconnecting and bounded time are the business of the private
//! module `driver`; nothing of the driver's library appears in this crate's API.
//!
//! ```no_run
//! use kv_core::{Bytes, KeyValueStore, Write};
//! use kv_redis::{RedisConfig, RedisStore};
//!
//! # async fn example() -> kv_core::Result<()> {
//! let store = RedisStore::connect(RedisConfig::from_url("redis://localhost:6379/0")?).await?;
//! store.set("greeting", Bytes::from("hello"), Write::ALWAYS).await?;
//! let entry = store.get("greeting").await?.expect("it was just written");
//! assert_eq!(entry.value, "hello");
//! # Ok(())
//! # }
//! ```
//!
//! # What is promised
//! - Every call ends within [`RedisConfigBuilder::timeout`]. One of many keys or commands that are
//!   more than a MiB is sent in parts of about that much, so that other callers do not wait for
//!   all of it; then each part has that time.
//! - No write is sent twice. One whose request may have left and whose reply did not come is an
//!   error that says [`MaybeApplied`](kv_core::Effect::MaybeApplied); after
//!   [`NotApplied`](kv_core::Effect::NotApplied) nothing is sent any more. Reads are repeated
//!   when a connection breaks.
//! - While the server cannot be reached, calls fail at once; the connection comes back by itself,
//!   with pauses of 0.1 to 1.5 seconds between the attempts.
//! - A script that the server has forgotten is sent again, unnoticed by the caller.
//!
//! # Logs
//! What becomes of a connection is told through `tracing`, under the target `kv_redis`. The Redis
//! library below tells the same and more through the crate `log`, under targets that begin with
//! `fred`, and cannot be kept from it: a program that collects what comes through `log` leaves it
//! out by its filter, as `fred=off`.

mod batch;
mod config;
mod driver;
mod info;
mod many;
mod queue;
mod scan;
mod scripts;
mod stats;
mod store;
mod verbs;

pub use config::{Protocol, RedisConfig, RedisConfigBuilder, Tls};
pub use store::RedisStore;
