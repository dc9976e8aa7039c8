//! Lanes: how a repeated request is recognised.
//!
//! A lane remembers its last request, by number, with the reply. The same number again is
//! answered from memory, and writes nothing unless it asks for fewer claims; a lower one is
//! refused; a higher one is done. Every
//! request that was done is recorded, also one that found nothing to do: else a late copy of it
//! would claim jobs for nobody. The exception is an exchange with a partition that has neither jobs
//! nor lanes: a partition that was purged stays empty although workers ask for jobs.

use std::time::Duration;

use kv_core::queue::Lane;
use kv_core::{Error, ErrorKind, Result};

use super::Machine;
use crate::record::{LaneRecord, LaneReply, decode, encode};
use crate::tables::{Map, Set, Tables};
use crate::time;

/// How long a lane is remembered at least after its last request that was done.
///
/// When its time has come [`Machine::tend`] forgets it, or a request on another lane: one that
/// sets the time of its own forgets up to [`PAST_AT_ONCE`] others, so that lanes cannot pile up
/// where nothing is ever due.
pub const LANE_LIFETIME: Duration = Duration::from_secs(600);

/// How much longer a lane is remembered than it must be, so that its time is set anew once in a
/// while and not with every request.
pub const LANE_SLACK: Duration = Duration::from_secs(60);

/// How many that are past their time a request forgets beside its work: more than it adds.
pub const PAST_AT_ONCE: usize = 2;

/// What is known of a request's lane.
pub(super) enum Recorded {
    /// The request is new; the lane is kept until this stamp, zero for a new lane.
    New { kept_until: u64 },
    /// The request was done before; the lane is kept until this stamp.
    Done { kept_until: u64, reply: LaneReply },
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Whether a request was done before.
    pub(super) fn recorded(&self, lane: &Lane) -> Result<Recorded> {
        let Some(stored) = self.tables.get(Map::Lane, &lane.name)? else {
            return Ok(Recorded::New { kept_until: 0 });
        };
        let record: LaneRecord = decode("a lane", &stored)?;
        match lane.request.cmp(&record.request) {
            std::cmp::Ordering::Greater => Ok(Recorded::New { kept_until: record.kept_until }),
            std::cmp::Ordering::Equal => {
                Ok(Recorded::Done { kept_until: record.kept_until, reply: record.reply })
            }
            std::cmp::Ordering::Less => Err(older(lane.request, record.request)),
        }
    }

    pub(super) fn record_reply(
        &mut self,
        lane: &Lane,
        kept_until: u64,
        reply: LaneReply,
    ) -> Result<()> {
        let is_kept = kept_until >= time::after(self.now, LANE_LIFETIME);
        let kept_until = match is_kept {
            true => kept_until,
            false => time::after(self.now, LANE_LIFETIME + LANE_SLACK),
        };
        let record = LaneRecord { request: lane.request, kept_until, reply };
        self.tables.put(Map::Lane, &lane.name, encode(&record)?)?;
        if is_kept {
            return Ok(());
        }
        self.tables.insert(Set::Lanes, kept_until, &lane.name)?;
        self.forget_past(Set::Lanes, Map::Lane, PAST_AT_ONCE).map(drop)
    }
}

fn older(request: u64, last: u64) -> Error {
    let message = format!("request {request} on a lane whose last one was {last}");
    Error::new(ErrorKind::Conflict, message)
}

/// A number that was used for a request of another verb.
pub(super) fn other_verb(request: u64) -> Error {
    let message = format!("request {request} of this lane was of another verb");
    Error::new(ErrorKind::Conflict, message)
}
