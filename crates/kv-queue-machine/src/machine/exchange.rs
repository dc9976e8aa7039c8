//! Exchange: acks, then operations, then the claim.

use kv_core::Result;
use kv_core::queue::{Claimed, Exchange, Exchanged, Handle, check_exchange};

use super::Machine;
use super::claim::Claims;
use super::lane::{self, Recorded};
use crate::member;
use crate::record::{self, ExchangeRecord, LaneReply};
use crate::tables::{Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Settles, extends and checkpoints, then claims.
    ///
    /// The acks come first, then the operations, each in order, then the claim; a later item sees
    /// what an earlier one did, so a handle that is settled twice is stale the second time.
    ///
    /// A handle is good while its lease is in the tables under its token. Its end does not matter
    /// for that: a delivery past it can be settled until [`tend`](Machine::tend) recovers it.
    ///
    /// A repeat is answered with the same verdicts, and with the same claims as far as their
    /// leases are still held; bodies and checkpoints are read again. `next_due` is the same point
    /// in time.
    ///
    /// # Errors
    /// `TooLarge` and `Conflict`, as the crate's documentation says, and those of the tables.
    pub fn exchange(&mut self, request: &Exchange) -> Result<Exchanged> {
        check_exchange(request)?;
        let kept_until = match self.recorded(&request.lane)? {
            Recorded::New { kept_until } => kept_until,
            Recorded::Done(LaneReply::Exchanged(record)) => return self.replay(&record),
            Recorded::Done(LaneReply::Submitted(_)) => {
                return Err(lane::other_verb(request.lane.request));
            }
        };
        let mut acks = Vec::with_capacity(request.acks.len());
        for handle in &request.acks {
            acks.push(self.ack(*handle)?);
        }
        let mut operations = Vec::with_capacity(request.operations.len());
        for (handle, operation) in &request.operations {
            operations.push(self.operate(*handle, operation, &request.policy)?);
        }
        let claims = match &request.claim {
            Some(claim) => self.claim(claim, &request.policy)?,
            None => Claims::default(),
        };
        let record = ExchangeRecord {
            acks: record::record_verdicts(&acks),
            operations: record::record_verdicts(&operations),
            token: claims.token,
            claimed: claims.claimed.iter().map(|claimed| claimed.handle.key.rank()).collect(),
            due: claims.due,
        };
        self.record_reply(&request.lane, kept_until, LaneReply::Exchanged(record))?;
        let next_due = self.until(claims.due);
        Ok(Exchanged { acks, operations, more: next_due == Some(std::time::Duration::ZERO) && claims.claimed.len() < request.claim.map_or(0, |it| it.limit) && self.tables.len(Set::Ready)? > 0, claimed: claims.claimed, next_due })
    }

    fn replay(&self, record: &ExchangeRecord) -> Result<Exchanged> {
        let mut claimed = Vec::with_capacity(record.claimed.len());
        for rank in &record.claimed {
            let handle = Handle { key: member::from_rank(*rank)?, token: record.token };
            claimed.extend(self.claimed_again(handle)?);
        }
        Ok(Exchanged {
            acks: record::replay_verdicts(&record.acks)?,
            operations: record::replay_verdicts(&record.operations)?,
            claimed,
            next_due: self.until(record.due), more: false,
        })
    }

    fn claimed_again(&self, handle: Handle) -> Result<Option<Claimed>> {
        if self.tables.score(Set::Leases, &member::lease(handle))?.is_none() {
            return Ok(None);
        }
        let record = self.record(handle.key)?;
        self.delivery(handle, &record).map(Some)
    }
}
