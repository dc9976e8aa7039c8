//! Many scripts, and the shortest one that fails.

use std::fmt;
use std::ops::Range;

use super::{Coverage, Script, Subject, draw, run};

/// Where a subject and the machine differ.
pub struct Failure {
    /// The shrunk script, and the seed from which its original was drawn.
    pub script: Script,
    /// The step at which they differ, from 0.
    pub step: usize,
    /// How they differ.
    pub why: String,
}

impl fmt::Debug for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "seed {}, shrunk to {} steps:", self.script.seed, self.script.steps.len())?;
        for (index, step) in self.script.steps.iter().enumerate() {
            writeln!(f, "  {index}: {step:?}")?;
        }
        write!(f, "at step {}: {}", self.step, self.why)
    }
}

/// Runs the scripts of seeds, each on a fresh subject; what was seen.
///
/// # Errors
/// The first difference, shrunk.
pub async fn check<S: Subject>(
    make: impl AsyncFn() -> S,
    seeds: Range<u64>,
    steps: usize,
) -> Result<Coverage, Box<Failure>> {
    let mut seen = Coverage::default();
    for seed in seeds {
        let script = draw(seed, steps);
        match run(&make().await, &script).await {
            Ok(coverage) => seen.add(&coverage),
            Err(failed) => return Err(Box::new(shrink(&make, script, failed).await)),
        }
    }
    Ok(seen)
}

/// Leaves out steps, in halving chunks, until no single one can be left out, then parts of steps:
/// the rest still fails.
pub async fn shrink<S: Subject>(
    make: &impl AsyncFn() -> S,
    mut script: Script,
    mut failed: (usize, String),
) -> Failure {
    script.steps.truncate(failed.0 + 1);
    let mut chunk = script.steps.len().div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let before = script.steps.len();
        while at < script.steps.len() {
            let mut shorter = script.clone();
            shorter.steps.drain(at..(at + chunk).min(script.steps.len()));
            match run(&make().await, &shorter).await {
                Ok(_) => at += chunk,
                Err(again) => (script, failed) = (shorter, again),
            }
        }
        let settled = script.steps.len() == before;
        chunk = if chunk == 1 && !settled { 1 } else { chunk / 2 };
    }
    for at in 0..script.steps.len() {
        let mut part = 0;
        while let Some(smaller) = script.steps.get(at).and_then(|step| step.without(part)) {
            let mut simpler = script.clone();
            simpler.steps[at] = smaller;
            match run(&make().await, &simpler).await {
                Ok(_) => part += 1,
                Err(again) => (script, failed) = (simpler, again),
            }
        }
    }
    Failure { script, step: failed.0, why: failed.1 }
}
