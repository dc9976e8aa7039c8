//! One ordered set.

use std::collections::{BTreeSet, HashMap};
use std::ops::Bound;
use std::sync::Arc;

use crate::tables::Member;

/// Members by score and name, and their scores by name.
#[derive(Clone, Debug, Default)]
pub(super) struct Order {
    order: BTreeSet<Member>,
    scores: HashMap<Arc<str>, u64>,
}

impl Order {
    /// A set of these members; `None` if a member is there twice.
    pub(super) fn of<'a>(members: impl ExactSizeIterator<Item = (u64, &'a str)>) -> Option<Self> {
        let mut scores = HashMap::with_capacity(members.len());
        let insert = |(score, name): (u64, &str)| {
            let name: Arc<str> = name.into();
            scores.insert(Arc::clone(&name), score);
            Member { score, name }
        };
        let order: BTreeSet<_> = members.map(insert).collect();
        (order.len() == scores.len()).then_some(Self { order, scores })
    }

    pub(super) fn insert(&mut self, score: u64, name: &str) {
        self.remove(name);
        let name: Arc<str> = name.into();
        self.scores.insert(Arc::clone(&name), score);
        self.order.insert(Member { score, name });
    }

    pub(super) fn remove(&mut self, name: &str) -> bool {
        let Some((name, score)) = self.scores.remove_entry(name) else { return false };
        self.order.remove(&Member { score, name })
    }

    pub(super) fn score(&self, name: &str) -> Option<u64> {
        self.scores.get(name).copied()
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    pub(super) fn iter(&self) -> impl Iterator<Item = &Member> {
        self.order.iter()
    }

    /// The members whose names begin with a prefix, of a set whose scores are all zero.
    pub(super) fn under<'a>(&'a self, prefix: &'a str) -> impl Iterator<Item = &'a Member> {
        let first = Member { score: 0, name: prefix.into() };
        self.order.range(first..).take_while(move |member| member.name.starts_with(prefix))
    }

    /// Drops the first members; returns whether any are left.
    pub(super) fn drop_first(&mut self, limit: usize) -> bool {
        for _ in 0..limit {
            let Some(member) = self.order.pop_first() else { break };
            self.scores.remove(&member.name);
        }
        !self.order.is_empty()
    }

    /// The members after this one; from the beginning if it is not there.
    pub(super) fn behind(&self, name: &str, limit: usize) -> Vec<Member> {
        let Some((name, score)) = self.scores.get_key_value(name) else {
            return self.iter().take(limit).cloned().collect();
        };
        self.beyond(&Member { score: *score, name: Arc::clone(name) }, limit)
    }

    /// The members after this one, be it there or not.
    pub(super) fn beyond(&self, member: &Member, limit: usize) -> Vec<Member> {
        let behind = (Bound::Excluded(member), Bound::Unbounded);
        self.order.range::<Member, _>(behind).take(limit).cloned().collect()
    }
}
