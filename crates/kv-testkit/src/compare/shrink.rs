//! The shortest script that still shows a difference.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use super::operation::Operation;
use super::side::Side;
use crate::Trial;

/// The most scripts that are tried; each is at most a sequence long.
const MAX_RUNS: usize = 1_000;

/// A part of a script.
#[derive(Clone)]
pub(super) enum Item {
    Do(Operation),
    /// In milliseconds.
    Pause(u64),
}

impl fmt::Display for Item {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Do(operation) => write!(f, "{operation:?}"),
            Self::Pause(ms) => write!(f, "advance by {ms} ms"),
        }
    }
}

/// Runs scripts on both stores, each on fresh keys.
pub(super) struct Shrinker<'t> {
    left: &'t Trial<'t>,
    right: &'t Trial<'t>,
    runs: usize,
}

impl<'t> Shrinker<'t> {
    pub(super) fn new(left: &'t Trial<'t>, right: &'t Trial<'t>) -> Self {
        Self { left, right, runs: 0 }
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

    /// How many items it takes to the first difference, and the two answers there.
    async fn run(&mut self, script: &[Item]) -> Option<(usize, (String, String))> {
        self.runs += 1;
        let prefix = format!("s{}:", self.runs);
        let mut left = Side::new(Arc::clone(self.left.store()), &prefix);
        let mut right = Side::new(Arc::clone(self.right.store()), &prefix);
        let mut found = None;
        for (number, item) in script.iter().enumerate() {
            match item {
                Item::Pause(ms) => {
                    self.left.advance(Duration::from_millis(*ms));
                    self.right.advance(Duration::from_millis(*ms));
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
        // What is left behind only takes room: the next script has keys of its own.
        let _ = (left.clean_up().await, right.clean_up().await);
        found
    }
}
