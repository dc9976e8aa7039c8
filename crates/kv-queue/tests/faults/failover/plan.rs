//! What happens to the servers, in which order: drawn from a seed.

use std::fmt;

use fastrand::Rng;

/// What the servers have to survive.
pub(super) struct Plan {
    /// Half of them are handed over to a replica, half are kills.
    pub(super) failovers: usize,
    pub(super) reshard: Option<Slots>,
    pub(super) seed: u64,
}

/// Which slots a reshard moves.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Slots {
    All,
    /// Those that have keys.
    Occupied,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// A replica is told to take over from a primary that works.
    HandOver,
    /// A primary is killed (SIGKILL), and started again when a replica has taken over.
    Kill,
    /// Slots move from each primary to the next one.
    Reshard(Slots),
}

impl Plan {
    /// What every run of the tests does.
    pub(super) fn small(reshard: Option<Slots>) -> Self {
        Self { failovers: 2, reshard, seed: fastrand::u64(..) }
    }

    /// What `cargo xtask soak failover` asks for.
    pub(super) fn from_env(reshard: Option<Slots>) -> Self {
        let number = |name: &str| {
            let text = std::env::var(format!("OC_KV_SOAK_{name}")).ok();
            text.map(|text| text.parse::<u64>().unwrap())
        };
        let failovers = number("FAILOVERS").map_or(20, |count| count.try_into().unwrap());
        Self { failovers, reshard, seed: number("SEED").unwrap_or_else(|| fastrand::u64(..)) }
    }

    /// The faults in order: the reshard is in the midst of the failovers.
    pub(super) fn faults(&self, rng: &mut Rng) -> Vec<Fault> {
        let kinds = [Fault::HandOver, Fault::Kill].into_iter().cycle();
        let mut faults: Vec<_> = kinds.take(self.failovers).collect();
        rng.shuffle(&mut faults);
        if let Some(slots) = self.reshard {
            faults.insert(faults.len() / 2, Fault::Reshard(slots));
        }
        faults
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { failovers, reshard, seed } = self;
        write!(f, "failovers={failovers} reshard={reshard:?} seed={seed}")
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::HandOver => "handed over",
            Self::Kill => "killed",
            Self::Reshard(_) => "resharded",
        })
    }
}
