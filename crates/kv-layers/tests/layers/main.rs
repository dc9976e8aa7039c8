//! Layers do what they say, and nothing else.

#![expect(clippy::unwrap_used, clippy::panic, reason = "a helper that cannot go on fails its test")]

mod coded;
mod conformance;
mod fallback;
mod forwarding;
mod hidden;
mod limit;
mod log;
mod near;
mod observe;
mod queues;
mod retry;
mod stack;
mod statistics;
mod support;
mod timeout;
