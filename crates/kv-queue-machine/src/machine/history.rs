//! What is kept of a job's past: when it was submitted, and its last failures.
//!
//! The time of a submission that was noted is the place of the job: it has the sequence before the
//! job's own, which no job that came back has, and orders the job as its key does. A job that comes
//! back takes a new place, so the time moves to its history. Only jobs that failed, or whose time
//! was noted and which came back, have a history.

use kv_core::Result;
use kv_core::queue::{DelayedBy, JobKey, MAX_HISTORY, cut_reason};

use super::Machine;
use crate::member::Place;
use crate::record::{History, JobRecord, Last, decode, encode};
use crate::tables::{Map, Tables};

/// The key of a job's history among the records.
fn name(key: JobKey) -> String {
    format!("{key}h")
}

impl JobRecord {
    /// When the job was submitted, if that was noted and the job has not come back.
    pub(super) fn noted(&self, key: JobKey) -> Option<u64> {
        let place = self.place.filter(|place| place.sequence < key.sequence())?;
        Some(place.since)
    }
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// The place of a new job whose time is to be noted.
    pub(super) fn note(&self, key: JobKey) -> Place {
        Place { sequence: key.sequence().saturating_sub(1), since: self.now }
    }

    /// What is kept of a job's past; nothing if it cannot be read.
    pub(super) fn history(&self, key: JobKey) -> Result<Option<History>> {
        let stored = self.tables.get(Map::Job, &name(key))?;
        Ok(stored.and_then(|stored| decode("a history", &stored).ok()))
    }

    /// When a job was submitted, if that was noted.
    pub(super) fn enqueued(&self, key: JobKey, record: &JobRecord) -> Result<Option<u64>> {
        if record.place.is_none() {
            return Ok(None);
        }
        match record.noted(key) {
            None => Ok(self.history(key)?.and_then(|history| history.enqueued)),
            noted => Ok(noted),
        }
    }

    /// Notes how a delivery ended, before the job takes a new place: with its failure, if it failed.
    pub(super) fn remember(
        &mut self,
        key: JobKey,
        record: &JobRecord,
        last: Last,
        failure: Option<&str>,
    ) -> Result<()> {
        let (noted, has_failed) = (record.noted(key), record.failed + record.crashes > 0);
        if failure.is_none() && noted.is_none() && !has_failed {
            return Ok(());
        }
        let mut history = self.history(key)?.unwrap_or_default();
        history.enqueued = noted.or(history.enqueued);
        history.last = last;
        if let Some(failure) = failure {
            history.failures.push((self.now, cut_reason(failure).to_owned()));
            let surplus = history.failures.len().saturating_sub(MAX_HISTORY);
            history.failures.drain(..surplus);
        }
        self.tables.put(Map::Job, &name(key), encode(&history)?)
    }

    /// Keeps the noted time of a job that takes a new place.
    pub(super) fn carry_note(&mut self, key: JobKey, record: &JobRecord) -> Result<()> {
        match record.noted(key) {
            Some(_) => self.remember(key, record, Last::Other, None),
            None => Ok(()),
        }
    }

    /// Why a job waits for its time.
    pub(super) fn why_delayed(&self, key: JobKey, record: &JobRecord) -> Result<DelayedBy> {
        if record.failed + record.crashes == 0 {
            return Ok(if record.snoozes > 0 { DelayedBy::Snooze } else { DelayedBy::Delay });
        }
        // Builds that kept no history left none.
        Ok(match self.history(key)?.map(|history| history.last) {
            None | Some(Last::Failure) => DelayedBy::Retry,
            Some(Last::Snooze) => DelayedBy::Snooze,
            Some(Last::Other) => DelayedBy::Delay,
        })
    }

    pub(super) fn forget_history(&mut self, key: JobKey) -> Result<()> {
        self.tables.delete(Map::Job, &name(key)).map(drop)
    }
}
