//! The invariants, checked.

use super::agenda::Entries;
use super::partition::{Life, Partition};
use super::totals::Totals;
use super::{CLAIMS, SHARERS, Scheduler, index};

/// Up to this many partitions, each change checks all of them; beyond that, only the changed one.
const ALL: usize = 64;

impl Scheduler {
    pub(super) fn check(&self, changed: u32) {
        assert!(self.agenda.active.len() <= SHARERS, "too many are active");
        if self.partitions.len() <= ALL {
            self.check_all();
        } else if let Some(partition) = self.partitions.get(index(changed)) {
            self.check_one(changed, partition);
        }
    }

    pub(super) fn check_all(&self) {
        let (mut totals, mut entries) = (Totals::default(), 0);
        for (number, partition) in (0..).zip(&self.partitions) {
            totals.replace(Totals::default(), Totals::of(partition));
            entries += self.check_one(number, partition);
        }
        assert_eq!(self.totals, totals, "the totals are not the sums");
        assert_eq!(self.agenda.len(), entries, "the agenda has other entries");
    }

    /// How many entries the partition has in the agenda.
    fn check_one(&self, number: u32, partition: &Partition) -> usize {
        let (found, entries) = self.agenda.found(number, Entries::of(partition));
        assert_eq!(found, entries, "entries of {number} are missing: {partition:?}");
        assert!(partition.claims <= CLAIMS, "{number} has too many claims: {partition:?}");
        assert_eq!(partition.claims == 0, partition.expected == 0, "{number}: {partition:?}");
        match partition.life {
            Life::Idle => assert!(!partition.has_work, "{number} is forgotten: {partition:?}"),
            Life::Waiting { .. } => assert!(partition.has_work, "{number}: {partition:?}"),
            Life::BackingOff { .. } => {
                assert!(partition.failures > 0 && !partition.has_work, "{number}: {partition:?}");
            }
            Life::Active { .. } | Life::Late { .. } => {}
        }
        let is_timed = partition.silent_at.is_some() || !partition.life.is_counted();
        assert!(is_timed || !partition.is_awaited(), "{number} is never late: {partition:?}");
        entries
    }
}
