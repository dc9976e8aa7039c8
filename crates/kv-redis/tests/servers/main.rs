//! What stores do when real servers move their slots, fail over, refuse and come back.

#![cfg(test)]

#[path = "../common/calls.rs"]
mod calls;
mod failover;
mod load;
mod redirects;
mod reshard;
mod support;
