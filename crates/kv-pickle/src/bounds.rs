//! The bounds of a pickle's value, checked before any part of it is returned.
//!
//! A few bytes that refer to each other can mean gigabytes, or an endless value.

use kv_core::MAX_DEPTH;

use crate::error::{Error, Result};
use crate::nodes::{Id, Node, Nodes};

/// How many bytes each byte of a pickle may become. Python's own sharing needs less: it is densest
/// where two bytes refer to a short text.
const GROWTH: u64 = 64;

/// How many bytes a pickle may become beyond that, so that a short pickle may share freely.
const GRACE: u64 = 4 << 20;

/// The cost of a value apart from its text, in bytes.
const NODE: u64 = 16;

/// The extra cost of a non-empty dict, in bytes. A map is the most expensive value that few bytes
/// can request: a map of one entry takes 700 bytes in serde_json's tree.
const DICT: u64 = 192;

/// The cost of a reference to a node, in bytes.
const REFERENCE: u64 = 8;

/// How many bytes a pickle may still become.
pub(crate) struct Budget(u64);

impl Budget {
    pub(crate) fn of(pickle: usize) -> Self {
        Self(wide(pickle).saturating_mul(GROWTH).saturating_add(GRACE))
    }

    /// Pays for a copy of bytes.
    pub(crate) fn bytes(&mut self, count: usize) -> Result<()> {
        self.pay(wide(count))
    }

    /// Pays for a copy of references.
    pub(crate) fn references(&mut self, count: usize) -> Result<()> {
        self.pay(wide(count).saturating_mul(REFERENCE))
    }

    fn pay(&mut self, cost: u64) -> Result<()> {
        let left = self.0.checked_sub(cost);
        self.0 = left.ok_or("the pickle would grow out of all proportion by its references")?;
        Ok(())
    }
}

/// A length as a `u64`, which holds that of every slice.
fn wide(length: usize) -> u64 {
    u64::try_from(length).unwrap_or(u64::MAX)
}

/// The size of a node and everything below it, with each reference followed.
#[derive(Clone, Copy, Default)]
struct Extent {
    bytes: u64,
    depth: usize,
}

#[derive(Clone, Copy)]
enum State {
    Unseen,
    /// On the path to the current node.
    Open,
    Done(Extent),
}

/// A node on the path, and how much of it was checked.
struct Step {
    id: Id,
    next: usize,
    extent: Extent,
}

/// Refuses a value that contains itself, is too deep or too large, or is a class.
///
/// Each node and each reference is checked once, without recursion.
pub(crate) fn check(nodes: &Nodes<'_>, root: Id, budget: &mut Budget) -> Result<()> {
    let mut states = vec![State::Unseen; nodes.len()];
    let mut path = vec![step(nodes, root, &mut states)?];
    loop {
        let Some(last) = path.last_mut() else { return Err(lost()) };
        if let Some(child) = nodes[last.id].children().get(last.next) {
            last.next += 1;
            match states.get(child.number()).ok_or_else(lost)? {
                State::Open => return Err("the pickle has a value that contains itself".into()),
                State::Done(extent) => last.extent = around(last.extent, *extent),
                State::Unseen => path.push(step(nodes, *child, &mut states)?),
            }
            continue;
        }
        let (id, extent) = (last.id, last.extent);
        *states.get_mut(id.number()).ok_or_else(lost)? = State::Done(extent);
        path.pop();
        match path.last_mut() {
            Some(parent) => parent.extent = around(parent.extent, extent),
            None if extent.depth > MAX_DEPTH => return Err(too_deep().into()),
            None => return budget.pay(extent.bytes),
        }
    }
}

/// Opens a node.
fn step(nodes: &Nodes<'_>, id: Id, states: &mut [State]) -> Result<Step> {
    let node = &nodes[id];
    if let Node::Class(class) = node {
        return Err(format!("the class `{}` stands where a value should be", class.name()).into());
    }
    *states.get_mut(id.number()).ok_or_else(lost)? = State::Open;
    let map = matches!(node, Node::Dict(entries) if !entries.is_empty());
    let bytes = (if map { NODE + DICT } else { NODE }).saturating_add(wide(node.length()));
    let container = matches!(node, Node::List(_) | Node::Tuple(_) | Node::Set(_) | Node::Dict(_));
    Ok(Step { id, next: 0, extent: Extent { bytes, depth: usize::from(container) } })
}

/// A container's extent with one more child.
fn around(container: Extent, child: Extent) -> Extent {
    Extent {
        bytes: container.bytes.saturating_add(child.bytes),
        depth: container.depth.max(child.depth.saturating_add(1)),
    }
}

pub(crate) fn too_deep() -> String {
    format!("nested deeper than {MAX_DEPTH}")
}

fn lost() -> Error {
    "a reference of the pickle leads nowhere".into()
}
