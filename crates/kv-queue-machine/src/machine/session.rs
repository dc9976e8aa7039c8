//! Sessions and their sequence numbers: how the machine recognises a repeated request.
//!
//! A session keeps the sequence number of its last request with the reply. A request with the same
//! number gets that reply, and writes nothing unless it asks for fewer claims; a lower number is
//! refused; a higher number is executed. Every executed request is recorded, even a request that
//! found nothing to do: otherwise a late copy of it would claim jobs for nobody. The exception is
//! an exchange with a partition without jobs and sessions: a purged partition stays empty although
//! workers ask for jobs.

use std::time::Duration;

use kv_core::queue::Session;
use kv_core::{Error, ErrorKind, Result};

use super::Machine;
use crate::record::{SessionRecord, SessionReply, decode, encode};
use crate::tables::{Map, Set, Tables};
use crate::time;

/// How long a session is kept at least after its last executed request.
///
/// After that time [`Machine::maintain`] forgets the session, or a request on another session does:
/// a request that extends its own session forgets up to [`PAST_AT_ONCE`] others. So sessions cannot
/// pile up in a partition without maintenance.
pub const SESSION_LIFETIME: Duration = Duration::from_secs(600);

/// How much longer a session is kept than it must be, so that only some requests must extend it.
pub const SESSION_SLACK: Duration = Duration::from_secs(60);

/// How many sessions or windows past their time a request forgets: more than it adds.
pub const PAST_AT_ONCE: usize = 2;

/// Whether a request was executed before, and how long its session is kept.
pub(super) enum Recorded {
    /// The request is new. The session is kept until this stamp; zero for a new session.
    New { kept_until: u64 },
    /// The request was executed before. The session is kept until this stamp.
    Done { kept_until: u64, reply: SessionReply },
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Whether a request was executed before.
    pub(super) fn recorded(&self, session: &Session) -> Result<Recorded> {
        let Some(stored) = self.tables.get(Map::Session, &session.name)? else {
            return Ok(Recorded::New { kept_until: 0 });
        };
        let record: SessionRecord = decode("a session", &stored)?;
        match session.request.cmp(&record.request) {
            std::cmp::Ordering::Greater => Ok(Recorded::New { kept_until: record.kept_until }),
            std::cmp::Ordering::Equal => {
                Ok(Recorded::Done { kept_until: record.kept_until, reply: record.reply })
            }
            std::cmp::Ordering::Less => Err(older(session.request, record.request)),
        }
    }

    pub(super) fn record_reply(
        &mut self,
        session: &Session,
        kept_until: u64,
        reply: SessionReply,
    ) -> Result<()> {
        let is_kept = kept_until >= time::after(self.now, SESSION_LIFETIME);
        let kept_until = match is_kept {
            true => kept_until,
            false => time::after(self.now, SESSION_LIFETIME + SESSION_SLACK),
        };
        let record = SessionRecord { request: session.request, kept_until, reply };
        self.tables.put(Map::Session, &session.name, encode(&record)?)?;
        if is_kept {
            return Ok(());
        }
        self.tables.insert(Set::Sessions, kept_until, &session.name)?;
        self.forget_past(Set::Sessions, Map::Session, PAST_AT_ONCE).map(drop)
    }
}

fn older(request: u64, last: u64) -> Error {
    let message = format!("request {request} on a session whose last one was {last}");
    Error::new(ErrorKind::Conflict, message)
}

/// An error: the sequence number belongs to a request of another verb.
pub(super) fn other_verb(request: u64) -> Error {
    let message = format!("request {request} of this session was of another verb");
    Error::new(ErrorKind::Conflict, message)
}
