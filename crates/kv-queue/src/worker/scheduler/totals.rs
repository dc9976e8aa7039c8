//! The sums over all partitions. Each partition's part is a function of its state, so the sums
//! change with the state, in one place.

use super::partition::{Life, Maintenance, Partition};

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Totals {
    /// Held jobs.
    pub(super) held: usize,
    /// Counted partitions that are asked to claim.
    pub(super) asked: usize,
    /// Jobs that claims in flight may bring, and settles without a verdict, of counted partitions.
    pub(super) expected: usize,
    pub(super) settling: usize,
    /// Jobs that late claims may bring; they count against no limit.
    pub(super) uncounted: usize,
    /// Claims, settles and requests for a claim of all partitions.
    pub(super) under_way: usize,
    /// Partitions that wait for their turn or have it.
    pub(super) sharing: usize,
    /// Partitions that may have work, whatever their state.
    pub(super) working: usize,
    /// Maintenance in flight that is not late.
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
