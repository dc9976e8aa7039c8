//! Bytes, conditional deletes, counters, locks, limits and tags, on a store in memory whose clock the
//! tests step. The same on Redis and SQLite is in the tests of those backends.

#![cfg(test)]

mod counters;
mod limits;
mod locks;
mod rates;
mod raw;
mod support;
mod tags;
