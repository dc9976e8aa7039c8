//! Which server has which slots.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};

use bytes::Bytes;
use kv_core::Result;

use super::super::node::Node;
use super::super::slot::{SLOTS, slot};
use super::worst;
use crate::config::Address;

/// No server has the slot.
const NOBODY: u16 = u16::MAX;

/// Slots, first and last included, and their server.
pub(super) type Range = (u16, u16, Address);

/// The discovered servers, before there are connections.
pub(super) struct Layout {
    places: Vec<Address>,
    owners: Owners,
}

/// The servers as they are known.
#[derive(Default)]
pub(super) struct Map {
    places: Vec<Address>,
    /// The server at each place, if it can be reached.
    nodes: Vec<Option<Arc<Node>>>,
    owners: Owners,
}

/// The place of each slot's owner.
#[derive(Default)]
enum Owners {
    /// One place has everything.
    #[default]
    First,
    Each(Box<[AtomicU16]>),
}

impl Layout {
    /// One server that has everything.
    pub(super) fn one(address: Address) -> Self {
        Self { places: vec![address], owners: Owners::First }
    }

    /// Ranges of slots with their servers, and servers without slots (guests).
    pub(super) fn of_ranges(ranges: &[Range], guests: &[Address]) -> Self {
        let owners = ranges.iter().map(|(.., address)| address);
        let mut places: Vec<_> = owners.chain(guests).cloned().collect();
        places.sort_unstable();
        places.dedup();
        let mut owners = vec![NOBODY; usize::from(SLOTS)];
        for (first, last, address) in ranges {
            let place = places.binary_search(address).ok().and_then(|at| u16::try_from(at).ok());
            let range = usize::from(*first)..=usize::from(*last);
            if let (Some(place), Some(owners)) = (place, owners.get_mut(range)) {
                owners.fill(place);
            }
        }
        let owners = owners.into_iter().map(AtomicU16::new).collect();
        Self { places, owners: Owners::Each(owners) }
    }

    /// All addresses, in order.
    pub(super) fn places(&self) -> impl Iterator<Item = &Address> {
        self.places.iter()
    }

    /// With the connections that could be made, in the order of the addresses.
    ///
    /// # Errors
    /// The addresses without a connection.
    pub(super) fn with_nodes(self, opened: Vec<Result<Arc<Node>>>) -> Result<Map> {
        let (mut nodes, mut errors) = (Vec::with_capacity(opened.len()), Vec::new());
        for node in opened {
            nodes.push(node.map_err(|error| errors.push(error)).ok());
        }
        if nodes.iter().all(Option::is_none) {
            return Err(worst(errors, || super::error::unreachable("any of the servers")));
        }
        for error in errors {
            tracing::warn!(%error, "a redis server cannot be reached");
        }
        Ok(Map { places: self.places, nodes, owners: self.owners })
    }
}

impl Map {
    /// The server that has a key; without a key, any server that is ready.
    pub(super) fn node_for(&self, key: Option<&Bytes>) -> Option<Arc<Node>> {
        let Some(key) = key else {
            let mut known = self.nodes.iter().flatten();
            return known.clone().find(|node| node.is_ready()).or_else(|| known.next()).cloned();
        };
        let place = match &self.owners {
            Owners::First => 0,
            Owners::Each(owners) => {
                owners.get(usize::from(slot(key)))?.load(Ordering::Relaxed).into()
            }
        };
        self.nodes.get(place)?.clone()
    }

    /// The server at an address.
    pub(super) fn at(&self, address: &Address) -> Option<Arc<Node>> {
        self.nodes.get(self.place(address)?)?.clone()
    }

    /// A slot has another owner.
    pub(super) fn moved(&self, slot: u16, to: &Address) -> Option<Arc<Node>> {
        let node = self.at(to)?;
        if let Owners::Each(owners) = &self.owners
            && let Some(owner) = owners.get(usize::from(slot))
            && let Some(place) = self.place(to).and_then(|place| u16::try_from(place).ok())
        {
            owner.store(place, Ordering::Relaxed);
        }
        Some(node)
    }

    pub(super) fn places(&self) -> &[Address] {
        &self.places
    }

    /// All servers that can be reached, in the order of their addresses, and the addresses that
    /// cannot.
    pub(super) fn nodes(&self) -> (Vec<Arc<Node>>, Vec<Address>) {
        let missing = self.places.iter().zip(&self.nodes).filter(|(_, node)| node.is_none());
        let missing = missing.map(|(address, _)| address.clone()).collect();
        (self.nodes.iter().flatten().cloned().collect(), missing)
    }

    /// Whether every server can be reached.
    pub(super) fn is_whole(&self) -> bool {
        self.nodes.iter().all(|node| node.as_ref().is_some_and(|node| node.is_ready()))
    }

    /// A number that changes when a slot gets another owner.
    pub(super) fn digest(&self) -> u64 {
        let mut hasher = DefaultHasher::new();
        self.places.hash(&mut hasher);
        if let Owners::Each(owners) = &self.owners {
            owners.iter().for_each(|owner| owner.load(Ordering::Relaxed).hash(&mut hasher));
        }
        hasher.finish()
    }

    fn place(&self, address: &Address) -> Option<usize> {
        self.places.binary_search(address).ok()
    }
}
