//! Two backends under the same random operations.

mod generate;
mod life;
mod moment;
mod operation;
mod sequence;
mod shrink;
mod side;
mod subject;

use kv_core::Capabilities;
use tokio::task::JoinSet;

use self::moment::{Moment, Pause};
use self::sequence::Sequence;
use self::shrink::{Item, Shrinker};
use self::subject::Pair;
use crate::trial::End;
use crate::{Backend, Failure};

/// What the operations need that are compared.
const USED: [Capabilities; 3] =
    [Capabilities::TTL, Capabilities::CONDITIONS, Capabilities::COUNTERS];

/// The longest step between two operations, in milliseconds.
///
/// Steps are even and lifetimes odd, so that no operation falls on the one millisecond, the very
/// end of a lifetime, in which backends may differ by their [grace](Backend::grace). Parts of a
/// millisecond do not change that, as long as the whole milliseconds of the time are even.
const LONGEST_STEP: u64 = 20;

/// How much is compared.
#[derive(Clone, Copy, Debug)]
pub struct Comparison {
    seed: u64,
    sequences: usize,
    steps: usize,
    together: usize,
}

impl Comparison {
    /// 1,000 sequences of 50 operations, 250 at a time, all made of this seed.
    pub const fn new(seed: u64) -> Self {
        Self { seed, sequences: 1_000, steps: 50, together: 250 }
    }

    /// How many sequences of operations, each on keys of its own.
    #[must_use]
    pub const fn sequences(self, sequences: usize) -> Self {
        Self { sequences, ..self }
    }

    /// How many operations each sequence has.
    #[must_use]
    pub const fn steps(self, steps: usize) -> Self {
        Self { steps, ..self }
    }

    /// How many sequences run side by side, from one step of the time to the next: they share the
    /// round trips of a server. At least one.
    #[must_use]
    pub const fn together(self, together: usize) -> Self {
        Self { together, ..self }
    }
}

/// What was compared.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Operations that both answered alike.
    pub operations: u64,
    /// Those among them that were about a key whose time had ended and that nobody had written or
    /// deleted since.
    pub touching_expired: u64,
    /// How often stores were opened anew between two operations.
    pub reopened: u64,
}

/// Drives a store of each backend with the same random operations, and wants equal answers.
///
/// Every verb takes part, also in batches, some of more than 1,000 keys, with conditions on versions
/// that were read before, with short, huge, tiny and zero lifetimes and values of up to 70 kB, on few
/// keys, through two handles by turns where there is [another](Backend::another). Time is stepped on
/// both between any two operations, in every second batch of sequences by parts of a millisecond;
/// what is left of a lifetime is compared in the others. A backend that
/// [reopens](Backend::reopen) does so once in each batch, after a close or without one. Values and kinds of errors have to be equal; versions count by what they do. Every
/// value is written once, and no version is used after a touch: where A-B-A or a touch changes a
/// version, stores may differ.
///
/// Both backends need time that stands still between the steps, and the same capabilities.
///
/// # Errors
/// The first difference, with the seed, and the shortest sequence found that shows it.
///
/// # Cancel safety
/// The stores may be left in any state; they are used for nothing else.
pub async fn compare<A: Backend, B: Backend>(
    left: &A,
    right: &B,
    comparison: Comparison,
) -> Result<Report, Failure> {
    let mut pair = Pair::new(left, right).await?;
    let (has, other_has) = pair.capabilities()?;
    if USED.iter().any(|used| has.contains(*used) != other_has.contains(*used)) {
        let (left, right) = (has, other_has);
        return Err(Failure::new(format!("the backends declare {left:?} and {right:?}")));
    }
    let mut report = Report::default();
    let (mut first, mut batch) = (0, 0);
    while first < comparison.sequences {
        let together = comparison.together.max(1).min(comparison.sequences - first);
        let numbers = first..first + together;
        let exact = batch % 2 == 0;
        let end = if batch % 4 < 2 { End::Closed } else { End::Dropped };
        let ran = Batch { pair: &mut pair, comparison, exact, end }.run(numbers).await?;
        report.operations += ran.operations;
        report.touching_expired += ran.touching_expired;
        report.reopened += ran.reopened;
        (first, batch) = (first + together, batch + 1);
    }
    Ok(report)
}

