//! Claims: whose turn it is, for how many jobs, and what came back.

use std::time::Duration;

use kv_core::queue::MAX_BATCH;

use super::partition::{Life, Partition};
use super::{CLAIMS, SHARERS, Scheduler, TURN};

/// How many claims in a row may bring no job although more are ready: each examines up to 1,000 jobs
/// that cannot be delivered, such as expired ones. After that the partition waits for news.
const EMPTY: u32 = 10_000;

/// A claim that left.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Claim {
    pub(in crate::worker) limit: usize,
    /// The partition's count of news when the claim left.
    told: u64,
    begun: Duration,
}

/// What a claim brought.
#[derive(Clone, Copy, Debug)]
pub(in crate::worker) struct Answer {
    pub(in crate::worker) found: usize,
    /// Whether claimable jobs are left although the claim brought fewer than asked for.
    pub(in crate::worker) more: bool,
    /// When to maintain the partition, if the claim brought fewer than asked for.
    pub(in crate::worker) next_due: Option<Duration>,
}

impl Scheduler {
    /// The partitions to claim from now, each with an exchange of its own if none is about to
    /// leave.
    pub(in crate::worker) fn grant(&mut self, now: Duration) -> Vec<u32> {
        let mut asked = Vec::new();
        if !self.is_stopped && self.room() > 0 {
            self.grant_active(now, &mut asked);
            self.grant_waiting(now, &mut asked);
        }
        asked
    }

    /// Active partitions go on, unless their turn is over and others wait.
    fn grant_active(&mut self, now: Duration, asked: &mut Vec<u32>) {
        let mut turns = [None; SHARERS];
        turns.iter_mut().zip(&self.agenda.active).for_each(|(turn, one)| *turn = Some(*one));
        let is_crowded = !self.agenda.waiting.is_empty();
        let is_full = self.agenda.active.len() >= SHARERS;
        for (turn_ends, number) in turns.into_iter().flatten() {
            let Some(partition) = self.get(number) else { continue };
            if !partition.is_free() {
                continue;
            }
            let has_share = self.share(partition) > 0;
            if is_crowded && (turn_ends <= now || is_full && !has_share) {
                self.change(number, now, |partition| partition.life = Life::Idle);
            } else if has_share && self.room() > 0 {
                let life = Life::Active { asked: true, turn_ends };
                self.change(number, now, |partition| partition.life = life);
                asked.push(number);
            }
        }
    }

    /// Waiting partitions follow, in order. A partition that already has its share of jobs keeps
    /// its place; there are hardly more such partitions than sharers.
    fn grant_waiting(&mut self, now: Duration, asked: &mut Vec<u32>) {
        let mut from = 0;
        while self.room() > 0 {
            let Some((place, number)) = self.agenda.waiting.range(from..).next() else { break };
            from = place.saturating_add(1);
            let number = *number;
            let Some(partition) = self.get(number) else { continue };
            if self.share(partition) == 0 {
                continue;
            }
            let life = if partition.is_slow {
                Life::Late { asked: true }
            } else if self.agenda.active.len() < SHARERS {
                Life::Active { asked: true, turn_ends: now + TURN }
            } else {
                break;
            };
            self.change(number, now, |partition| partition.life = life);
            asked.push(number);
        }
    }

    /// How many more jobs a partition may hold, so that the sharers hold equally many.
    fn share(&self, partition: &Partition) -> usize {
        let sharers = self.totals.sharing.clamp(1, SHARERS);
        self.capacity().div_ceil(sharers).saturating_sub(partition.load())
    }

    /// What to claim with an exchange that leaves now.
    pub(in crate::worker) fn begin_claim(&mut self, number: u32, now: Duration) -> Option<Claim> {
        let was_asked = self.get(number)?.life.is_asked();
        self.change(number, now, |partition| match &mut partition.life {
            Life::Active { asked, .. } | Life::Late { asked } => *asked = false,
            Life::Idle | Life::Waiting { .. } | Life::BackingOff { .. } => {}
        });
        let limit = self.limit(number, was_asked, now);
        self.change(number, now, |partition| {
            if limit == 0 {
                // A partition that was asked to claim and must not claim waits for its turn again.
                if partition.life == (Life::Late { asked: false }) && partition.claims == 0 {
                    partition.life = Life::Idle;
                }
                return None;
            }
            partition.claims = partition.claims.saturating_add(1);
            partition.expected = partition.expected.saturating_add(limit);
            Some(Claim { limit, told: partition.told, begun: now })
        })?
    }

