//! The time of a comparison: its whole milliseconds are always even.

use std::fmt;
use std::time::Duration;

/// A step of the time.
#[derive(Clone, Copy)]
pub(super) struct Pause {
    /// Milliseconds; even.
    pub(super) whole: u64,
    /// Where in its millisecond the time is then, in microseconds.
    pub(super) part: u64,
}

impl Pause {
    /// To the beginning of a millisecond.
    pub(super) const TO_WHOLE: Self = Self { whole: 2, part: 0 };
}

impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { whole, part } = self;
        if *part == 0 {
            return write!(f, "advance by {whole} ms");
        }
        write!(f, "advance by {whole} ms, to {part} us within the millisecond")
    }
}

/// Where the time is, since it began at a whole millisecond.
#[derive(Default)]
pub(super) struct Moment {
    whole: u64,
    part: u64,
}

impl Moment {
    /// Whole milliseconds.
    pub(super) fn whole(&self) -> u64 {
        self.whole
    }

    /// Goes on; how far that is. The time does not go back: an earlier part is one of 2 ms later.
    pub(super) fn go_on(&mut self, pause: Pause) -> Duration {
        let Pause { whole, part } = pause;
        let before = self.since_the_start();
        self.whole += if part < self.part && whole == 0 { 2 } else { whole };
        self.part = part;
        self.since_the_start().saturating_sub(before)
    }

    fn since_the_start(&self) -> Duration {
        Duration::from_millis(self.whole) + Duration::from_micros(self.part)
    }
}
