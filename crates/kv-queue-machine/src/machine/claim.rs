//! The claim of an exchange.

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
    /// Where it came back short: when to try again.
    pub(super) due: Option<u64>,
    /// Whether it came back short although jobs are ready.
    pub(super) more: bool,
}

/// What a job is like that is to be delivered.
pub(super) enum Found {
    /// All of it is there.
    Whole(Delivery),
    /// Something cannot be read or is gone: to be set aside for this reason, with this record.
    Broken(JobRecord, &'static str),
}

/// A job that can be delivered.
pub(super) struct Delivery {
    handle: Handle,
    record: JobRecord,
    /// Of the body and the checkpoint's state.
    pub(super) bytes: usize,
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Refuses a claim where no token is left.
    pub(super) fn check_tokens(&self, claim: &Claim) -> Result<()> {
        if claim.limit == 0 || self.tables.counter(Counter::Token)? < MAX_STAMP {
            return Ok(());
        }
        Err(Error::new(ErrorKind::Backend, format!("the partition's tokens end at {MAX_STAMP}")))
    }

    /// Delivers the first ready jobs under one new token: the larger of the last one plus one,
    /// and the time.
    ///
    /// It goes on until it has its limit, or the next job would bring bodies and checkpoints above
    /// its bytes, or [`MAX_BATCH`] ready jobs were looked at. One whose time to live ended before
    /// its first delivery, that was delivered too often, or of which something cannot be read or
    /// is gone, is buried instead of delivered; one that was cancelled ends; a member that is no
    /// job is dropped. A claim neither promotes nor recovers: [`tend`](Machine::tend) does. One
    /// that came back short tells when to try again: at once if there are more ready jobs, else
    /// when a job is due or a lease ends, its own included. Nothing is claimed while the partition
    /// is paused, and nothing is due.
    pub(super) fn claim(&mut self, claim: &Claim, policy: &Policy) -> Result<Claims> {
        let mut claims = Claims::default();
        if self.is_paused()? {
            return Ok(claims);
        }
        let token = self.tables.counter(Counter::Token)?.saturating_add(1).max(self.now);
        let mut budget = Budget::new(claim.bytes);
        let mut left = MAX_BATCH;
        'looking: while claims.claimed.len() < claim.limit {
            let wanted = left.min(claim.limit - claims.claimed.len());
            let ready = self.tables.first(Set::Ready, wanted)?;
            if ready.is_empty() {
                break;
            }
            claims.token = token;
            left -= ready.len();
            for member in &ready {
                let Some(delivery) = self.next(member, token, policy)? else { continue };
                if !budget.take(delivery.bytes) {
                    break 'looking;
                }
                claims.claimed.extend(self.deliver(member, &delivery, claim)?);
            }
        }
        if !claims.claimed.is_empty() {
            self.tables.set_counter(Counter::Token, token)?;
        }
        if claims.claimed.len() < claim.limit {
            claims.more = self.tables.len(Set::Ready)? > 0;
            claims.due = if claims.more { Some(self.now) } else { self.next_due()? };
        }
        Ok(claims)
    }

    /// What to deliver of a ready member. One that cannot be delivered is taken out of the way.
    fn next(&mut self, member: &Member, token: u64, policy: &Policy) -> Result<Option<Delivery>> {
        let Ok(key) = member::parse_ready(&member.name) else {
            self.tables.remove(Set::Ready, &member.name)?;
            return Ok(None);
        };
        let record = self.record(key)?;
        if record.as_ref().is_some_and(|record| record.cancelled) {
            self.tables.remove(Set::Ready, &member.name)?;
            self.end_cancelled(key)?;
            return Ok(None);
        }
        if let Some(record) = &record
            && let Some(why) = self.spent(record, policy)
        {
            self.tables.remove(Set::Ready, &member.name)?;
            self.bury_spent(key, record.clone(), why, policy)?;
            return Ok(None);
        }
        match self.find(Handle { key, token }, record)? {
            Found::Whole(delivery) => Ok(Some(delivery)),
            Found::Broken(record, why) => {
                self.tables.remove(Set::Ready, &member.name)?;
                self.bury_spent(key, record, why, policy)?;
                Ok(None)
            }
        }
    }

    /// Gives out a ready job.
    fn deliver(
        &mut self,
        member: &Member,
        delivery: &Delivery,
        claim: &Claim,
    ) -> Result<Option<Claimed>> {
        self.tables.remove(Set::Ready, &member.name)?;
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

    /// Whether all of a job is there: its record, body and checkpoint.
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

    /// What a worker is told of its delivery.
    pub(super) fn told(&self, delivery: &Delivery) -> Result<Option<Claimed>> {
        let Delivery { handle, record, .. } = delivery;
        let Some(body) = self.body(handle.key)? else { return Ok(None) };
        Ok(Some(Claimed {
            handle: *handle,
            body,
            attempt: record.attempt(),
            delivery: record.ended().saturating_add(1),
            checkpoint: self.checkpoint(handle.key, record)?,
        }))
    }

    fn checkpoint(&self, key: JobKey, record: &JobRecord) -> Result<Option<SavedProgress>> {
        let Some(progress) = record.progress else { return Ok(None) };
        let state = self.tables.get(Map::Checkpoint, &key.to_string())?;
        Ok(state.map(|state| SavedProgress { state, progress }))
    }
}
