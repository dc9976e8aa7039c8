//! The claim of an exchange.

use std::time::Duration;

use kv_core::queue::{Claim, Claimed, Handle, JobKey, MAX_BATCH, MAX_STAMP, Policy, SavedProgress};
use kv_core::{Error, ErrorKind, Result};

use super::budget::Budget;
use super::{Machine, reason};
use crate::record::JobRecord;
use crate::tables::{Counter, Map, Member, Set, Tables};
use crate::{member, time};

/// What a claim found.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) token: u64,
    pub(super) claimed: Vec<Claimed>,
    /// If it brought fewer jobs than its limit: when to try again.
    pub(super) due: Option<u64>,
    /// Whether it brought fewer jobs than its limit although jobs are ready.
    pub(super) more: bool,
}

/// Whether a job can be delivered.
pub(super) enum Found {
    /// Every part of the job is there.
    Whole(Delivery),
    /// A part is unreadable or gone: the job becomes a dead letter for this reason, with this
    /// record.
    Broken(JobRecord, &'static str),
}

/// A job that can be delivered.
pub(super) struct Delivery {
    handle: Handle,
    record: JobRecord,
    /// The bytes of the body and of the checkpoint's state.
    pub(super) bytes: usize,
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Refuses a claim if no token is left.
    pub(super) fn check_tokens(&self, claim: &Claim) -> Result<()> {
        if claim.limit == 0 || self.tables.counter(Counter::Token)? < MAX_STAMP {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Backend, format!("the partition's tokens end at {MAX_STAMP}")))
    }

    /// Delivers the first ready jobs under one new token: the last token plus one, or the time if
    /// that is larger. If ready jobs have groups, the groups
    /// [take turns](Self::claim_in_turns).
    ///
    /// A claim ends at its limit, before a job whose body and checkpoint would exceed its bytes, or
    /// after [`MAX_BATCH`] ready jobs were examined. A job becomes a dead letter instead of being
    /// delivered if its time to live ended before its first delivery, if it was delivered too
    /// often, or if a part of it is unreadable or gone. A cancelled job ends. A member that does
    /// not name a job is dropped. A claim neither promotes nor recovers jobs;
    /// [`maintain`](Machine::maintain) does. A claim that brings fewer jobs than its limit says
    /// when to try again: at once if more jobs can be claimed, otherwise when a job is due, a lease
    /// ends, its own leases included, or a blocked group may start a job. During a pause a claim
    /// takes no job, and reports no due time.
    pub(super) fn claim(&mut self, claim: &Claim, policy: &Policy) -> Result<Claims> {
        if self.is_paused()? {
            return Ok(Claims::default());
        }
        let token = self.tables.counter(Counter::Token)?.saturating_add(1).max(self.now);
        let mut claims = match self.tables.len(Set::Queued)? {
            0 => self.claim_in_order(claim, policy, token)?,
            _ => self.claim_in_turns(claim, policy, token)?,
        };
        if !claims.claimed.is_empty() {
            self.tables.set_counter(Counter::Token, token)?;
        }
        if claims.claimed.len() < claim.limit {
            claims.more = self.tables.len(Set::Ready)? > 0 || self.tables.len(Set::Ring)? > 0;
            claims.due = if claims.more { Some(self.now) } else { self.next_due()? };
        }
        Ok(claims)
    }

    /// Delivers the first ready jobs of a partition in which no ready job has a group.
    fn claim_in_order(&mut self, claim: &Claim, policy: &Policy, token: u64) -> Result<Claims> {
        let mut claims = Claims::default();
        let mut budget = Budget::new(claim.bytes);
        let mut left = MAX_BATCH;
        while claims.claimed.len() < claim.limit {
            let wanted = left.min(claim.limit - claims.claimed.len());
            let ready = self.tables.first(Set::Ready, wanted)?;
            if ready.is_empty() {
                break;
            }
            claims.token = token;
            left -= ready.len();
            for member in &ready {
                let Some(delivery) = self.next(Set::Ready, member, token, policy)? else {
                    continue;
                };
                if !budget.take(delivery.bytes) {
                    return Ok(claims);
                }
                claims.claimed.extend(self.deliver(Set::Ready, member, &delivery, claim)?);
            }
        }
        Ok(claims)
    }

