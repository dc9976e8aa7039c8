//! How a node sees its cluster: what it answers to `CLUSTER NODES`.

use std::ops::RangeInclusive;

use super::SLOTS;
use crate::error::{Error, Result};
use crate::resp::Connection;

#[derive(Debug)]
pub(super) struct View {
    pub(super) lines: Vec<Line>,
}

/// What it says of one node.
#[derive(Debug, Clone)]
pub(super) struct Line {
    pub(super) id: String,
    pub(super) myself: bool,
    pub(super) primary: bool,
    /// Neither failing nor still being introduced.
    pub(super) usable: bool,
    pub(super) primary_id: Option<String>,
    pub(super) epoch: u64,
    pub(super) slots: Vec<RangeInclusive<u16>>,
    /// Slots that are on their way from this node, and to which; only it says so itself.
    pub(super) leaving: Vec<(u16, String)>,
}

/// What nodes have to agree on: who serves which slots, and who follows whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shape {
    slots: Vec<(u16, u16, String)>,
    replicas: Vec<(String, String)>,
}

impl View {
    pub(super) fn of(node: &mut Connection) -> Result<Self> {
        let text = node.demand(&["CLUSTER", "NODES"])?.text().unwrap_or_default();
        let unreadable = || Error::new(format!("cannot read CLUSTER NODES: {text}"));
        let lines: Result<_> =
            text.lines().map(|line| parse(line).ok_or_else(unreadable)).collect();
        Ok(Self { lines: lines? })
    }

    /// What it says of itself.
    pub(super) fn own(&self) -> Result<Line> {
        let own = self.lines.iter().find(|line| line.myself).cloned();
        own.ok_or_else(|| Error::new("a node does not know itself"))
    }

    /// The part of it that concerns these nodes.
    ///
    /// # Errors
    /// When one of them is not fit for use, or they do not serve all slots.
    pub(super) fn shape(&self, ids: &[&str]) -> Result<Shape> {
        let mut shape = Shape { slots: Vec::new(), replicas: Vec::new() };
        for id in ids {
            let line = self.lines.iter().find(|line| line.id == *id && line.usable);
            let line = line.ok_or_else(|| Error::new(format!("node {id} is not in use yet")))?;
            let range =
                |slots: &RangeInclusive<u16>| (*slots.start(), *slots.end(), line.id.clone());
            shape.slots.extend(line.slots.iter().map(range));
            shape
                .replicas
                .extend(line.primary_id.clone().map(|primary| (line.id.clone(), primary)));
        }
        shape.slots.sort_unstable();
        shape.replicas.sort_unstable();
        let served: u32 =
            shape.slots.iter().map(|(start, end, _)| u32::from(end - start) + 1).sum();
        if served != u32::from(SLOTS) {
            return Err(Error::new(format!("{served} slots are served")));
        }
        Ok(shape)
    }
}

impl Line {
    pub(super) fn serves(&self, slot: u16) -> bool {
        self.primary && self.slots.iter().any(|slots| slots.contains(&slot))
    }
}

/// `id address flags primary ping pong epoch link slot…`
fn parse(line: &str) -> Option<Line> {
    let mut words = line.split(' ');
    let id = words.next()?.to_owned();
    let flags: Vec<&str> = words.nth(1)?.split(',').collect();
    let primary_id = Some(words.next()?).filter(|id| *id != "-").map(ToOwned::to_owned);
    let epoch = words.nth(2)?.parse().ok()?;
    // Slots on their way stand in brackets, beside the range that they still belong to.
    let (moving, slots): (Vec<_>, Vec<_>) = words.skip(1).partition(|word| word.starts_with('['));
    let unusable = ["fail", "fail?", "handshake", "noaddr"];
    Some(Line {
        id,
        myself: flags.contains(&"myself"),
        primary: flags.contains(&"master"),
        usable: !flags.iter().any(|flag| unusable.contains(flag)),
        primary_id,
        epoch,
        leaving: moving.into_iter().filter_map(leaving).collect(),
        slots: slots.into_iter().map(range).collect::<Option<_>>()?,
    })
}

fn range(word: &str) -> Option<RangeInclusive<u16>> {
    let (start, end) = word.split_once('-').unwrap_or((word, word));
    Some(start.parse().ok()?..=end.parse().ok()?)
}

/// `[slot->-id]`; a slot that arrives is `[slot-<-id]`.
fn leaving(word: &str) -> Option<(u16, String)> {
    let (slot, id) = word.strip_prefix('[')?.strip_suffix(']')?.split_once("->-")?;
    Some((slot.parse().ok()?, id.to_owned()))
}
