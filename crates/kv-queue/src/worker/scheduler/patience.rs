//! How long an answer may take before it is late.

use std::time::Duration;

/// The least and the longest patience. A due job must begin within 50 ms although partitions before
/// it hang, so the least patience must fit twice into that time.
const PATIENCE: [Duration; 2] = [Duration::from_millis(20), Duration::from_secs(1)];

/// An answer may take this many times as long as the quicker answers.
const FACTOR: u32 = 4;

/// Follows the time of the quickest quarter of all answers. So many slow answers do not lengthen
/// the patience, and a distant store is not late all the time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Patience {
    quick: Duration,
}

impl Patience {
    pub(super) const fn new() -> Self {
        Self { quick: Duration::from_millis(5) }
    }

    /// Learns how long an answer took.
    pub(super) fn learn(&mut self, latency: Duration) {
        // A step down is three times a step up, so they balance when a quarter of the answers is
        // quicker.
        let step = self.quick / 8;
        let quick = if latency > self.quick { self.quick + step } else { self.quick - step * 3 };
        let [least, longest] = PATIENCE;
        self.quick = quick.clamp(least / FACTOR, longest / FACTOR);
    }

    pub(super) fn get(self) -> Duration {
        let [least, longest] = PATIENCE;
        (self.quick * FACTOR).clamp(least, longest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn after(latencies: impl IntoIterator<Item = u64>) -> Duration {
        let mut patience = Patience::new();
        latencies.into_iter().for_each(|one| patience.learn(Duration::from_millis(one)));
        patience.get()
    }

    #[test]
    fn patience_follows_the_quicker_answers_within_its_bounds() {
        assert_eq!(after([]), Duration::from_millis(20));
        assert_eq!(after([1; 50]), Duration::from_millis(20));
        let far = after([50; 100]);
        assert!(far > Duration::from_millis(100) && far < Duration::from_millis(300), "{far:?}");
        assert_eq!(after([60_000; 100]), Duration::from_secs(1));
    }

    #[test]
    fn many_slow_answers_among_quick_ones_make_no_longer_patience() {
        let mixed = (0..3_000).map(|n| if n % 3 == 0 { 1 } else { 400 });
        assert!(after(mixed) < Duration::from_millis(60));
    }
}
