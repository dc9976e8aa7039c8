//! The scheduler beside a model of the store, in virtual time.

mod tests;
mod world;
