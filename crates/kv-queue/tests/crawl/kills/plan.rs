//! What is killed when: drawn from a seed.

use std::fmt;
use std::time::Duration;

use fastrand::Rng;

/// How long the server stays away at most: below the crawl's lease of 5 s, so that leases that a
/// kill cut short can be seen when the server is back.
const LONGEST_OUTAGE_MILLIS: u64 = 3_000;

/// A crawl and the kills that it has to survive.
pub(super) struct Plan {
    pub(super) files: usize,
    pub(super) workers: usize,
    pub(super) kills: usize,
    pub(super) appendfsync: String,
    pub(super) seed: u64,
}

/// One kill: when, and what.
pub(super) struct Kill {
    /// At the first moment with jobs in flight when this many jobs are done.
    pub(super) done: u64,
    pub(super) target: Target,
}

#[derive(Clone, Copy)]
pub(super) enum Target {
    Worker(usize),
    AllWorkers,
    Server { down: Duration },
}

impl Plan {
    /// What every run of the tests does.
    pub(super) fn small() -> Self {
        let appendfsync = "always".to_owned();
        Self { files: 4_000, workers: 3, kills: 6, appendfsync, seed: fastrand::u64(..) }
    }

    /// What `cargo xtask soak crawl` asks for.
    pub(super) fn from_env() -> Self {
        let text = |name: &str| std::env::var(format!("OC_KV_SOAK_{name}")).ok();
        let number = |name: &str| text(name).map(|text| text.parse::<u64>().unwrap());
        let size = |name: &str, default| number(name).map_or(default, |n| n.try_into().unwrap());
        Self {
            files: size("FILES", 50_000),
            workers: size("WORKERS", 3),
            kills: size("KILLS", 50),
            appendfsync: text("APPENDFSYNC").unwrap_or_else(|| "always".to_owned()),
            seed: number("SEED").unwrap_or_else(|| fastrand::u64(..)),
        }
    }

    /// The kills, spread over the first three quarters of a crawl of this many jobs, so that it is
    /// never over before: a third of the server, a sixth of all workers at once, the others of one
    /// worker.
    pub(super) fn kills(&self, jobs: u64) -> Vec<Kill> {
        let mut rng = Rng::with_seed(self.seed);
        let mut targets: Vec<_> = (0..self.kills).map(|n| self.target(n, &mut rng)).collect();
        rng.shuffle(&mut targets);
        let mut moments: Vec<_> =
            targets.iter().map(|_| rng.u64(jobs / 50..jobs * 3 / 4)).collect();
        moments.sort_unstable();
        moments.into_iter().zip(targets).map(|(done, target)| Kill { done, target }).collect()
    }

    fn target(&self, number: usize, rng: &mut Rng) -> Target {
        match number % 6 {
            2 => Target::Server { down: Duration::ZERO },
            5 => Target::Server { down: Duration::from_millis(rng.u64(..LONGEST_OUTAGE_MILLIS)) },
            1 => Target::AllWorkers,
            _ => Target::Worker(rng.usize(..self.workers)),
        }
    }
}

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { files, workers, kills, appendfsync, seed } = self;
        write!(
            f,
            "files={files} workers={workers} kills={kills} appendfsync={appendfsync} seed={seed}"
        )
    }
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Worker(number) => write!(f, "worker {number}"),
            Self::AllWorkers => f.write_str("all workers"),
            Self::Server { down } => write!(f, "server, {:.1} s down", down.as_secs_f64()),
        }
    }
}
