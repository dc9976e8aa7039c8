//! What a run leaves behind: every sample, and what it is measured against.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::machine::Machine;

/// The figures of one turn, by name; the unit is in the name.
pub(crate) type Sample = BTreeMap<String, f64>;

/// One run of `kv-bench store` or `kv-bench queue`.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Run {
    pub(crate) machine: Machine,
    pub(crate) settings: Settings,
    /// What held before anything was measured.
    pub(crate) gate: Vec<String>,
    /// What was not run, and why.
    pub(crate) skipped: Vec<String>,
    pub(crate) contests: Vec<Contest>,
}

/// How it was run.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Settings {
    pub(crate) rounds: usize,
    /// Small sizes: the figures show that it works, no more.
    pub(crate) quick: bool,
    /// The scenarios that were asked for; empty for all.
    pub(crate) only: Vec<String>,
    /// How many keys or jobs a file has in it where a scenario depends on that.
    #[serde(default = "Settings::default_stored")]
    pub(crate) stored: u64,
}

/// Contestants that take turns at one job.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Contest {
    pub(crate) scenario: String,
    pub(crate) name: String,
    pub(crate) about: String,
    /// The figure that it is about.
    pub(crate) figure: String,
    /// Whose figure the others' are divided by.
    pub(crate) floor: Option<String>,
    pub(crate) entries: Vec<Entry>,
    pub(crate) targets: Vec<Target>,
}

/// One contestant and how it did.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Entry {
    pub(crate) name: String,
    pub(crate) tier: Tier,
    pub(crate) about: String,
    /// One for each round.
    pub(crate) samples: Vec<Sample>,
}

/// What a contestant guarantees; only equals compare.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Tier {
    /// A crash loses no job, and who lost a job's lease cannot settle it.
    Fenced,
    /// A crash loses no job.
    CrashSafe,
    /// No queue, or none that survives a crash.
    Plain,
}

impl Tier {
    pub(crate) const fn name(self) -> &'static str {
        match self {
            Self::Fenced => "crash-safe, fenced",
            Self::CrashSafe => "crash-safe",
            Self::Plain => "",
        }
    }
}

/// What an entry is to reach.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Target {
    pub(crate) entry: String,
    pub(crate) figure: String,
    pub(crate) bound: Bound,
    /// The entry by whose figure the own one is divided, round by round; none for the figure as
    /// it is.
    pub(crate) of: Option<String>,
}

/// Which side of a number is good.
#[derive(Clone, Copy, Debug, Serialize, Deserialize)]
pub(crate) enum Bound {
    AtLeast(f64),
    AtMost(f64),
}

impl Target {
    pub(crate) fn at_least(times: f64, entry: &str, of: &str, figure: &str) -> Self {
        Self::new(entry, figure, Bound::AtLeast(times), Some(of))
    }

    pub(crate) fn at_most_times(times: f64, entry: &str, of: &str, figure: &str) -> Self {
        Self::new(entry, figure, Bound::AtMost(times), Some(of))
    }

    pub(crate) fn at_most(most: f64, entry: &str, figure: &str) -> Self {
        Self::new(entry, figure, Bound::AtMost(most), None)
    }

    fn new(entry: &str, figure: &str, bound: Bound, of: Option<&str>) -> Self {
        let of = of.map(str::to_owned);
        Self { entry: entry.to_owned(), figure: figure.to_owned(), bound, of }
    }
}

impl Contest {
    pub(crate) fn entry(&self, name: &str) -> Option<&Entry> {
        self.entries.iter().find(|entry| entry.name == name)
    }
}

impl Entry {
    /// One figure of all rounds.
    pub(crate) fn figures(&self, name: &str) -> Vec<f64> {
        self.samples.iter().filter_map(|sample| sample.get(name).copied()).collect()
    }

    /// One figure of all rounds, each divided by another entry's in the same round.
    pub(crate) fn ratios(&self, of: &Entry, name: &str) -> Vec<f64> {
        let both = self.samples.iter().zip(&of.samples);
        both.filter_map(|(own, other)| Some(own.get(name)? / other.get(name)?)).collect()
    }
}
