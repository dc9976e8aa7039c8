//! The queue's engine on a real server.

#![cfg(test)]

mod access;
mod backlog;
mod broken;
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
mod purged;
mod stored;
mod subject;
mod support;
mod waits;
