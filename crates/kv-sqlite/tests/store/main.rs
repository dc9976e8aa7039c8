//! What a store in a file promises beyond the contract.

#![cfg(test)]

mod compared;
mod disk;
mod durable;
mod faults;
mod growth;
mod jobs;
mod kills;
mod large;
mod reopened;
mod shared;
mod stopped;
mod support;
mod together;