    fn limit(&self, number: u32, was_asked: bool, now: Duration) -> usize {
        let Some(partition) = self.get(number) else { return 0 };
        if self.is_stopped || !partition.has_work || partition.claims >= CLAIMS {
            return 0;
        }
        let limit = self.share(partition).min(self.room()).min(MAX_BATCH);
        match partition.life {
            Life::Active { turn_ends, .. } => {
                let goes_on = was_asked || turn_ends > now || self.agenda.waiting.is_empty();
                if goes_on { limit } else { 0 }
            }
            Life::Late { .. } if was_asked => {
                let left = self.capacity().saturating_sub(self.totals.uncounted);
                limit.min(left.max(1))
            }
            _ => 0,
        }
    }

    /// A claim was answered, and the worker holds its jobs.
    pub(in crate::worker) fn claimed(
        &mut self,
        number: u32,
        claim: Claim,
        answer: Answer,
        now: Duration,
    ) {
        self.end_claim(number, claim, now);
        self.recover(number, now);
        self.has_claimed |= answer.found > 0;
        let is_empty = answer.found == 0 && answer.more;
        let heard = self.change(number, now, |partition| {
            partition.empty = if is_empty { partition.empty.saturating_add(1) } else { 0 };
            let is_full = answer.found >= claim.limit || answer.more && partition.empty < EMPTY;
            partition.held = partition.held.saturating_add(answer.found);
            partition.has_work = is_full || partition.told != claim.told;
            (is_full, std::mem::take(&mut partition.is_woken))
        });
        self.hear(number, Some(now.saturating_sub(claim.begun)), now);
        let (is_full, is_woken) = heard.unwrap_or_default();
        if answer.found > 0 {
            self.bring(number, is_woken, now);
        }
        match is_full {
            true => self.maintain_in_a_while(number, now),
            false => self.came_back_short(number, claim, answer, is_woken, now),
        }
    }

    fn came_back_short(
        &mut self,
        number: u32,
        claim: Claim,
        answer: Answer,
        is_woken: bool,
        now: Duration,
    ) {
        let is_due = answer.next_due == Some(Duration::ZERO);
        let is_idle = answer.found == 0 && answer.next_due.is_none();
        let is_current = self.get(number).is_some_and(|partition| partition.told == claim.told);
        self.change(number, now, |partition| {
            partition.claim_after |= is_due;
            // Repeated claims must not put off maintenance that is already due.
            if is_current && !is_due {
                partition.due = None;
            }
        });
        if answer.found == 0 && (is_woken || is_due) {
            self.brought_nothing(number, is_woken, now);
        }
        if is_woken && is_idle && is_current {
            self.maintain_once(number, now);
        }
        self.due_after(number, answer.next_due, now);
    }

    /// A claim failed; the caller knows whether waiting helps.
    pub(in crate::worker) fn claim_failed(&mut self, number: u32, claim: Claim, now: Duration) {
        self.end_claim(number, claim, now);
        self.hear(number, None, now);
        self.back_off(number, now);
    }

    fn end_claim(&mut self, number: u32, claim: Claim, now: Duration) {
        self.change(number, now, |partition| {
            partition.claims = partition.claims.saturating_sub(1);
            partition.expected = partition.expected.saturating_sub(claim.limit);
        });
    }

    /// The worker no longer holds a job; `is_settling` says whether the job's verdict is still to
    /// come.
    pub(in crate::worker) fn let_go(&mut self, number: u32, is_settling: bool, now: Duration) {
        self.change(number, now, |partition| {
            partition.held = partition.held.saturating_sub(1);
            let settling = usize::from(is_settling);
            partition.settling = partition.settling.saturating_add(settling);
        });
    }

    /// A verdict came, or none will.
    pub(in crate::worker) fn settled(&mut self, number: u32, now: Duration) {
        self.change(number, now, |partition| {
            partition.settling = partition.settling.saturating_sub(1);
        });
        self.hear(number, None, now);
    }
}
