//! Faults under a working queue on a real Redis: processes, servers, clocks and disks that fail.
//!
//! What is lost, done twice or half there is looked for from outside: in what the queue's verbs
//! say, and in the server's keys.

#![cfg(test)]

mod agreement;
mod bench;
mod clocks;
mod drops;
mod failover;
mod full;
mod gone;
mod idle;
mod kills;
mod ledger;
mod pauses;
mod poison;
mod power;
mod scripts;
mod silence;
mod silent_shard;
mod slow;
