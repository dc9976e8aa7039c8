//! What all handles of one open queue share: requests that survive a lost reply, and exchanges
//! that concurrent callers share.
//!
//! ```text
//!   Requests      what gathers for each partition leaves in shared exchanges
//!     Claimers    who wants to claim with them: workers, known by a trait
//!     Connection  the engine; numbers, bounds and repeats each request
//! ```

mod budget;
mod claimers;
mod connection;
mod exchanges;
mod repeats;
mod sessions;
mod watched;

pub(crate) use claimers::{Claimer, Claims, PendingClaim};
pub use connection::Undecodable;
pub(crate) use connection::{Connection, Settings};
pub(crate) use exchanges::{Item, Reply, Requests};
