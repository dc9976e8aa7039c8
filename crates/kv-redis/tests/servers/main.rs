//! What stores do when real servers move their slots, fail over, refuse and come back.

#![cfg(test)]

mod access;
#[path = "../common/calls.rs"]
mod calls;
mod failover;
mod handles;
mod large;
mod load;
mod names;
mod redirects;
mod reshard;
mod sentinel;
mod support;
mod tls;
mod unix;
mod waits;
mod watching;
