//! What handlers, schedules and the helpers for tests promise, on the engine in memory.

#![cfg(test)]

mod batches;
#[expect(dead_code, reason = "the tests of the queue use more of it")]
#[path = "../queue/bench.rs"]
mod bench;
mod handlers;
mod metering;
mod schedules;
mod services;
mod tasks;
mod testing;
#[expect(dead_code, reason = "the tests of the queue use more of it")]
#[path = "../queue/watched.rs"]
mod watched;
