//! The estimated size of a store's values.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// The bytes of a value on the wire beside its own bytes.
const HEADER: usize = 16;

/// The fraction of the difference by which the estimate follows smaller values: after a large value
/// it takes some seventy replies of small values, not one, until a request reads a hundred keys
/// again.
const SLOWNESS: usize = 16;

/// An estimated upper bound on the sizes of a store's values, from the values seen so far. The next
/// values may be larger.
#[derive(Default)]
pub(crate) struct Sizes {
    largest: AtomicUsize,
    /// Whether replies with several values gave the estimate: this process's own writes say little
    /// about the values of others.
    is_known: AtomicBool,
}

impl Sizes {
    /// A value of this size was written, or read alone.
    pub(crate) fn saw(&self, bytes: usize) {
        // Most values are no larger, and reading the atomic costs less than writing it.
        if bytes > self.largest.load(Ordering::Relaxed) {
            self.largest.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// Learns the largest of several values that were read together; 0 if there were none.
    pub(crate) fn learn(&self, largest: usize) {
        let believed = self.largest.load(Ordering::Relaxed);
        if largest > believed {
            self.largest.fetch_max(largest, Ordering::Relaxed);
        } else if largest < believed {
            // Of two updates at once one may be lost: later updates make up for it.
            let less = believed - (believed - largest).div_ceil(SLOWNESS);
            self.largest.store(less, Ordering::Relaxed);
        }
        if !self.is_known.load(Ordering::Relaxed) {
            self.is_known.store(true, Ordering::Relaxed);
        }
    }

    /// A reply did not come in time: the estimate is void.
    pub(crate) fn forget(&self) {
        self.is_known.store(false, Ordering::Relaxed);
    }

    /// How many bytes a reply of this many values has at most; `None` if unknown.
    pub(crate) fn of(&self, values: usize) -> Option<usize> {
        let largest = self.largest.load(Ordering::Relaxed).saturating_add(HEADER);
        self.is_known.load(Ordering::Relaxed).then(|| largest.saturating_mul(values))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_known_before_several_values_were_read() {
        let sizes = Sizes::default();
        sizes.saw(100);
        assert_eq!(sizes.of(1), None);
        sizes.learn(50);
        assert!(sizes.of(1).is_some_and(|bytes| (50..150).contains(&bytes)));
        sizes.forget();
        assert_eq!(sizes.of(1), None);
    }

    #[test]
    fn larger_values_count_at_once_and_smaller_ones_slowly() {
        let sizes = Sizes::default();
        sizes.learn(1_000);
        sizes.saw(1 << 20);
        sizes.learn(1_000);
        assert!(sizes.of(1) > Some(900_000));
        for _ in 0..200 {
            sizes.learn(1_000);
        }
        assert_eq!(sizes.of(10), Some((1_000 + HEADER) * 10));
    }
}
