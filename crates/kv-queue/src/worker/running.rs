//! The slots, and the delivery that runs in each.

use std::sync::Arc;

use crate::queue::Lease;

/// The slots started so far, up to the worker's concurrency.
pub(super) struct Running {
    most: usize,
    slots: Vec<Option<Arc<Lease>>>,
    busy: usize,
}

impl Running {
    pub(super) const fn new(most: usize) -> Self {
        Self { most, slots: Vec::new(), busy: 0 }
    }

    /// How many slots run a delivery.
    pub(super) const fn busy(&self) -> usize {
        self.busy
    }

    /// How many more slots this number of waiting deliveries needs.
    pub(super) fn lacking(&self, waiting: usize) -> usize {
        let idle = self.slots.len().saturating_sub(self.busy);
        waiting.saturating_sub(idle).min(self.most.saturating_sub(self.slots.len()))
    }

    /// Adds a slot, and returns its number.
    pub(super) fn add(&mut self) -> usize {
        self.slots.push(None);
        self.slots.len().saturating_sub(1)
    }

    /// Begins a delivery in a slot, if the slot still exists.
    pub(super) fn begin(&mut self, slot: usize, lease: &Arc<Lease>) -> bool {
        let Some(slot) = self.slots.get_mut(slot).filter(|slot| slot.is_none()) else {
            return false;
        };
        *slot = Some(Arc::clone(lease));
        self.busy = self.busy.saturating_add(1);
        true
    }

    /// Ends a slot's delivery; returns false if the delivery was taken from the slot.
    pub(super) fn end(&mut self, slot: usize) -> bool {
        let ended = self.slots.get_mut(slot).and_then(Option::take).is_some();
        self.busy = self.busy.saturating_sub(usize::from(ended));
        ended
    }

    pub(super) fn leases(&self) -> impl Iterator<Item = &Arc<Lease>> {
        self.slots.iter().flatten()
    }

    /// Takes all deliveries from their slots; the slots begin no other delivery.
    pub(super) fn take(&mut self) -> Vec<Arc<Lease>> {
        (self.busy, self.most) = (0, 0);
        std::mem::take(&mut self.slots).into_iter().flatten().collect()
    }
}
