//! Submit.

use kv_core::queue::{JobKey, NewJob, Submit, Submitted, Unique, UniqueScope, check_submit};
use kv_core::{Bytes, Error, ErrorKind, Result};

use super::Machine;
use super::session::{self, Recorded};
use crate::record::{self, JobRecord, SessionReply};
use crate::tables::{Counter, Map, Set, Tables};
use crate::{member, time};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Adds jobs, in order.
    ///
    /// If a job's unique key is held, the job is a duplicate of the holder. The holder may be a job
    /// of the same request, a dead letter, or, with a window or for the run, a job that ended long
    /// ago. A window past its end holds no key, whether it was forgotten or not. Otherwise the job
    /// gets the next sequence number, and is ready at once or timed by its delay; its time to live
    /// counts from now. A request that extends its session, or has none, marks the time. Each added window forgets up to [`PAST_AT_ONCE`](crate::PAST_AT_ONCE)
    /// windows past their end.
    ///
    /// # Errors
    /// `TooLarge` and `Conflict`, as the crate's documentation says, and those of the tables.
    pub fn submit(&mut self, request: &Submit) -> Result<Vec<Submitted>> {
        check_submit(request)?;
        let mut kept_until = 0;
        if let Some(session) = &request.session {
            match self.recorded(session)? {
                Recorded::New { kept_until: until } => kept_until = until,
                Recorded::Done { reply: SessionReply::Submitted(replies), .. } => {
                    return record::replay_submitted(&replies);
                }
                Recorded::Done { reply: SessionReply::Exchanged(_), .. } => {
                    return Err(session::other_verb(session.request));
                }
            }
        }
        let first = self.tables.counter(Counter::Sequence)?;
        check_sequence(first, request.jobs.len())?;
        if kept_until < time::after(self.now, session::SESSION_LIFETIME) {
            self.mark(first)?;
        }
        let mut sequence = first;
        let mut replies = Vec::with_capacity(request.jobs.len());
        for job in &request.jobs {
            replies.push(self.add(job, &mut sequence)?);
        }
        if sequence != first {
            self.tables.set_counter(Counter::Sequence, sequence)?;
        }
        if let Some(session) = &request.session {
            let reply = SessionReply::Submitted(record::record_submitted(&replies));
            self.record_reply(session, kept_until, reply)?;
        }
        Ok(replies)
    }

    fn add(&mut self, job: &NewJob, sequence: &mut u64) -> Result<Submitted> {
        if let Some(unique) = &job.unique
            && let Some(holder) = self.holder(&unique.key)?
        {
            return Ok(Submitted::Duplicate(holder));
        }
        *sequence += 1;
        let key = JobKey::new(job.priority, *sequence);
        let record = JobRecord {
            place: job.note_time.then(|| self.note(key)),
            unique: job.unique.as_ref().and_then(while_live),
            deadline: job.time_to_live.map(|ttl| time::after(self.now, ttl)),
            group: job.group.as_deref().map(str::to_owned),
            ..JobRecord::default()
        };
        self.tables.put(Map::Body, &key.to_string(), job.body.clone())?;
        if record != JobRecord::default() {
            self.save(key, &record)?;
        }
        if let Some(unique) = &job.unique {
            self.hold(unique, key)?;
        }
        self.enter(key, &record, job.delay)?;
        Ok(Submitted::Added(key))
    }

    /// The job that holds a unique key now. A window past its end is forgotten.
    fn holder(&mut self, unique: &str) -> Result<Option<JobKey>> {
        let Some(holder) = self.tables.get(Map::Unique, unique)? else { return Ok(None) };
        if self.is_past(unique)? {
            self.tables.remove(Set::Windows, unique)?;
            self.tables.delete(Map::Unique, unique)?;
            return Ok(None);
        }
        // An unreadable entry holds no key, and is replaced.
        Ok(member::parse_holder(&holder).ok())
    }

    /// The job that holds a unique key now, with nothing changed.
    pub(super) fn find_holder(&self, unique: &str) -> Result<Option<JobKey>> {
        let Some(holder) = self.tables.get(Map::Unique, unique)? else { return Ok(None) };
        let holder = member::parse_holder(&holder).ok();
        Ok(if self.is_past(unique)? { None } else { holder })
    }

    /// Whether a unique key held for a window that is over.
    fn is_past(&self, unique: &str) -> Result<bool> {
        let end = self.tables.score(Set::Windows, unique)?;
        Ok(end.is_some_and(|end| end <= self.now))
    }

    fn hold(&mut self, unique: &Unique, key: JobKey) -> Result<()> {
        self.tables.put(Map::Unique, &unique.key, Bytes::from(key.to_string()))?;
        match unique.scope {
            UniqueScope::Live | UniqueScope::Run => Ok(()),
            UniqueScope::Window(window) => {
                let end = time::after(self.now, window);
                self.tables.insert(Set::Windows, end, &unique.key)?;
                self.forget_past(Set::Windows, Map::Unique, session::PAST_AT_ONCE).map(drop)
            }
        }
    }
}

/// The key, if it lasts as long as the job.
fn while_live(unique: &Unique) -> Option<String> {
    match unique.scope {
        UniqueScope::Live => Some(unique.key.clone()),
        UniqueScope::Window(_) | UniqueScope::Run => None,
    }
}

fn check_sequence(last: u64, jobs: usize) -> Result<()> {
    let jobs = u64::try_from(jobs).unwrap_or(u64::MAX);
    if last.saturating_add(jobs) <= JobKey::MAX_SEQUENCE {
        return Ok(());
    }
    let message = format!("the partition's sequence numbers end at {}", JobKey::MAX_SEQUENCE);
    Err(Error::new(ErrorKind::Backend, message))
}
