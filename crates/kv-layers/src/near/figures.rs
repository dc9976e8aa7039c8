//! What near caches did.

use std::sync::atomic::{AtomicU64, Ordering};

use super::shard::MAX_SHARDS;

/// What the near caches of one [`NearCache`](crate::NearCache) and its clones did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct NearFigures {
    /// Reads that were answered from memory.
    pub hits: u64,
    /// Reads that went to the store.
    pub misses: u64,
    /// Kept entries that were dropped because their key changed, or may have changed.
    pub invalidations: u64,
    /// Kept entries that were dropped to make room.
    pub evictions: u64,
    /// How often everything was dropped because changes may have been missed. The beginning counts
    /// as one.
    pub gaps: u64,
}

pub(super) struct Counts {
    /// By shard: one counter for all threads would cost as much as a read.
    hits: [Hits; MAX_SHARDS],
    misses: AtomicU64,
    invalidations: AtomicU64,
    evictions: AtomicU64,
    gaps: AtomicU64,
}

#[derive(Default)]
#[repr(align(128))]
struct Hits(AtomicU64);

impl Default for Counts {
    fn default() -> Self {
        Self {
            hits: std::array::from_fn(|_| Hits::default()),
            misses: AtomicU64::default(),
            invalidations: AtomicU64::default(),
            evictions: AtomicU64::default(),
            gaps: AtomicU64::default(),
        }
    }
}

impl Counts {
    #[inline]
    pub(super) fn hit(&self, shard: usize) {
        self.hits[shard % MAX_SHARDS].0.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn miss(&self) {
        self.misses.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn invalidated(&self) {
        self.invalidations.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn evicted(&self, evicted: u64) {
        self.evictions.fetch_add(evicted, Ordering::Relaxed);
    }

    pub(super) fn gap(&self) {
        self.gaps.fetch_add(1, Ordering::Relaxed);
    }

    pub(super) fn read(&self) -> NearFigures {
        let hits = self.hits.iter().map(|hits| hits.0.load(Ordering::Relaxed));
        NearFigures {
            hits: hits.fold(0, u64::wrapping_add),
            misses: self.misses.load(Ordering::Relaxed),
            invalidations: self.invalidations.load(Ordering::Relaxed),
            evictions: self.evictions.load(Ordering::Relaxed),
            gaps: self.gaps.load(Ordering::Relaxed),
        }
    }
}
