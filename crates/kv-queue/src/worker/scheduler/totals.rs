//! What all partitions have together. Each partition's part is a function of its state, so that
//! the sums move with it, in one place.

use super::partition::{Life, Maintenance, Partition};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Jobs in hand.
    pub(super) held: usize,
    /// Partitions that are asked to claim, among those that count.
    pub(super) asked: usize,
    /// Jobs that claims under way may bring, and settles without a verdict, of partitions that
    /// count.
    pub(super) expected: usize,
    pub(super) settling: usize,
    /// Jobs that claims may bring that count against no limit.
    pub(super) uncounted: usize,
    /// Claims, settles and requests for a claim, whether they count or not.
    pub(super) under_way: usize,
    /// Partitions that wait for their turn or have it.
    pub(super) sharing: usize,
    /// Partitions that may have work, whatever their state.
    pub(super) working: usize,
    /// Maintenance under way that is not late.
    pub(super) maintaining: usize,
}

impl Totals {
    pub(super) fn of(partition: &Partition) -> Self {
        let counted = partition.life.is_counted();
        let sharing = match partition.life {
            Life::Waiting { .. } => true,
            Life::Active { .. } => partition.has_work,
            Life::Idle | Life::Late { .. } | Life::BackingOff { .. } => false,
        };
        let maintaining =
            matches!(partition.maintenance, Maintenance::UnderWay { late_at: Some(_), .. });
        let asked = usize::from(partition.life.is_asked());
        Self {
            held: partition.held,
            asked: if counted { asked } else { 0 },
            expected: if counted { partition.expected } else { 0 },
            settling: if counted { partition.settling } else { 0 },
            uncounted: if counted { 0 } else { partition.expected },
            under_way: partition.claims + partition.settling + asked,
            sharing: usize::from(sharing),
            working: usize::from(partition.has_work),
            maintaining: usize::from(maintaining),
        }
    }

    /// Takes one partition's part out and puts another in.
    pub(super) const fn replace(&mut self, old: Self, new: Self) {
        self.held = moved(self.held, old.held, new.held);
        self.asked = moved(self.asked, old.asked, new.asked);
        self.expected = moved(self.expected, old.expected, new.expected);
        self.settling = moved(self.settling, old.settling, new.settling);
        self.uncounted = moved(self.uncounted, old.uncounted, new.uncounted);
        self.under_way = moved(self.under_way, old.under_way, new.under_way);
        self.sharing = moved(self.sharing, old.sharing, new.sharing);
        self.working = moved(self.working, old.working, new.working);
        self.maintaining = moved(self.maintaining, old.maintaining, new.maintaining);
    }
}

const fn moved(sum: usize, old: usize, new: usize) -> usize {
    sum.saturating_add(new).saturating_sub(old)
}
