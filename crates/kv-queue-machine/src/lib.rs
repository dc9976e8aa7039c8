//! The meaning of the queue: a pure, deterministic state machine over abstract ordered tables.
//!
//! This crate is the specification of [`kv_core::queue`]. A host brings [`Tables`] and the time
//! of its store; [`Machine`] does one verb of one partition with them. It reads no clock, draws
//! no random number and starts nothing, so that the same calls on the same tables give the same
//! answers. An engine in another language (such as a script inside a server) follows these pages
//! and is compared with the machine by the `testing` feature, reply for reply.
//!
//! # Tables of a partition
//! | Set | Member | Score | Holds |
//! |---|---|---|---|
//! | [`Set::Ready`] | job key, behind its place if it came back | [`JobKey::rank`](kv_core::queue::JobKey::rank) of the key or place | claimable jobs |
//! | [`Set::Timed`] | job key | due time | delayed jobs, retries, snoozes |
//! | [`Set::Leases`] | `key:token` | end of the lease | delivered jobs |
//! | [`Set::Dead`] | job key | time of death | dead letters |
//! | [`Set::Windows`] | unique key | end of the window | unique keys that end by time |
//! | [`Set::Lanes`] | lane's name | when it is forgotten | lanes |
//!
//! | Map | Key | Value |
//! |---|---|---|
//! | [`Map::Job`] | job key | what differs from a fresh job; absent for a fresh one |
//! | [`Map::Body`] | job key | the body, for every job of every state |
//! | [`Map::Checkpoint`] | job key | the last checkpoint's state |
//! | [`Map::Unique`] | unique key | the key of the job that holds it |
//! | [`Map::Lane`] | lane's name | the last request's number and reply |
//!
//! A set is ordered by score, then by the member's bytes. A job is in exactly one of `Ready`,
//! `Timed`, `Leases` and `Dead`, from its submission to its end; it exists while `Body` has it.
//! So what is outstanding is the sum of three lengths, and no counter can drift.
//!
//! # Time
//! A stamp is a whole number of microseconds since 1970-01-01T00:00:00Z, at most 2^53 - 1
//! ([`MAX_STAMP`](kv_core::queue::MAX_STAMP)). Each step takes one reading of the store's clock and uses it throughout. A
//! duration is rounded up to a microsecond and clamped to
//! [`MAX_LIFETIME`](kv_core::MAX_LIFETIME); a sum beyond [`MAX_STAMP`](kv_core::queue::MAX_STAMP) is clamped to it. What is
//! stamped `t` is due, ended or expired from `now == t` on. The time is taken as it comes: where
//! a clock goes back, jobs come due and leases end that much later, and nothing else changes.
//! A step does not clamp to the latest time seen, since one wrong reading of the far future would
//! then end every lease at once for good.
//!
//! # Requests
//! The parts of a request are done in the order of their documentation. Everything that can be
//! refused is checked before the first write: [`TooLarge`](kv_core::ErrorKind::TooLarge) for more
//! than [`MAX_BATCH`](kv_core::queue::MAX_BATCH) items or a limit above it, a priority above
//! [`MAX_PRIORITY`](kv_core::queue::MAX_PRIORITY), a unique key of more than
//! [`MAX_UNIQUE_BYTES`](kv_core::queue::MAX_UNIQUE_BYTES), a lane's name of more than [`MAX_LANE_BYTES`](kv_core::queue::MAX_LANE_BYTES) or a request number above
//! [`MAX_STAMP`](kv_core::queue::MAX_STAMP); [`Conflict`](kv_core::ErrorKind::Conflict) for a lane's older request. Items of
//! an exchange are never refused for their values, since one worker's exchange carries many jobs:
//! a reason is cut, a progress above [`MAX_STAMP`](kv_core::queue::MAX_STAMP) counts as that, a duration is clamped.
//!
//! # What is broken
//! Stored bytes that no machine wrote never make a step panic. A job whose record cannot be read,
//! whose body is gone, or whose checkpoint is gone harms no other job: it becomes a dead letter with
//! a [`reason`] of its own where it is claimed or handed back. A member that is no job is dropped
//! where it is met. A lane that cannot be read is an error of kind
//! [`Backend`](kv_core::ErrorKind::Backend), before the first write, like everything that can be
//! refused.
//!
//! # The order of ready jobs
//! Of the ready jobs of a priority, those that were never delivered are in the order of their
//! submissions. A job that comes back, by a snooze, a retry, an ended lease or a redrive, takes its
//! place between the last job that had entered by then and the next one that enters, behind those
//! that came back before. A release keeps the place. The sequence numbers do not move by this.

mod machine;
mod member;
mod memory;
mod record;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod time;

pub use machine::{LANE_LIFETIME, LANE_SLACK, Machine, PAST_AT_ONCE, reason};
pub use memory::MemTables;
pub use tables::{Counter, Map, Member, Set, Tables};
