//! The queue's engine on a real server.

#![cfg(test)]

mod access;
mod backlog;
mod checks;
mod disturbed;
mod faults;
#[path = "../common/fleet.rs"]
mod fleet;
mod fleets;
mod format;
mod limits;
mod numbers;
mod oracle;
mod stored;
mod subject;
mod support;
mod waits;
