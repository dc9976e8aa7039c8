//! What the tables store of jobs and sessions beside their place in the sets.

use bytes::Bytes;
use kv_core::queue::{JobKey, Submitted, Verdict};
use kv_core::{Error, ErrorKind, Result};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use crate::member::{Place, corrupt, from_rank};

/// What differs from a fresh job. A fresh job, and a job that was claimed but never settled, has no
/// record: a delivery counts when it ends.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct JobRecord {
    /// The unique key that ends with the job.
    pub(crate) unique: Option<String>,
    /// When the job expires, unless it was delivered before.
    pub(crate) deadline: Option<u64>,
    /// Failures since the progress last advanced, for the budget.
    pub(crate) failures: u32,
    /// Deliveries that ended in a failure.
    pub(crate) failed: u32,
    /// Deliveries whose lease ended.
    pub(crate) crashes: u32,
    /// Deliveries that ended in a snooze.
    pub(crate) snoozes: u32,
    /// The highest progress; `None` without a checkpoint.
    pub(crate) progress: Option<u64>,
    /// Whether the running job was cancelled and its worker has not heard of it yet.
    pub(crate) cancelled: bool,
    /// The last failure; for a dead letter, why the job died.
    pub(crate) reason: String,
    /// The job's place among the ready jobs, if it came back; kept while the job is leased, for a
    /// release.
    #[serde(default)]
    pub(crate) place: Option<Place>,
    /// The job's group. It is not written where a job has none, so that builds without groups read
    /// the record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) group: Option<String>,
}

impl JobRecord {
    /// Deliveries that have ended.
    pub(crate) const fn ended(&self) -> u32 {
        self.failed.saturating_add(self.crashes).saturating_add(self.snoozes)
    }

    /// The attempt number of a delivery that begins or runs now.
    pub(crate) const fn attempt(&self) -> u32 {
        self.failed.saturating_add(self.crashes).saturating_add(1)
    }

    /// What a redriven job keeps.
    pub(crate) fn renewed(self) -> Self {
        let Self { unique, progress, group, .. } = self;
        Self { unique, progress, group, ..Self::default() }
    }
}

/// What is kept of a job's past.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct History {
    /// When the job was submitted, if that was noted.
    pub(crate) enqueued: Option<u64>,
    /// How the last delivery ended.
    pub(crate) last: Last,
    /// When the last deliveries failed, and why; the oldest first.
    pub(crate) failures: Vec<(u64, String)>,
}

/// How a delivery ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum Last {
    #[serde(rename = "f")]
    Failure,
    #[serde(rename = "s")]
    Snooze,
    #[default]
    #[serde(rename = "o")]
    Other,
}

/// The last request of a session.
#[derive(Serialize, Deserialize)]
pub(crate) struct SessionRecord {
    pub(crate) request: u64,
    pub(crate) kept_until: u64,
    pub(crate) reply: SessionReply,
}

#[derive(Serialize, Deserialize)]
pub(crate) enum SessionReply {
    Submitted(Vec<SubmitRecord>),
    Exchanged(ExchangeRecord),
}

/// Whether the job was added, and its rank, or else the rank of the job that holds its unique key.
pub(crate) type SubmitRecord = (bool, u64);

/// Verdicts as letters; claims as ranks under one token; the next due time as a stamp.
#[derive(Serialize, Deserialize)]
pub(crate) struct ExchangeRecord {
    pub(crate) acks: String,
    pub(crate) operations: String,
    pub(crate) token: u64,
    pub(crate) claimed: Vec<u64>,
    pub(crate) due: Option<u64>,
    #[serde(default)]
    pub(crate) more: bool,
}

pub(crate) fn record_submitted(replies: &[Submitted]) -> Vec<SubmitRecord> {
    let record = |reply: &Submitted| match reply {
        Submitted::Added(key) => (true, key.rank()),
        Submitted::Duplicate(key) => (false, key.rank()),
    };
    replies.iter().map(record).collect()
}

pub(crate) fn replay_submitted(records: &[SubmitRecord]) -> Result<Vec<Submitted>> {
    let replay = |&(added, rank): &SubmitRecord| {
        let key: JobKey = from_rank(rank)?;
        Ok(if added { Submitted::Added(key) } else { Submitted::Duplicate(key) })
    };
    records.iter().map(replay).collect()
}

pub(crate) fn record_verdicts(verdicts: &[Verdict]) -> String {
    let letter = |verdict: &Verdict| match verdict {
        Verdict::Applied => 'a',
        Verdict::Buried => 'b',
        Verdict::Stale => 's',
        Verdict::Cancelled => 'c',
    };
    verdicts.iter().map(letter).collect()
}

pub(crate) fn replay_verdicts(letters: &str) -> Result<Vec<Verdict>> {
    let verdict = |letter| match letter {
        'a' => Ok(Verdict::Applied),
        'b' => Ok(Verdict::Buried),
        's' => Ok(Verdict::Stale),
        'c' => Ok(Verdict::Cancelled),
        _ => Err(corrupt("a verdict")),
    };
    letters.chars().map(verdict).collect()
}

pub(crate) fn encode<T: Serialize>(record: &T) -> Result<Bytes> {
    let encoded = rmp_serde::to_vec(record).map_err(|error| {
        Error::new(ErrorKind::Serialization, "a queue's record cannot be encoded").because(error)
    })?;
    Ok(Bytes::from(encoded))
}

pub(crate) fn decode<T: DeserializeOwned>(what: &str, stored: &[u8]) -> Result<T> {
    rmp_serde::from_slice(stored).map_err(|error| corrupt(what).because(error))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::GroupRecord;

    #[test]
    fn a_record_of_before_jobs_had_places_is_read() {
        let old = (Some("u"), None::<u64>, 1, 2, 3, 4, Some(5), false, "why");
        let record: JobRecord = decode("a job", &encode(&old).unwrap()).unwrap();
        assert_eq!((record.ended(), &*record.reason, record.place), (9, "why", None));
    }

    #[test]
    fn a_record_without_a_group_is_written_as_before_there_were_groups() {
        let old = (None::<String>, None::<u64>, 1, 2, 3, 4, None::<u64>, false, "", None::<u8>);
        let (failures, failed, crashes, snoozes) = (1, 2, 3, 4);
        let record = JobRecord { failures, failed, crashes, snoozes, ..JobRecord::default() };
        assert_eq!(encode(&record).unwrap(), encode(&old).unwrap());
        let grouped = JobRecord { group: Some("g".to_owned()), ..record };
        let read: JobRecord = decode("a job", &encode(&grouped).unwrap()).unwrap();
        assert_eq!(read, grouped);
    }

    #[test]
    fn hostile_bytes_are_an_error() {
        let mut rng = fastrand::Rng::with_seed(7);
        for _ in 0..2_000 {
            let bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
            let _ = decode::<JobRecord>("a job", &bytes).map_err(|e| e.kind());
            let _ = decode::<SessionRecord>("a session", &bytes).map_err(|e| e.kind());
            let _ = decode::<History>("a history", &bytes).map_err(|e| e.kind());
            let _ = decode::<GroupRecord>("a group", &bytes).map_err(|e| e.kind());
        }
        let wrong = decode::<SessionRecord>("a session", &[0xc1]).err().unwrap();
        assert_eq!(wrong.kind(), ErrorKind::Backend);
    }
}
