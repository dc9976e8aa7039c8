//! The shortest script that still shows a difference.

use std::fmt;
use std::time::Duration;

use super::moment::{Moment, Pause};
use super::operation::Operation;
use super::side::Side;
use crate::Trial;
use crate::show::cut;

/// The most scripts that are tried; each is at most a sequence long.
const MAX_RUNS: usize = 1_000;

/// How many bytes of an answer are shown.
pub(super) const SHOWN: usize = 300;

/// A part of a script.
#[derive(Clone)]
pub(super) enum Item {
    Do(Operation),
    Pause(Pause),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(operation) => write!(f, "{operation:?}"),
            Self::Pause(pause) => write!(f, "{pause}"),
        }
    }
}

/// Runs scripts on both stores, each on fresh keys.
pub(super) struct Shrinker<'t> {
    left: &'t Trial<'t>,
    right: &'t Trial<'t>,
    exact: bool,
    runs: usize,
}

impl<'t> Shrinker<'t> {
    pub(super) fn new(left: &'t Trial<'t>, right: &'t Trial<'t>, exact: bool) -> Self {
        Self { left, right, exact, runs: 0 }
    }

    /// The script, as short as it gets.
    pub(super) async fn explain(mut self, script: Vec<Item>) -> String {
        let told = |script: &[Item]| {
            let lines = script.iter().map(|item| format!("  {item}\n"));
            lines.collect::<String>()
        };
        let Some((length, mut answers)) = self.run(&script).await else {
            return format!("not seen again when repeated alone; it was:\n{}", told(&script));
        };
        let mut script = script;
        script.truncate(length);
        let mut chunk = script.len().div_ceil(2);
        while chunk > 0 {
            let removed = self.remove_chunks(&mut script, &mut answers, chunk).await;
            chunk = if removed && chunk == 1 { 1 } else { chunk / 2 };
        }
        let (left, right) = answers;
        let (left, right) = (cut(left, SHOWN), cut(right, SHOWN));
        format!("the shortest found:\n{}  left: {left}\n  right: {right}", told(&script))
    }

    /// Leaves out what the difference does not need; whether anything was.
    async fn remove_chunks(
        &mut self,
        script: &mut Vec<Item>,
        answers: &mut (String, String),
        chunk: usize,
    ) -> bool {
        let (mut at, mut removed) = (0, false);
        while at < script.len() && self.runs < MAX_RUNS {
            let kept = script.iter().enumerate().filter(|(i, _)| !(at..at + chunk).contains(i));
            let shorter: Vec<Item> = kept.map(|(_, item)| item.clone()).collect();
            match self.run(&shorter).await {
                Some((length, differing)) => {
                    (*script, *answers, removed) = (shorter, differing, true);
                    script.truncate(length);
                }
                None => at += chunk,
            }
        }
        removed
    }

    fn advance(&self, by: Duration) {
        self.left.advance(by);
        self.right.advance(by);
    }

    /// How many items it takes to the first difference, and the two answers there.
    async fn run(&mut self, script: &[Item]) -> Option<(usize, (String, String))> {
        self.runs += 1;
        let prefix = format!("s{}:", self.runs);
        let mut left = Side::new(self.left, &prefix, self.exact);
        let mut right = Side::new(self.right, &prefix, self.exact);
        let (mut now, mut found) = (Moment::default(), None);
        for (number, item) in script.iter().enumerate() {
            match item {
                Item::Pause(pause) => self.advance(now.go_on(*pause)),
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
        self.advance(now.go_on(Pause::TO_WHOLE));
        // What is left behind only takes room: the next script has keys of its own.
        let _ = (left.clean_up().await, right.clean_up().await);
        found
    }
}
