//! What the worker knows of one partition.

use std::time::Duration;

/// Where a partition stands in the worker's plan.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Life {
    /// The worker knows of no claimable job in the partition.
    #[default]
    Idle,
    /// The partition may have claimable jobs, and waits for its turn; the lowest place is next.
    Waiting { place: u64 },
    /// The partition is one of the few that share the slots.
    Active {
        /// Whether its next exchange will claim; room for one job is reserved for that claim.
        asked: bool,
        /// When its turn ends if others wait.
        turn_ends: Duration,
    },
    /// Its requests are late, so jobs that they may bring count against no limit. One claim goes
    /// on.
    Late { asked: bool },
    /// Its requests fail; no request is sent before this time.
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
    /// The maintenance takes a place until it is late; a trial takes no place.
    UnderWay { begun: Duration, late_at: Option<Duration> },
}

#[derive(Clone, Debug, Default)]
pub(super) struct Partition {
    pub(super) life: Life,
    pub(super) maintenance: Maintenance,
    /// Whether the partition may have claimable jobs.
    pub(super) has_work: bool,
    /// The jobs that the worker holds: running, or waiting for a slot.
    pub(super) held: usize,
    /// Claims in flight, and how many jobs they may bring.
    pub(super) claims: usize,
    pub(super) expected: usize,
    /// Settles without a verdict.
    pub(super) settling: usize,
    /// When the last answer came, or the first request after it left.
    pub(super) heard_at: Duration,
    /// When to check whether an answer came.
    pub(super) silent_at: Option<Duration>,
    /// Whether the last answer was late, or is still missing.
    pub(super) is_slow: bool,
    /// The number of times that jobs were announced; a claim that left before the last time is out
    /// of date.
    pub(super) told: u64,
    /// Whether a wake-up named the partition and no claim was answered since.
    pub(super) is_woken: bool,
    /// When to maintain the partition.
    pub(super) due: Option<Duration>,
    pub(super) maintained_at: Option<Duration>,
    /// Whether to claim after the next maintenance, whatever it moves.
    pub(super) claim_after: bool,
    /// Requests that failed in a row.
    pub(super) failures: u32,
    /// Requests in a row that brought no job although jobs were announced, and the time of the last
    /// one.
    pub(super) fruitless: u32,
    pub(super) fruitless_at: Duration,
    /// Claims in a row that brought no job although more were ready.
    pub(super) empty: u32,
    /// Until when wake-ups are ignored.
    pub(super) muted_until: Option<Duration>,
}

impl Partition {
    /// Whether an exchange of the partition has no answer yet.
    pub(super) const fn is_awaited(&self) -> bool {
        self.claims > 0 || self.settling > 0 || self.life.is_asked()
    }

    /// Whether the partition has no claim in flight and is not asked to claim.
    pub(super) const fn is_free(&self) -> bool {
        self.claims == 0 && !self.life.is_asked()
    }

    /// Held jobs, and jobs that claims in flight may bring.
    pub(super) const fn load(&self) -> usize {
        self.held.saturating_add(self.expected)
    }
}
