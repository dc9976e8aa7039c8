//! The Redis backend: a [`KeyValueStore`](kv_core::KeyValueStore) on one Redis server, a Cluster,
//! or the primary that sentinels name.
//!
//! Values are plain strings that any client can read. A version is the value itself; a script on
//! the server compares it. The private module `driver` connects, reconnects and bounds the time of
//! calls. This crate's API shows nothing of the driver, fred.
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
//! - Every call ends within [`RedisConfigBuilder::timeout`]. A call of more than about 1 MiB, with
//!   many keys or commands, is sent in parts of about 1 MiB, so that other callers wait for one
//!   part only; then each part has the whole timeout.
//! - No write is sent twice. If a write may have left and no reply came, its error says
//!   [`MaybeApplied`](kv_core::Effect::MaybeApplied). After an error with
//!   [`NotApplied`](kv_core::Effect::NotApplied) the write is never sent later. Reads are repeated
//!   when a connection breaks.
//! - While the server cannot be reached, calls fail at once. The store reconnects by itself, with
//!   pauses of 0.1 to 1.5 seconds between attempts.
//! - If the server has forgotten a script, the store sends the script again; callers notice
//!   nothing.
//!
//! # Features
//! `cluster`, `sentinel` and `tls`, all on by default. A configuration that needs what is off is an
//! error of kind `Config`, which names the feature. Without `tls` a program is smaller by rustls and
//! ring.
//!
//! # Logs
//! Events of connections go to `tracing`, under the target `kv_redis`. fred, the Redis client
//! below, logs the same and more through the crate `log`, under targets that begin with `fred`. A
//! library cannot stop that; a program that collects `log` can filter it with `fred=off`.

mod batch;
mod coalesce;
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
mod watch;

pub use config::{Protocol, RedisConfig, RedisConfigBuilder, Tls};
pub use store::RedisStore;
