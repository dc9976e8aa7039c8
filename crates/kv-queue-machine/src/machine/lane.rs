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

/// How long a lane is remembered after its last request that was done; [`Machine::tend`] forgets
/// it then.
pub const LANE_LIFETIME: Duration = Duration::from_secs(600);

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
        self.tables.insert(Set::Lanes, time::after(self.now, LANE_LIFETIME), &lane.name)
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
