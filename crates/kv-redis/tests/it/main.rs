//! The store on a real server, alone and behind a proxy that breaks connections.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "a helper that cannot go on fails its test"
)]

mod bounded;
mod cache;
#[path = "../common/calls.rs"]
mod calls;
mod connect;
mod cuts;
mod durability;
mod globs;
mod large;
mod lifecycle;
mod reconnect;
mod round_trip;
mod shared;
mod support;
mod together;
mod verbs;
mod watching;
