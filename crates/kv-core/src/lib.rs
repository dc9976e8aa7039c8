//! The contract of the key-value store, and everything about it that is pure.
//!
//! A backend implements [`KeyValueStore`]: bytes under string keys. A program uses [`Store`]: typed
//! values, a serializer, a default lifetime, namespaces. [`queue`] is the contract of queue
//! engines. This crate does no I/O, starts no task and does not read the environment.

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
mod scan;
mod serializer;
mod stats;
mod store;
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
pub use scan::{Cursor, ScanPage, ScanRequest};
pub use serializer::{Format, MAX_DEPTH, Serializer, without_values};
pub use stats::Stats;
pub use store::{
    Batch, BatchReplies, Flag, Number, Pipeline, Read, Scan, SetOptions, Step, Store, Ticket,
    Undecodable, Wrote,
};
pub use write::{Condition, Expiry, Lifetime, MAX_LIFETIME, Outcome, Remaining, Write};

pub use {async_trait::async_trait, bytes::Bytes, erased_serde};
