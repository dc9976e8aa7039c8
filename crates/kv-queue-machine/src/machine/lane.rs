//! Lanes: how a repeated request is recognised.
//!
//! A lane remembers its last request, by number, with the reply. The same number again is
//! answered from memory and writes nothing; a lower one is refused; a higher one is done. Every
//! request that was done is recorded, also one that found nothing to do: else a late copy of it
//! would claim jobs for nobody.

use std::time::Duration;

use kv_core::queue::Lane;
use kv_core::{Error, ErrorKind, Result};

use super::Machine;
use crate::record::{LaneRecord, LaneReply, decode, encode};
use crate::tables::{Map, Set, Tables};
use crate::time;

/// How long a lane is remembered after its last request that was done. Then [`Machine::tend`]
/// forgets it, or one of the next requests: each that is recorded forgets up to
/// [`PAST_AT_ONCE`] lanes, so that they cannot pile up where nothing is ever due.
pub const LANE_LIFETIME: Duration = Duration::from_secs(600);

/// How many that are past their time a request forgets beside its work: more than it adds.
pub const PAST_AT_ONCE: usize = 2;

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// The reply to a request that was done before, or `None` for a new one.
    pub(super) fn recorded(&self, lane: &Lane) -> Result<Option<LaneReply>> {
        let Some(stored) = self.tables.get(Map::Lane, &lane.name)? else { return Ok(None) };
        let record: LaneRecord = decode("a lane", &stored)?;
        match lane.request.cmp(&record.request) {
            std::cmp::Ordering::Greater => Ok(None),
            std::cmp::Ordering::Equal => Ok(Some(record.reply)),
            std::cmp::Ordering::Less => Err(older(lane.request, record.request)),
        }
    }

    pub(super) fn record_reply(&mut self, lane: &Lane, reply: LaneReply) -> Result<()> {
        let record = LaneRecord { request: lane.request, reply };
        self.tables.put(Map::Lane, &lane.name, encode(&record)?)?;
        self.tables.insert(Set::Lanes, time::after(self.now, LANE_LIFETIME), &lane.name)?;
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