    /// The delivery of a ready member. A member that cannot be delivered is taken out of its set.
    pub(super) fn next(
        &mut self,
        set: Set,
        member: &Member,
        token: u64,
        policy: &Policy,
    ) -> Result<Option<Delivery>> {
        let Ok(key) = member::parse_ready(&member.name) else {
            self.take_out(set, &member.name)?;
            return Ok(None);
        };
        let record = self.record(key)?;
        if record.as_ref().is_some_and(|record| record.cancelled) {
            self.take_out(set, &member.name)?;
            self.end_cancelled(key)?;
            return Ok(None);
        }
        if let Some(record) = &record
            && let Some(why) = self.spent(record, policy)
        {
            self.take_out(set, &member.name)?;
            self.bury_spent(key, record.clone(), why, policy)?;
            return Ok(None);
        }
        match self.find(Handle { key, token }, record)? {
            Found::Whole(delivery) => Ok(Some(delivery)),
            Found::Broken(record, why) => {
                self.take_out(set, &member.name)?;
                self.bury_spent(key, record, why, policy)?;
                Ok(None)
            }
        }
    }

    /// Delivers a ready job. The caller counts it in its group.
    pub(super) fn deliver(
        &mut self,
        set: Set,
        member: &Member,
        delivery: &Delivery,
        claim: &Claim,
    ) -> Result<Option<Claimed>> {
        self.tables.remove(set, &member.name)?;
        let end = time::after(self.now, claim.lease);
        self.tables.insert(Set::Leases, end, &member::lease(delivery.handle))?;
        self.told(delivery)
    }

    fn spent(&self, record: &JobRecord, policy: &Policy) -> Option<&'static str> {
        if self.is_expired(record) {
            return Some(reason::EXPIRED);
        }
        let limit = policy.max_deliveries.max(1);
        (record.ended() >= limit).then_some(reason::DELIVERED)
    }

    /// Whether every part of a job is there: its record, body and checkpoint.
    pub(super) fn find(&self, handle: Handle, record: Option<JobRecord>) -> Result<Found> {
        let Some(mut record) = record else {
            return Ok(Found::Broken(JobRecord::default(), reason::RECORD));
        };
        let name = handle.key.to_string();
        let Some(mut bytes) = self.tables.size(Map::Body, &name)? else {
            return Ok(Found::Broken(record, reason::BODY));
        };
        if record.progress.is_some() {
            let Some(state) = self.tables.size(Map::Checkpoint, &name)? else {
                record.progress = None;
                return Ok(Found::Broken(record, reason::CHECKPOINT));
            };
            bytes = bytes.saturating_add(state);
        }
        Ok(Found::Whole(Delivery { handle, record, bytes }))
    }

    /// The delivery as the answer to the worker.
    pub(super) fn told(&self, delivery: &Delivery) -> Result<Option<Claimed>> {
        let Delivery { handle, record, .. } = delivery;
        let Some(body) = self.body(handle.key)? else { return Ok(None) };
        Ok(Some(Claimed {
            handle: *handle,
            body,
            attempt: record.attempt(),
            delivery: record.ended().saturating_add(1),
            checkpoint: self.checkpoint(handle.key, record)?,
            group: record.group.as_deref().map(Into::into),
            enqueued: self.enqueued(handle.key, record)?.map(Duration::from_micros),
        }))
    }

    fn checkpoint(&self, key: JobKey, record: &JobRecord) -> Result<Option<SavedProgress>> {
        let Some(progress) = record.progress else { return Ok(None) };
        let state = self.tables.get(Map::Checkpoint, &key.to_string())?;
        Ok(state.map(|state| SavedProgress { state, progress }))
    }
}
