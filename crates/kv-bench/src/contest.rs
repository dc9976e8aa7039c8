//! Contestants take turns: within each round everybody has one, so that what disturbs the machine
//! for a while disturbs them all.

use async_trait::async_trait;

use crate::model::{Contest, Entry, Sample, Target, Tier};
use crate::{Failure, Result, chain, report};

/// Somebody who does a contest's job.
#[async_trait]
pub(crate) trait Contestant: Send {
    /// Does it once and tells the figures.
    async fn turn(&mut self) -> Result<Sample>;

    /// Does a little of it, to show that it does what it should.
    async fn prove(&mut self) -> Result<()> {
        Ok(())
    }
}

/// A contest that is to be held.
pub(crate) struct Plan {
    contest: Contest,
    contestants: Vec<Box<dyn Contestant>>,
    most_rounds: usize,
}

impl Plan {
    pub(crate) fn new(scenario: &str, name: &str, about: &str, figure: &str) -> Self {
        let contest = Contest {
            scenario: scenario.to_owned(),
            name: name.to_owned(),
            about: about.to_owned(),
            figure: figure.to_owned(),
            floor: None,
            entries: Vec::new(),
            targets: Vec::new(),
        };
        Self { contest, contestants: Vec::new(), most_rounds: usize::MAX }
    }

    /// Adds a contestant.
    pub(crate) fn enter(
        mut self,
        name: &str,
        tier: Tier,
        about: &str,
        contestant: impl Contestant + 'static,
    ) -> Self {
        let (name, about) = (name.to_owned(), about.to_owned());
        self.contest.entries.push(Entry { name, tier, about, samples: Vec::new() });
        self.contestants.push(Box::new(contestant));
        self
    }

    /// Names the contestant by whom the others are measured.
    pub(crate) fn floor(mut self, name: &str) -> Self {
        self.contest.floor = Some(name.to_owned());
        self
    }

    pub(crate) fn target(mut self, target: Target) -> Self {
        self.contest.targets.push(target);
        self
    }

    /// The same under another name, without targets.
    pub(crate) fn for_information(mut self, what: &str) -> Self {
        self.contest.name = format!("{}, {what}", self.contest.name);
        self.contest.targets.clear();
        self
    }

    /// For what hardly varies, or takes long.
    pub(crate) const fn at_most_rounds(mut self, rounds: usize) -> Self {
        self.most_rounds = rounds;
        self
    }

    /// Has everybody show that they do what they should.
    async fn prove(&mut self) -> Result<()> {
        for (entry, contestant) in self.contest.entries.iter().zip(&mut self.contestants) {
            contestant.prove().await.map_err(|why| told(&self.contest.name, &entry.name, why))?;
        }
        Ok(())
    }

    /// Holds the contest. Another one begins in each round.
    async fn hold(mut self, rounds: usize) -> Result<Contest> {
        let contestants = self.contestants.len();
        for round in 0..rounds.min(self.most_rounds) {
            for place in 0..contestants {
                let at = (round + place) % contestants;
                let both = self.contestants.get_mut(at).zip(self.contest.entries.get_mut(at));
                let Some((contestant, entry)) = both else { continue };
                let sample = contestant.turn().await;
                let named = |why| told(&self.contest.name, &entry.name, why);
                entry.samples.push(sample.map_err(named)?);
            }
        }
        Ok(self.contest)
    }
}

/// Has everybody in all contests show that they do what they should.
pub(crate) async fn prove_all(plans: &mut [Plan]) -> Result<()> {
    for plan in plans {
        plan.prove().await?;
    }
    Ok(())
}

/// Holds all contests and prints each.
pub(crate) async fn hold_all(plans: Vec<Plan>, rounds: usize) -> Result<Vec<Contest>> {
    let mut contests = Vec::new();
    for plan in plans {
        let contest = plan.hold(rounds).await?;
        report::show(&contest);
        contests.push(contest);
    }
    Ok(contests)
}

/// An error that says whose it is.
#[expect(clippy::needless_pass_by_value, reason = "it takes what `map_err` gives")]
fn told(contest: &str, entry: &str, why: Failure) -> Failure {
    format!("{contest}: {entry}: {}", chain(&*why)).into()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    struct Named(char, Arc<Mutex<String>>);

    #[async_trait]
    impl Contestant for Named {
        async fn turn(&mut self) -> Result<Sample> {
            self.1.lock().unwrap().push(self.0);
            Ok(Sample::from([("x".to_owned(), 1.0)]))
        }
    }

    #[tokio::test]
    async fn everybody_has_a_turn_in_each_round_and_another_one_begins() {
        let order = Arc::new(Mutex::new(String::new()));
        let mut plan = Plan::new("scenario", "name", "", "x");
        for name in ['a', 'b', 'c'] {
            plan = plan.enter(&name.to_string(), Tier::Plain, "", Named(name, order.clone()));
        }
        let contest = plan.hold(3).await.unwrap();
        assert_eq!(*order.lock().unwrap(), "abcbcacab");
        assert!(contest.entries.iter().all(|entry| entry.samples.len() == 3));
    }
}
