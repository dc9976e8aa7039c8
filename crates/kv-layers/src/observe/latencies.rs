//! How long calls took, as counts in buckets that double.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// From below a microsecond up to half an hour and more.
const BUCKETS: usize = 32;

/// Counts in use.
#[derive(Debug, Default)]
pub(super) struct Buckets([AtomicU64; BUCKETS]);

impl Buckets {
    pub(super) fn add(&self, took: Duration) {
        if let Some(bucket) = self.0.get(index(took)) {
            bucket.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn snapshot(&self) -> Latencies {
        Latencies(self.0.each_ref().map(|bucket| bucket.load(Ordering::Relaxed)))
    }
}

/// The bucket of what took less than `2^index` microseconds; the last one has no end.
fn index(took: Duration) -> usize {
    let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
    let bits = u64::BITS - micros.leading_zeros();
    usize::try_from(bits).map_or(BUCKETS - 1, |bits| bits.min(BUCKETS - 1))
}

/// How long calls took.
///
/// Durations are counted in buckets, each twice as wide as the last, so figures are right up to a
/// factor of two.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Latencies([u64; BUCKETS]);

impl Latencies {
    /// How many calls were measured.
    pub fn count(&self) -> u64 {
        self.0.iter().sum()
    }

    /// A time within which this part of the calls ended, such as 0.99; `None` without measurements.
    /// The time is at most twice the exact one, except for calls of less than a microsecond.
    pub fn quantile(&self, part: f64) -> Option<Duration> {
        let mut over = 0;
        let bounds = self.buckets();
        // One call more than the part; at least the first call, at most the last.
        let wanted = (self.count() as f64 * part.clamp(0.0, 1.0)).ceil().max(1.0);
        bounds.filter(|(_, count)| *count > 0).find_map(|(bound, count)| {
            over += count;
            (over as f64 >= wanted).then_some(bound)
        })
    }

    /// Each bucket's exclusive upper bound, and the number of its calls.
    pub fn buckets(&self) -> impl Iterator<Item = (Duration, u64)> + '_ {
        let last = self.0.len() - 1;
        self.0.iter().enumerate().map(move |(index, count)| {
            let bound =
                if index < last { Duration::from_micros(1 << index) } else { Duration::MAX };
            (bound, *count)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_duration_is_counted_below_the_bound_of_its_bucket_and_not_below_the_one_before() {
        for micros in [0, 1, 2, 3, 4, 1_000, 1_023, 1_024, 999_999_999] {
            let buckets = Buckets::default();
            buckets.add(Duration::from_micros(micros));
            let latencies = buckets.snapshot();
            let (bound, _) = latencies.buckets().find(|(_, count)| *count == 1).unwrap();
            assert!(Duration::from_micros(micros) < bound, "{micros}");
            assert!(Duration::from_micros(2 * micros + 1) >= bound, "{micros}");
        }
    }

    #[test]
    fn a_quantile_is_the_bound_of_its_bucket() {
        let buckets = Buckets::default();
        assert_eq!(buckets.snapshot().quantile(0.5), None);
        for micros in 1..=100 {
            buckets.add(Duration::from_micros(micros));
        }
        let latencies = buckets.snapshot();
        assert_eq!(latencies.count(), 100);
        for (part, micros) in [(0.0, 2), (0.5, 64), (0.99, 128), (1.0, 128)] {
            assert_eq!(latencies.quantile(part), Some(Duration::from_micros(micros)), "{part}");
        }
    }

    #[test]
    fn the_longest_durations_share_the_last_bucket() {
        let buckets = Buckets::default();
        buckets.add(Duration::MAX);
        buckets.add(Duration::from_secs(3_600));
        assert_eq!(buckets.snapshot().quantile(0.5), Some(Duration::MAX));
    }
}
