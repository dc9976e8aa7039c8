//! The claim of a partition in which jobs with a group are ready: groups take turns.

use kv_core::Result;
use kv_core::queue::{Claim, JobKey, MAX_BATCH, Policy};

use super::Machine;
use super::budget::Budget;
use super::claim::Claims;
use crate::group::Admission;
use crate::member;
use crate::tables::{Counter, Member, Set, Tables};

/// Whose turn it is.
enum Whose {
    /// The group of this name.
    Group(Member),
    /// The jobs without a group, of which this one is the first.
    Plain(Member),
}

/// A claim in the middle.
struct Taking<'a> {
    claim: &'a Claim,
    policy: &'a Policy,
    token: u64,
    budget: Budget,
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Delivers ready jobs in turns. The group whose turn is the oldest among those with the most
    /// urgent jobs comes first; a turn starts up to as many jobs as the group's weight. The jobs
    /// without a group take turns of one job, and have no limit.
    ///
    /// A group that may not start a job leaves the ring: until a stamp, or until one of its leases
    /// ends. A claim examines up to [`MAX_BATCH`] jobs and groups.
    pub(super) fn claim_in_turns(
        &mut self,
        claim: &Claim,
        policy: &Policy,
        token: u64,
    ) -> Result<Claims> {
        let mut claims = Claims::default();
        if claim.limit == 0 {
            return Ok(claims);
        }
        self.unblock(MAX_BATCH)?;
        let budget = Budget::new(claim.bytes);
        let mut taking = Taking { claim, policy, token, budget };
        for _ in 0..MAX_BATCH {
            if claims.claimed.len() >= claim.limit {
                break;
            }
            let has_room = match self.whose_turn()? {
                None => break,
                Some(Whose::Plain(member)) => self.plain_turn(&member, &mut taking, &mut claims)?,
                Some(Whose::Group(group)) => {
                    self.group_turn(&group.name, &mut taking, &mut claims)?
                }
            };
            if !has_room {
                break;
            }
        }
        Ok(claims)
    }

    fn whose_turn(&self) -> Result<Option<Whose>> {
        let group = self.tables.first(Set::Ring, 1)?.pop();
        let plain = self.tables.first(Set::Ready, 1)?.pop();
        let (group, plain) = match (group, plain) {
            (Some(group), Some(plain)) => (group, plain),
            (Some(group), None) => return Ok(Some(Whose::Group(group))),
            (None, plain) => return Ok(plain.map(Whose::Plain)),
        };
        let priority = u8::try_from(plain.score >> JobKey::SEQUENCE_BITS).unwrap_or(u8::MAX);
        let turn = self.tables.counter(Counter::PlainTurn)?;
        let is_plain = JobKey::new(priority, turn).rank() < group.score;
        Ok(Some(if is_plain { Whose::Plain(plain) } else { Whose::Group(group) }))
    }

    /// Delivers the first job without a group. Returns `false` if it has too many bytes.
    fn plain_turn(
        &mut self,
        first: &Member,
        taking: &mut Taking<'_>,
        claims: &mut Claims,
    ) -> Result<bool> {
        claims.token = taking.token;
        let next = self.next(Set::Ready, first, taking.token, taking.policy)?;
        let Some(delivery) = next else { return Ok(true) };
        if !taking.budget.take(delivery.bytes) {
            return Ok(false);
        }
        claims.claimed.extend(self.deliver(Set::Ready, first, &delivery, taking.claim)?);
        let turn = self.next_turn()?;
        self.tables.set_counter(Counter::PlainTurn, turn)?;
        Ok(true)
    }

    /// Delivers the first job of a group, if the group may start one. Returns `false` if the job has
    /// too many bytes.
    fn group_turn(
        &mut self,
        name: &str,
        taking: &mut Taking<'_>,
        claims: &mut Claims,
    ) -> Result<bool> {
        let mut record = self.group(name)?;
        let terms = record.terms(&taking.policy.group);
        let first = self.tables.first_under(Set::Queued, &member::under(name), 1)?.pop();
        let is_admitted = record.admission(&terms, self.now) == Admission::Now;
        let Some(first) = first.filter(|_| is_admitted) else {
            self.arrange(name, record, &terms)?;
            return Ok(true);
        };
        claims.token = taking.token;
        let next = self.next(Set::Queued, &first, taking.token, taking.policy)?;
        let Some(delivery) = next else { return Ok(true) };
        if !taking.budget.take(delivery.bytes) {
            return Ok(false);
        }
        claims.claimed.extend(self.deliver(Set::Queued, &first, &delivery, taking.claim)?);
        record.start(&terms, self.now);
        self.arrange(name, record, &terms)?;
        Ok(true)
    }
}
