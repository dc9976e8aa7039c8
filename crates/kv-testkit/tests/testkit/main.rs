//! The suite is right about sound stores, and catches broken ones.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

mod broken;
mod compare;
mod decorators;
mod durable;
mod five;
mod messages;
mod stuck;
