//! Services in Python and in Rust on one Redis, with the real Python on its side: the original's
//! stores (`original.py`) through redis-py, `json` and `pickle`.
#![cfg(test)]
#![cfg(all(feature = "pickle", feature = "redis"))]

mod conversion;
mod counters;
mod guide;
mod json;
mod keys;
mod lifetimes;
mod pickles;
mod queues;
mod service;
mod together;
