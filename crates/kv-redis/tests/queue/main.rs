//! The queue's engine on a real server.

#![cfg(test)]

mod oracle;
mod stored;
mod waits;
