//! The contract of the key-value store, and everything about it that is pure.
//!
//! A backend implements [`KeyValueStore`]: bytes under string keys. A program uses [`Store`]: typed
//! values, a serializer, a default lifetime, namespaces. [`queue`] is the contract of queue
//! engines. This crate does no I/O and does not read the environment. It starts tasks only for loads
//! under [`CacheOptions`] and to renew leases, and needs no runtime otherwise.

mod backend;
mod capabilities;
mod clock;
mod command;
mod durability;
mod entry;
mod error;
mod key;
mod pace;
mod pattern;
pub mod queue;
mod rate;
mod scan;
mod serializer;
mod stats;
mod store;
mod watch;
mod write;

pub use backend::provided::add_to_counter;
pub use backend::{KeyValueStore, refuse_conditions};
pub use capabilities::Capabilities;
pub use clock::{Clock, SystemClock};
pub use command::{Command, Reply};
pub use durability::{Achieved, Durability};
pub use entry::{Entry, Version};
pub use error::{BoxError, Effect, Error, ErrorKind, Result};
pub use key::{MAX_KEY_BYTES, RESERVED, is_reserved, validate_key};
pub use pace::Pace;
pub use pattern::Pattern;
pub use rate::{CheckedRate, Decision, Rate};
pub use scan::{Cursor, ScanPage, ScanRequest};
pub use serializer::{Format, MAX_DEPTH, Serializer, without_values};
pub use stats::Stats;
pub use store::{
    Batch, BatchReplies, CacheOptions, CachePolicy, Flag, Limiter, Lock, Number, Pipeline, Read,
    Scan, SetOptions, Step, Store, Ticket, Undecodable, Wrote,
};
pub use watch::{Change, Watch, Watcher, Watchers};
pub use write::{Condition, Expiry, Lifetime, MAX_LIFETIME, Outcome, Remaining, Write};

pub use {async_trait::async_trait, bytes::Bytes, erased_serde};
