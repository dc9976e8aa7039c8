//! What a store in a file promises beyond the contract.

#![cfg(test)]

mod compared;
mod durable;
mod faults;
mod growth;
mod kills;
mod reopened;
mod shared;
mod support;
mod together;
