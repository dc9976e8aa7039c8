//! Exchange: acks, then operations, then the claim.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Claimed, Exchange, Exchanged, Handle, Operation, Policy, check_exchange};

use super::Machine;
use super::budget::Budget;
use super::claim::{Claims, Delivery, Found};
use super::session::{self, Recorded};
use crate::member;
use crate::record::{self, ExchangeRecord, SessionReply};
use crate::tables::{Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Settles, extends and checkpoints, then claims.
    ///
    /// The acks come first, then the operations, each in order, then the claim. A later item sees
    /// what an earlier item did, so a handle that is settled twice is stale the second time.
    ///
    /// A handle is valid while the tables hold its lease under its token. The lease's end does not
    /// matter: a delivery past its lease can be settled until [`maintain`](Machine::maintain)
    /// recovers the job.
    ///
    /// A repeat gets the same verdicts, and the same claims as far as their leases are still held;
    /// bodies and checkpoints are read again. The repeat's own claim bounds which claims it gets:
    /// in the recorded order, up to its limit and its bytes; without a claim it gets none. Each
    /// other recorded claim that is still held is released; a claim whose record, body or
    /// checkpoint is unreadable or gone becomes a dead letter. If the repeat released nothing,
    /// `next_due` is the same point in time, and `more` is the same. If the repeat released a job,
    /// `more` is true and `next_due` zero if it brought fewer jobs than its own limit; otherwise
    /// `next_due` is `None`. Later repeats are then answered from this answer.
    ///
    /// An exchange with a partition without jobs, sessions and groups records nothing, not even its
    /// session, so an idle worker leaves nothing behind.
    ///
    /// # Errors
    /// `TooLarge` and `Conflict`, as the crate's documentation says, and those of the tables.
    pub fn exchange(&mut self, request: &Exchange) -> Result<Exchanged> {
        check_exchange(request)?;
        let kept_until = match self.recorded(&request.session)? {
            Recorded::New { kept_until } => kept_until,
            Recorded::Done { kept_until, reply: SessionReply::Exchanged(record) } => {
                return self.replay(record, kept_until, request);
            }
            Recorded::Done { reply: SessionReply::Submitted(_), .. } => {
                return Err(session::other_verb(request.session.request));
            }
        };
        request.claim.as_ref().map_or(Ok(()), |claim| self.check_tokens(claim))?;
        let is_blank = self.is_blank()?;
        let mut acks = Vec::with_capacity(request.acks.len());
        for handle in &request.acks {
            acks.push(self.finish(*handle, None, &request.policy)?);
        }
        let mut operations = Vec::with_capacity(request.operations.len());
        for (handle, operation) in &request.operations {
            operations.push(self.operate(*handle, operation, &request.policy)?);
        }
        let claims = match &request.claim {
            Some(claim) => self.claim(claim, &request.policy)?,
            None => Claims::default(),
        };
        let (claimed, next_due) = (ranks(&claims.claimed), self.until(claims.due));
        let record = ExchangeRecord {
            acks: record::record_verdicts(&acks),
            operations: record::record_verdicts(&operations),
            token: claims.token,
            claimed,
            due: claims.due,
            more: claims.more,
        };
        if !is_blank {
            self.record_reply(&request.session, kept_until, SessionReply::Exchanged(record))?;
        }
        let (claimed, more) = (claims.claimed, claims.more);
        Ok(Exchanged { acks, operations, claimed, next_due, more })
    }

    /// Whether the partition has neither jobs nor sessions nor groups.
    fn is_blank(&self) -> Result<bool> {
        for set in [Set::Ready, Set::Timed, Set::Leases, Set::Dead, Set::Sessions, Set::Groups] {
            if self.tables.len(set)? > 0 {
                return Ok(false);
            }
        }
        Ok(true)
    }

    fn replay(
        &mut self,
        mut record: ExchangeRecord,
        kept_until: u64,
        request: &Exchange,
    ) -> Result<Exchanged> {
        let acks = record::replay_verdicts(&record.acks)?;
        let operations = record::replay_verdicts(&record.operations)?;
        let keys = record.claimed.iter().map(|rank| member::from_rank(*rank));
        let keys = keys.collect::<Result<Vec<_>>>()?;
        let (limit, bytes) = request.claim.map_or((0, 0), |claim| (claim.limit, claim.bytes));
        let mut budget = Budget::new(bytes);
        let (mut claimed, mut is_full) = (Vec::new(), false);
        for key in keys {
            let handle = Handle { key, token: record.token };
            if self.tables.score(Set::Leases, &member::lease(handle))?.is_none() {
                continue;
            }
            is_full |= claimed.len() == limit;
            if !is_full && let Some(delivery) = self.held(handle, &request.policy)? {
                is_full = !budget.take(delivery.bytes);
                if !is_full {
                    claimed.extend(self.told(&delivery)?);
                }
            }
            if is_full {
                self.operate(handle, &Operation::Release, &request.policy)?;
            }
        }
        if is_full {
            record.claimed = ranks(&claimed);
            record.more = claimed.len() < limit;
            record.due = record.more.then_some(self.now);
        }
        let (due, more) = (record.due, record.more);
        if is_full {
            self.record_reply(&request.session, kept_until, SessionReply::Exchanged(record))?;
        }
        let next_due = if more { Some(Duration::ZERO) } else { self.until(due) };
        Ok(Exchanged { acks, operations, claimed, next_due, more })
    }

    /// What to deliver again of a held job. A job with a missing part becomes a dead letter.
    fn held(&mut self, handle: Handle, policy: &Policy) -> Result<Option<Delivery>> {
        let record = self.record(handle.key)?;
        match self.find(handle, record)? {
            Found::Whole(delivery) => Ok(Some(delivery)),
            Found::Broken(record, why) => {
                self.tables.remove(Set::Leases, &member::lease(handle))?;
                self.free_slot(record.group.as_deref())?;
                self.bury_spent(handle.key, record, why, policy)?;
                Ok(None)
            }
        }
    }
}

fn ranks(claimed: &[Claimed]) -> Vec<u64> {
    claimed.iter().map(|claimed| claimed.handle.key.rank()).collect()
}
