//! What is known of one partition.

use std::time::Duration;

/// Where a partition stands in the worker's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Life {
    /// No claimable job is known in it.
    #[default]
    Idle,
    /// It may have claimable jobs, and waits for its turn; the lowest place is next.
    Waiting { place: u64 },
    /// It is one of the few that share the slots.
    Active {
        /// Whether it is asked to claim with its next exchange, for which room for one is kept.
        asked: bool,
        /// Until when it goes on while others wait.
        turn_ends: Duration,
    },
    /// Its requests take long: what they may bring counts against no limit. One claim goes on.
    Late { asked: bool },
    /// Its requests fail: it is left alone until then.
    BackingOff { until: Duration },
}

impl Life {
    pub(super) const fn is_asked(self) -> bool {
        matches!(self, Self::Active { asked: true, .. } | Self::Late { asked: true })
    }

    /// Whether requests of the partition count against the limits.
    pub(super) const fn is_counted(self) -> bool {
        !matches!(self, Self::Late { .. } | Self::BackingOff { .. })
    }
}

/// Whether a partition is being maintained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Maintenance {
    #[default]
    Resting,
    /// It takes one of the places for maintenance until it is late; a trial takes none.
    UnderWay { begun: Duration, late_at: Option<Duration> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    pub(super) life: Life,
    pub(super) maintenance: Maintenance,
    /// Whether it may have claimable jobs.
    pub(super) has_work: bool,
    /// Jobs in hand: those that run, and those that wait for a slot.
    pub(super) held: usize,
    /// Claims under way, and how many jobs they may bring.
    pub(super) claims: usize,
    pub(super) expected: usize,
    /// Settles without a verdict.
    pub(super) settling: usize,
    /// When an answer last came, or the first request left since.
    pub(super) heard_at: Duration,
    /// When to look whether an answer came.
    pub(super) silent_at: Option<Duration>,
    /// Whether its last answer took long, or is still missing.
    pub(super) is_slow: bool,
    /// How often somebody told of jobs in it; a claim that left before the last time says nothing
    /// of now.
    pub(super) told: u64,
    /// Whether a wake-up named it, and no claim has come back since.
    pub(super) is_woken: bool,
    /// When to maintain it.
    pub(super) due: Option<Duration>,
    pub(super) maintained_at: Option<Duration>,
    /// Whether to claim after the next maintenance, whatever that moves.
    pub(super) claim_after: bool,
    /// Requests that failed in a row.
    pub(super) failures: u32,
    /// Requests in a row that brought nothing although something was told, and when the last was.
    pub(super) fruitless: u32,
    pub(super) fruitless_at: Duration,
    /// Until when wake-ups are not heard.
    pub(super) muted_until: Option<Duration>,
}

impl Partition {
    /// Whether an answer is awaited from its exchanges.
    pub(super) const fn is_awaited(&self) -> bool {
        self.claims > 0 || self.settling > 0 || self.life.is_asked()
    }

    /// Whether nothing is asked for that would have to be waited for.
    pub(super) const fn is_free(&self) -> bool {
        self.claims == 0 && !self.life.is_asked()
    }

    /// Jobs in hand, and those to come.
    pub(super) const fn load(&self) -> usize {
        self.held.saturating_add(self.expected)
    }
}