/// Sequences that run side by side.
struct Batch<'p, 'b> {
    pair: &'p mut Pair<'b>,
    comparison: Comparison,
    /// Whether the time goes by whole milliseconds.
    exact: bool,
    /// How the stores end before they are opened anew.
    end: End,
}

impl Batch<'_, '_> {
    async fn run(&mut self, numbers: std::ops::Range<usize>) -> Result<Report, Failure> {
        let Comparison { seed, steps, .. } = self.comparison;
        let mut time = fastrand::Rng::with_seed(seed ^ (numbers.start as u64).rotate_right(17));
        let sequences: Result<Vec<Sequence>, Failure> =
            numbers.map(|number| self.sequence(number)).collect();
        let (mut sequences, mut now) = (sequences?, Moment::default());
        // What happens to all of them after each step.
        let (mut rests, reopens_after) = (Vec::new(), time.usize(0..steps.max(1)));
        let mut report = Report::default();
        for number in 0..steps {
            sequences = step(sequences, now.whole()).await?;
            if let Some(differing) = sequences.iter().position(Sequence::differs) {
                let differing = sequences.swap_remove(differing);
                drop(sequences);
                return Err(self.explain(differing, &rests).await);
            }
            if number == reopens_after {
                report.reopened += self.reopen(&mut sequences).await?;
                rests.push((number, Item::Reopen(self.end)));
            }
            let whole = 2 * time.u64(0..=LONGEST_STEP / 2);
            let pause = Pause { whole, part: if self.exact { 0 } else { time.u64(0..1_000) } };
            self.pair.advance(now.go_on(pause));
            rests.push((number, Item::Pause(pause)));
        }
        // The next batch begins at a whole millisecond.
        self.pair.advance(now.go_on(Pause::TO_WHOLE));
        for sequence in &sequences {
            report.operations += sequence.operations();
            report.touching_expired += sequence.touching_expired();
            sequence.clean_up().await?;
        }
        Ok(report)
    }

    fn sequence(&self, number: usize) -> Result<Sequence, Failure> {
        let (left, right) = self.pair.sides(&format!("q{number}:"), self.exact)?;
        Ok(Sequence::new(self.comparison.seed, number, left, right))
    }

    /// Opens the stores anew that can be, and gives the sequences their handles; how many were.
    async fn reopen(&mut self, sequences: &mut [Sequence]) -> Result<u64, Failure> {
        sequences.iter_mut().for_each(Sequence::let_go);
        let reopened = self.pair.reopen(self.end).await?;
        sequences.iter_mut().try_for_each(|sequence| sequence.take_hold(self.pair))?;
        Ok(reopened)
    }

    async fn explain(&mut self, mut sequence: Sequence, rests: &[(usize, Item)]) -> Failure {
        let mut script = Vec::new();
        for (number, operation) in sequence.script().iter().enumerate() {
            script.push(Item::Do(operation.clone()));
            let rest = rests.iter().filter(|(after, _)| *after == number);
            script.extend(rest.map(|(_, item)| item.clone()));
        }
        sequence.let_go();
        let told = match Shrinker::new(self.pair, self.exact).explain(script).await {
            Ok(told) => told,
            Err(failure) => failure.to_string(),
        };
        let (seed, number) = (self.comparison.seed, sequence.number());
        Failure::new(format!("seed {seed}, sequence {number}: {}\n{told}", sequence.difference()))
    }
}

/// One operation of each sequence, all at the same time.
async fn step(sequences: Vec<Sequence>, now: u64) -> Result<Vec<Sequence>, Failure> {
    let mut running = JoinSet::new();
    for mut sequence in sequences {
        running.spawn(async move {
            sequence.step(now).await;
            sequence
        });
    }
    let mut done = Vec::with_capacity(running.len());
    while let Some(sequence) = running.join_next().await {
        done.push(sequence?);
    }
    // So that a seed leads to the same report whatever ended first.
    done.sort_unstable_by_key(Sequence::number);
    Ok(done)
}
