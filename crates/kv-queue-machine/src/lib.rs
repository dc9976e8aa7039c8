//! The meaning of the queue: a pure, deterministic state machine over abstract ordered tables.
//!
//! This crate is the specification of [`kv_core::queue`]. A host passes in [`Tables`] and the time
//! of its store; [`Machine`] executes one verb on one partition. The machine reads no clock, draws
//! no random number and starts no task, so the same calls on the same tables give the same answers.
//! An engine in another language, such as a script inside a server, follows this specification; the
//! feature `testing` compares its replies with the machine's, one by one.
//!
//! # Tables of a partition
//! | Set | Member | Score | Holds |
//! |---|---|---|---|
//! | [`Set::Ready`] | job key, behind its place if it came back | [`JobKey::rank`](kv_core::queue::JobKey::rank) of the key or place | claimable jobs |
//! | [`Set::Timed`] | job key | due time | delayed jobs, retries, snoozes |
//! | [`Set::Leases`] | `key:token` | end of the lease | delivered jobs |
//! | [`Set::Dead`] | job key | time of death | dead letters |
//! | [`Set::Windows`] | unique key | end of the window | unique keys that end by time |
//! | [`Set::Sessions`] | session's name | when it is forgotten | sessions |
//! | [`Set::Done`] | job key | time of the end | jobs that are done and kept |
//!
//! | Map | Key | Value |
//! |---|---|---|
//! | [`Map::Job`] | job key | what differs from a fresh job; absent for a fresh one |
//! | [`Map::Job`] | job key and `h` | the time of its submission, if noted, and its last failures |
//! | [`Map::Job`] | `marks` | times, each with the last sequence that was given by then |
//! | [`Map::Body`] | job key | the body, for every job of every state |
//! | [`Map::Checkpoint`] | job key | the last checkpoint's state, or what a kept job returned |
//! | [`Map::Unique`] | unique key | the key of the job that holds it |
//! | [`Map::Session`] | session's name | the last request's number and reply |
//!
//! A set is ordered by score, then by the member's bytes. From its submission to its end a job is
//! in exactly one of `Ready`, `Timed`, `Leases` and `Dead`; it exists while `Body` has its body. A job
//! that is done and kept is in `Done`, and has no body. So
//! the number of outstanding jobs is the sum of the lengths of three sets, and no counter can
//! drift.
//!
//! # Time
//! A stamp is a whole number of microseconds since 1970-01-01T00:00:00Z, at most 2^53 - 1
//! ([`MAX_STAMP`](kv_core::queue::MAX_STAMP)). Each step reads the store's clock once. A duration
//! is rounded up to a microsecond and clamped to [`MAX_LIFETIME`](kv_core::MAX_LIFETIME); a sum
//! beyond [`MAX_STAMP`](kv_core::queue::MAX_STAMP) is clamped to it. A stamp `t` is due, ended or
//! expired from `now == t` on. If the clock goes back, jobs become due and leases end that much
//! later, and nothing else changes. A step does not clamp the time to the latest time seen, because
//! one wrong reading in the far future would then end every lease at once from then on.
//!
//! # Requests
//! The parts of a request are executed in the order of their documentation. A step checks
//! everything that it can refuse before its first write: [`TooLarge`](kv_core::ErrorKind::TooLarge)
//! for more than [`MAX_BATCH`](kv_core::queue::MAX_BATCH) items or a limit above it, a priority
//! above [`MAX_PRIORITY`](kv_core::queue::MAX_PRIORITY), a unique key of more than
//! [`MAX_UNIQUE_BYTES`](kv_core::queue::MAX_UNIQUE_BYTES), a session's name of more than
//! [`MAX_SESSION_BYTES`](kv_core::queue::MAX_SESSION_BYTES) or a request number above
//! [`MAX_STAMP`](kv_core::queue::MAX_STAMP); [`Conflict`](kv_core::ErrorKind::Conflict) for a
//! session's older request. An exchange never refuses an item for its value, since it carries many
//! jobs of a worker: a reason is cut, a progress is clamped to
//! [`MAX_STAMP`](kv_core::queue::MAX_STAMP), a duration is clamped.
//!
//! # What is broken
//! Stored bytes that no machine wrote never make a step panic. A job with an unreadable record, or
//! without its body or checkpoint, harms no other job: a claim or a hand-back makes it a dead
//! letter with a [`reason`] of its own. A step drops a member that does not name a job when it
//! meets the member. A session that cannot be read fails with
//! [`Backend`](kv_core::ErrorKind::Backend) before the first write.
//!
//! # The order of ready jobs
//! Ready jobs of one priority that were never delivered are in the order of their submissions. A
//! job that comes back by a snooze, a retry, an ended lease or a redrive takes its place between
//! the last job that had entered by then and the next job that enters, behind jobs that came back
//! before. A release keeps the job's place. Sequence numbers do not change.

mod group;
mod machine;
mod member;
mod memory;
mod record;
mod tables;
#[cfg(feature = "testing")]
pub mod testing;
mod time;

pub use machine::{Machine, PAST_AT_ONCE, SESSION_LIFETIME, SESSION_SLACK, reason};
pub use memory::{Cleared, MemTables};
pub use tables::{Counter, Map, Member, Set, Tables};
