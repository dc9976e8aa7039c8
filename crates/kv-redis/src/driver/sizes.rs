//! How large the values of a store are believed to be.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

/// What a value costs on its way beside its own bytes.
const HEADER: usize = 16;

/// By which part of the difference the belief follows smaller values: after a large value some
/// seventy replies of small ones, and not one, let a hundred keys be read in one request again.
const SLOWNESS: usize = 16;

/// An upper bound on the sizes of a store's values, as far as any were seen. It can be wrong: the
/// next values may be larger.
#[derive(Default)]
pub(crate) struct Sizes {
    largest: AtomicUsize,
    /// Whether replies of several values have shown it: what a process writes tells little of what
    /// others wrote.
    is_known: AtomicBool,
}

impl Sizes {
    /// A value of this size was written, or read alone.
    pub(crate) fn saw(&self, bytes: usize) {
        // Most are no larger, and a look costs less than a write.
        if bytes > self.largest.load(Ordering::Relaxed) {
            self.largest.fetch_max(bytes, Ordering::Relaxed);
        }
    }

    /// This is the largest value among several that were read together; 0 if there were none.
    pub(crate) fn learn(&self, largest: usize) {
        let believed = self.largest.load(Ordering::Relaxed);
        if largest > believed {
            self.largest.fetch_max(largest, Ordering::Relaxed);
        } else if largest < believed {
            // Of two at once one may be lost: the next ones make up for it.
            let less = believed - (believed - largest).div_ceil(SLOWNESS);
            self.largest.store(less, Ordering::Relaxed);
        }
        if !self.is_known.load(Ordering::Relaxed) {
            self.is_known.store(true, Ordering::Relaxed);
        }
    }

    /// A reply did not come in time: nothing is known any more.
    pub(crate) fn forget(&self) {
        self.is_known.store(false, Ordering::Relaxed);
    }

    /// How many bytes a reply of so many values has at most; none if that is not known.
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
