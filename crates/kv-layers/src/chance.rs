//! Chance, from a seed where a test wants it to repeat.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

#[derive(Debug)]
pub(crate) struct Chance(Mutex<fastrand::Rng>);

impl Chance {
    pub(crate) fn new() -> Self {
        Self(Mutex::new(fastrand::Rng::new()))
    }

    pub(crate) fn seeded(seed: u64) -> Self {
        Self(Mutex::new(fastrand::Rng::with_seed(seed)))
    }

    /// A random duration between zero and the whole, evenly distributed.
    pub(crate) fn part_of(&self, whole: Duration) -> Duration {
        let part = self.0.lock().unwrap_or_else(PoisonError::into_inner).f64();
        whole.mul_f64(part).min(whole)
    }
}
