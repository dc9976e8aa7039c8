//! The contract's rules, each a test, on a real server whose clock is stepped.

#![cfg(test)]

mod agreement;
mod backend;
#[path = "../common/fleet.rs"]
mod fleet;
mod fleets;

kv_testkit::conformance!(backend::Redis::start());
