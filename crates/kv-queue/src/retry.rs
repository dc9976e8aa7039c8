//! How long a failed job waits before it is tried again.

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

/// The delay before a retry, by the number of the failed attempt.
///
/// ```
/// use kv_queue::RetryPolicy;
/// use std::time::Duration;
/// let policy = RetryPolicy::exponential(Duration::from_secs(1), Duration::from_secs(60)).seeded(7);
/// for (attempt, longest) in [(1, 1), (2, 2), (3, 4), (10, 60), (1_000, 60)] {
///     let delay = policy.delay(attempt);
///     assert!(delay >= Duration::from_secs(longest) / 2 && delay <= Duration::from_secs(longest));
/// }
/// ```
#[derive(Clone)]
pub struct RetryPolicy {
    shape: Shape,
    chance: Arc<Mutex<fastrand::Rng>>,
}

#[derive(Clone)]
enum Shape {
    Fixed(Duration),
    Exponential { first: Duration, longest: Duration },
    Custom(Arc<dyn Fn(u32) -> Duration + Send + Sync>),
}

impl RetryPolicy {
    /// The same delay each time.
    pub fn fixed(delay: Duration) -> Self {
        Self::of(Shape::Fixed(delay))
    }

    /// Doubles from `first` up to `longest`. Up to half of the delay is taken off at random, so
    /// that jobs which failed together do not come back together.
    pub fn exponential(first: Duration, longest: Duration) -> Self {
        Self::of(Shape::Exponential { first, longest })
    }

    /// The delay that a function returns for the failed attempt, from 1.
    pub fn custom(delay: impl Fn(u32) -> Duration + Send + Sync + 'static) -> Self {
        Self::of(Shape::Custom(Arc::new(delay)))
    }

    /// The same policy with seeded random numbers, for tests that repeat.
    #[must_use]
    pub fn seeded(self, seed: u64) -> Self {
        Self { chance: Arc::new(Mutex::new(fastrand::Rng::with_seed(seed))), ..self }
    }

    /// How long to wait after this attempt, from 1, has failed.
    pub fn delay(&self, attempt: u32) -> Duration {
        match &self.shape {
            Shape::Fixed(delay) => *delay,
            Shape::Custom(delay) => delay(attempt),
            Shape::Exponential { first, longest } => {
                let doublings = attempt.saturating_sub(1).min(31);
                let full = first.saturating_mul(1 << doublings).min(*longest);
                let chance = self.chance.lock().unwrap_or_else(PoisonError::into_inner).f64();
                full.mul_f64(1.0 - chance / 2.0).min(full)
            }
        }
    }

    fn of(shape: Shape) -> Self {
        Self { shape, chance: Arc::new(Mutex::new(fastrand::Rng::new())) }
    }
}

impl Default for RetryPolicy {
    /// Exponential from one second to ten minutes.
    fn default() -> Self {
        Self::exponential(Duration::from_secs(1), Duration::from_secs(600))
    }
}

impl fmt::Debug for RetryPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.shape {
            Shape::Fixed(delay) => write!(f, "Fixed({delay:?})"),
            Shape::Exponential { first, longest } => {
                write!(f, "Exponential({first:?} to {longest:?})")
            }
            Shape::Custom(_) => f.write_str("Custom"),
        }
    }
}
