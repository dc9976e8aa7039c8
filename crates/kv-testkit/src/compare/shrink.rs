//! The shortest script that still shows a difference.

use std::fmt;

use super::moment::{Moment, Pause};
use super::operation::Operation;
use super::subject::Pair;
use crate::Failure;
use crate::show::cut;
use crate::trial::End;

/// The most scripts that are tried; each is at most a sequence long.
const MAX_RUNS: usize = 1_000;

/// How many bytes of an answer are shown.
pub(super) const SHOWN: usize = 300;

/// A part of a script.
#[derive(Clone)]
pub(super) enum Item {
    Do(Operation),
    Pause(Pause),
    /// The stores end, and are opened anew.
    Reopen(End),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(operation) => write!(f, "{operation:?}"),
            Self::Pause(pause) => write!(f, "{pause}"),
            Self::Reopen(end) => write!(f, "{end:?}, and opened anew"),
        }
    }
}

/// How many items it takes to the first difference, and the two answers there.
type Difference = (usize, (String, String));

/// Runs scripts on both stores, each on fresh keys.
pub(super) struct Shrinker<'p, 'b> {
    pair: &'p mut Pair<'b>,
    exact: bool,
    runs: usize,
}

impl<'p, 'b> Shrinker<'p, 'b> {
    pub(super) fn new(pair: &'p mut Pair<'b>, exact: bool) -> Self {
        Self { pair, exact, runs: 0 }
    }

    /// The script, as short as it gets.
    pub(super) async fn explain(mut self, script: Vec<Item>) -> Result<String, Failure> {
        let told = |script: &[Item]| {
            let lines = script.iter().map(|item| format!("  {item}\n"));
            lines.collect::<String>()
        };
        let Some((length, mut answers)) = self.run(&script).await? else {
            return Ok(format!("not seen again when repeated alone; it was:\n{}", told(&script)));
        };
        let mut script = script;
        script.truncate(length);
        let mut chunk = script.len().div_ceil(2);
        while chunk > 0 {
            let removed = self.remove_chunks(&mut script, &mut answers, chunk).await?;
            chunk = if removed && chunk == 1 { 1 } else { chunk / 2 };
        }
        let (left, right) = answers;
        let (left, right) = (cut(left, SHOWN), cut(right, SHOWN));
        Ok(format!("the shortest found:\n{}  left: {left}\n  right: {right}", told(&script)))
    }

    /// Leaves out what the difference does not need; whether anything was.
    async fn remove_chunks(
        &mut self,
        script: &mut Vec<Item>,
        answers: &mut (String, String),
        chunk: usize,
    ) -> Result<bool, Failure> {
        let (mut at, mut removed) = (0, false);
        while at < script.len() && self.runs < MAX_RUNS {
            let kept = script.iter().enumerate().filter(|(i, _)| !(at..at + chunk).contains(i));
            let shorter: Vec<Item> = kept.map(|(_, item)| item.clone()).collect();
            match self.run(&shorter).await? {
                Some((length, differing)) => {
                    (*script, *answers, removed) = (shorter, differing, true);
                    script.truncate(length);
                }
                None => at += chunk,
            }
        }
        Ok(removed)
    }

    /// How many items it takes to the first difference, and the two answers there.
    async fn run(&mut self, script: &[Item]) -> Result<Option<Difference>, Failure> {
        self.runs += 1;
        let prefix = format!("s{}:", self.runs);
        let (mut left, mut right) = self.pair.sides(&prefix, self.exact)?;
        let (mut now, mut found) = (Moment::default(), None);
        for (number, item) in script.iter().enumerate() {
            match item {
                Item::Pause(pause) => self.pair.advance(now.go_on(*pause)),
                Item::Reopen(end) => {
                    left.let_go();
                    right.let_go();
                    self.pair.reopen(*end).await?;
                    self.pair.take_hold(&mut left, &mut right)?;
                }
                Item::Do(operation) => {
                    let answers = (left.apply(operation).await, right.apply(operation).await);
                    let answers = (answers.0.text, answers.1.text);
                    if answers.0 != answers.1 {
                        found = Some((number + 1, answers));
                        break;
                    }
                }
            }
        }
        self.pair.advance(now.go_on(Pause::TO_WHOLE));
        // What is left behind only takes room: the next script has keys of its own.
        let _ = (left.clean_up().await, right.clean_up().await);
        Ok(found)
    }
}
