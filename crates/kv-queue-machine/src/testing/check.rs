//! Many scripts, and the shortest one that fails.

use std::fmt;
use std::ops::Range;

use super::{Coverage, Script, Step, Subject, draw, run};

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

/// Runs the scripts of these seeds, each on a fresh subject. Returns the coverage.
///
/// # Errors
/// The first difference, shrunk.
pub async fn check<S: Subject>(
    make: impl AsyncFn() -> S,
    seeds: Range<u64>,
    steps: usize,
) -> Result<Coverage, Box<Failure>> {
    check_scripts(make, seeds.map(|seed| draw(seed, steps))).await
}

/// Runs scripts, each on a fresh subject. Returns the coverage.
///
/// # Errors
/// The first difference, shrunk.
pub async fn check_scripts<S: Subject>(
    make: impl AsyncFn() -> S,
    scripts: impl IntoIterator<Item = Script>,
) -> Result<Coverage, Box<Failure>> {
    let mut seen = Coverage::default();
    for script in scripts {
        match run(&make().await, &script).await {
            Ok(coverage) => seen.add(&coverage),
            Err(failed) => return Err(Box::new(shrink(&make, script, failed).await)),
        }
    }
    Ok(seen)
}

/// Removes steps, in halving chunks, until no single step can go; then parts of steps in the same
/// way; and so on while anything can go. The remaining script still fails.
pub async fn shrink<S: Subject>(
    make: &impl AsyncFn() -> S,
    mut script: Script,
    failed: (usize, String),
) -> Failure {
    script.steps.truncate(failed.0 + 1);
    let mut failure = Failure { script, step: failed.0, why: failed.1 };
    // Without a part, whole steps may go too.
    loop {
        let before = size(&failure.script);
        shrink_steps(make, &mut failure).await;
        if size(&failure.script) == before {
            return failure;
        }
    }
}

/// How many parts can be removed.
fn size(script: &Script) -> usize {
    script.steps.iter().map(|step| 1 + step.parts()).sum()
}

/// Removes steps, then parts of the remaining steps.
async fn shrink_steps<S: Subject>(make: &impl AsyncFn() -> S, failure: &mut Failure) {
    let len = |script: &Script| script.steps.len();
    let leave_out = |script: &mut Script, range| drop(script.steps.drain(range));
    shrink_list(make, failure, len, leave_out).await;
    for at in 0..failure.script.steps.len() {
        let len = |script: &Script| script.steps.get(at).map_or(0, Step::parts);
        let leave_out = |script: &mut Script, range| {
            if let Some(step) = script.steps.get_mut(at) {
                step.leave_out(range);
            }
        };
        shrink_list(make, failure, len, leave_out).await;
    }
}

/// Removes everything that can go from one list in a script.
async fn shrink_list<S: Subject>(
    make: &impl AsyncFn() -> S,
    failure: &mut Failure,
    len: impl Fn(&Script) -> usize,
    leave_out: impl Fn(&mut Script, Range<usize>),
) {
    let mut chunk = len(&failure.script).div_ceil(2);
    while chunk > 0 {
        let mut at = 0;
        let before = len(&failure.script);
        while at < len(&failure.script) {
            let mut script = failure.script.clone();
            leave_out(&mut script, at..(at + chunk).min(len(&failure.script)));
            match run(&make().await, &script).await {
                Ok(_) => at += chunk,
                Err((step, why)) => *failure = Failure { script, step, why },
            }
        }
        let settled = len(&failure.script) == before;
        chunk = if chunk == 1 && !settled { 1 } else { chunk / 2 };
    }
}
