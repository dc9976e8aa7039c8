//! The claim of an exchange.

use kv_core::queue::{Claim, Claimed, Handle, JobKey, MAX_STAMP, Policy, SavedProgress};
use kv_core::{Error, ErrorKind, Result};

use super::{Machine, reason};
use crate::record::JobRecord;
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

/// What a claim found.
#[derive(Default)]
pub(super) struct Claims {
    pub(super) token: u64,
    pub(super) claimed: Vec<Claimed>,
    /// Where it came back short: when to try again.
    pub(super) due: Option<u64>,
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Delivers the first ready jobs under one new token: the larger of the last one plus one,
    /// and the time.
    ///
    /// At most `limit` ready jobs are looked at. One whose time to live ended before its first
    /// delivery, or that was delivered too often, is buried instead of delivered. A claim neither
    /// promotes nor recovers: [`tend`](Machine::tend) does. One that came back short tells when
    /// to try again: at once if there are more ready jobs, else when a job is due or a lease
    /// ends, its own included. Nothing is claimed while the partition is paused, and nothing is
    /// due.
    pub(super) fn claim(&mut self, claim: &Claim, policy: &Policy) -> Result<Claims> {
        if self.is_paused()? {
            return Ok(Claims::default());
        }
        let ready = self.tables.first(Set::Ready, claim.limit)?;
        let mut claims = Claims::default();
        if !ready.is_empty() {
            claims.token = self.next_token()?;
        }
        let end = time::after(self.now, claim.lease);
        for member in &ready {
            let key = member::parse_key(&member.name)?;
            let handle = Handle { key, token: claims.token };
            claims.claimed.extend(self.deliver(handle, end, policy)?);
        }
        if !claims.claimed.is_empty() {
            self.tables.set_counter(Counter::Token, claims.token)?;
        }
        if claims.claimed.len() < claim.limit {
            let more = self.tables.len(Set::Ready)? > 0;
            claims.due = if more { Some(self.now) } else { self.next_due()? };
        }
        Ok(claims)
    }

    fn next_token(&self) -> Result<u64> {
        let token = self.tables.counter(Counter::Token)?.saturating_add(1).max(self.now);
        if token <= MAX_STAMP {
            return Ok(token);
        }
        Err(Error::new(ErrorKind::Backend, format!("the partition's tokens end at {MAX_STAMP}")))
    }

    /// Gives out a ready job, or buries it.
    fn deliver(&mut self, handle: Handle, end: u64, policy: &Policy) -> Result<Option<Claimed>> {
        let key = handle.key;
        let record = self.record(key)?;
        let spent = self.spent(&record, policy);
        if let Some(why) = spent {
            self.tables.remove(Set::Ready, &key.to_string())?;
            self.bury_spent(key, record, why, policy)?;
            return Ok(None);
        }
        let claimed = self.delivery(handle, &record)?;
        self.tables.remove(Set::Ready, &key.to_string())?;
        self.tables.insert(Set::Leases, end, &member::lease(handle))?;
        Ok(Some(claimed))
    }

    fn spent(&self, record: &JobRecord, policy: &Policy) -> Option<&'static str> {
        if self.is_expired(record) {
            return Some(reason::EXPIRED);
        }
        let limit = policy.max_deliveries.max(1);
        (record.ended() >= limit).then_some(reason::DELIVERED)
    }

    /// What a worker is told of its delivery.
    pub(super) fn delivery(&self, handle: Handle, record: &JobRecord) -> Result<Claimed> {
        Ok(Claimed {
            handle,
            body: self.body(handle.key)?,
            attempt: record.attempt(),
            delivery: record.ended().saturating_add(1),
            checkpoint: self.checkpoint(handle.key, record)?,
        })
    }

    fn checkpoint(&self, key: JobKey, record: &JobRecord) -> Result<Option<SavedProgress>> {
        let Some(progress) = record.progress else { return Ok(None) };
        let state = self.tables.get(Map::Checkpoint, &key.to_string())?;
        let state = state.ok_or_else(|| member::corrupt("a checkpoint"))?;
        Ok(Some(SavedProgress { state, progress }))
    }
}
