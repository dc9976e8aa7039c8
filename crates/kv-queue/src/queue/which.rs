//! Which jobs an operator's action is for.

use kv_core::queue::State;

use super::job::JobId;
use super::look::JobFilter;

/// Which jobs an action is for: one, several, or all in a state that match a filter.
///
/// ```
/// use kv_queue::{JobFilter, JobId, State, Which};
/// let id: JobId = "0-8000000000002a".parse().unwrap();
/// let one: Which = id.into();
/// let several: Which = [id, id][..].into();
/// let all: Which = (State::Delayed, JobFilter::new().group("example.org")).into();
/// # let _ = (one, several, all);
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Which {
    /// These.
    Jobs(Vec<JobId>),
    /// All that are in this state when the action comes to them. The filter's limit does not count,
    /// only its group and its place.
    All(State, JobFilter),
}

impl From<JobId> for Which {
    fn from(job: JobId) -> Self {
        Self::Jobs(vec![job])
    }
}

impl From<&JobId> for Which {
    fn from(job: &JobId) -> Self {
        Self::Jobs(vec![*job])
    }
}

impl From<Vec<JobId>> for Which {
    fn from(jobs: Vec<JobId>) -> Self {
        Self::Jobs(jobs)
    }
}

impl From<&Vec<JobId>> for Which {
    fn from(jobs: &Vec<JobId>) -> Self {
        Self::Jobs(jobs.clone())
    }
}

impl From<&[JobId]> for Which {
    fn from(jobs: &[JobId]) -> Self {
        Self::Jobs(jobs.to_vec())
    }
}

impl<const N: usize> From<[JobId; N]> for Which {
    fn from(jobs: [JobId; N]) -> Self {
        Self::Jobs(jobs.to_vec())
    }
}

impl<const N: usize> From<&[JobId; N]> for Which {
    fn from(jobs: &[JobId; N]) -> Self {
        Self::Jobs(jobs.to_vec())
    }
}

impl From<(State, JobFilter)> for Which {
    fn from((state, filter): (State, JobFilter)) -> Self {
        Self::All(state, filter)
    }
}

/// Which dead letters are redriven: [jobs](Which), or a number of the oldest of each partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Redrive {
    /// Up to this many, the oldest of each partition first.
    Oldest(usize),
    /// These.
    Jobs(Which),
}

impl From<usize> for Redrive {
    fn from(limit: usize) -> Self {
        Self::Oldest(limit)
    }
}

macro_rules! redrive_from {
    ($([$($generics:tt)*] $jobs:ty),+ $(,)?) => {
        $(impl<$($generics)*> From<$jobs> for Redrive {
            fn from(jobs: $jobs) -> Self {
                Self::Jobs(jobs.into())
            }
        })+
    };
}

redrive_from!(
    [] Which,
    [] JobId,
    [] &JobId,
    [] Vec<JobId>,
    [] &Vec<JobId>,
    [] &[JobId],
    [const N: usize] [JobId; N],
    [const N: usize] &[JobId; N],
    [] (State, JobFilter),
);
