//! What `get_or_set_with` and `get_or_set_many` promise, on a store in memory whose clock the tests
//! step. The same on Redis and SQLite, between processes, is in the tests of those backends.

#![cfg(test)]

mod ages;
mod early;
mod fail_safe;
mod failures;
mod many;
mod peers;
mod single;
mod support;
