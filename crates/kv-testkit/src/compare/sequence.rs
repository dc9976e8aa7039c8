//! One sequence of operations, on keys of its own.

use super::generate::Generator;
use super::life::Lives;
use super::operation::Operation;
use super::shrink::SHOWN;
use super::side::Side;
use super::subject::Pair;
use crate::Failure;
use crate::show::cut;

pub(super) struct Sequence {
    number: usize,
    generator: Generator,
    left: Side,
    right: Side,
    lives: Lives,
    script: Vec<Operation>,
    touching_expired: u64,
    difference: Option<(String, String)>,
}

impl Sequence {
    pub(super) fn new(seed: u64, number: usize, left: Side, right: Side) -> Self {
        let generator = Generator::new(seed, number);
        let (lives, script) = (Lives::default(), Vec::new());
        Self {
            number,
            generator,
            left,
            right,
            lives,
            script,
            touching_expired: 0,
            difference: None,
        }
    }

    pub(super) async fn step(&mut self, now: u64) {
        let operation = self.generator.operation();
        self.touching_expired += u64::from(self.lives.touches_expired(&operation, now));
        let left = self.left.apply(&operation).await;
        let right = self.right.apply(&operation).await;
        self.lives.learn(&operation, &left, now);
        self.script.push(operation);
        if left.text != right.text {
            self.difference = Some((left.text, right.text));
        }
    }

    /// Gives up the handles, so that the stores can end.
    pub(super) fn let_go(&mut self) {
        self.left.let_go();
        self.right.let_go();
    }

    pub(super) fn take_hold(&mut self, pair: &Pair<'_>) -> Result<(), Failure> {
        pair.take_hold(&mut self.left, &mut self.right)
    }

    pub(super) async fn clean_up(&self) -> kv_core::Result<()> {
        self.left.clean_up().await?;
        self.right.clean_up().await
    }

    pub(super) fn number(&self) -> usize {
        self.number
    }

    pub(super) fn script(&self) -> &[Operation] {
        &self.script
    }

    pub(super) fn operations(&self) -> u64 {
        self.script.len() as u64
    }

    pub(super) fn touching_expired(&self) -> u64 {
        self.touching_expired
    }

    pub(super) fn differs(&self) -> bool {
        self.difference.is_some()
    }

    /// The last operation and the two answers.
    pub(super) fn difference(&self) -> String {
        let Some((left, right)) = &self.difference else { return "no difference".to_owned() };
        let (left, right) = (cut(left.clone(), SHOWN), cut(right.clone(), SHOWN));
        let last = self.script.last();
        let last = last.map_or_else(String::new, |operation| format!("{operation:?}: "));
        format!("{last}left {left:?}, right {right:?}")
    }
}
