//! What a handler says about its job.

mod failure;
mod returned;

use std::time::Duration;

use kv_core::BoxError;

pub use failure::{Failure, Fate, JobError};
pub use returned::Returned;
use serde::Serialize;

/// What becomes of a job after its handler.
///
/// A handler may return nothing, an `Outcome`, or a `Result` of either with an error. `()` and
/// `Ok(())` mean [`Done`](Self::Done). An `Err` means [`Retry`](Self::Retry), unless a [`Failure`]
/// among the error and its causes says otherwise.
///
/// ```
/// use kv_queue::Outcome;
/// use std::time::Duration;
///
/// fn judge(status: u16, retry_after: Duration) -> Outcome {
///     match status {
///         200 => Outcome::Done,
///         404 | 410 => Outcome::fail("the page is gone"),
///         429 => Outcome::limited(retry_after),
///         other => Outcome::retry(format!("the server answered {other}")),
///     }
/// }
/// assert_eq!(judge(429, Duration::from_secs(9)), Outcome::limited(Duration::from_secs(9)));
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Outcome {
    /// The job is done, and is removed.
    Done,
    /// The job is done, and returned this value, from [`done_with`](Self::done_with).
    DoneWith(Returned),
    /// The job failed. It is tried again, or becomes a dead letter if its budget of failures is
    /// spent.
    Retry {
        /// The time until the next try; `None` as the queue's
        /// [`RetryPolicy`](crate::RetryPolicy) says.
        after: Option<Duration>,
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// The job failed for good, and becomes a dead letter.
    Fail {
        /// What went wrong, kept with the job; cut at 1,024 bytes.
        reason: String,
    },
    /// Not now. The job comes back after this time, and is charged no attempt.
    Snooze {
        /// The time until then.
        after: Duration,
    },
    /// Not now, because the job's [group](crate::Job::group) is limited: the group is paused for
    /// this time, and the job keeps its place. Nothing is charged.
    Limited {
        /// The pause.
        after: Duration,
    },
}

impl Outcome {
    /// The job is done, and returned this value. The queue keeps the value with the job if it [keeps
    /// done jobs](crate::QueueBuilder::keep_done), and else drops it.
    pub fn done_with(value: impl Serialize + Send + Sync + 'static) -> Self {
        Self::DoneWith(Returned::new(value))
    }

    /// The job failed, and is tried again as the queue's policy says.
    pub fn retry(reason: impl Into<String>) -> Self {
        Self::Retry { after: None, reason: reason.into() }
    }

    /// The job failed, and is tried again after this time.
    pub fn retry_after(after: Duration, reason: impl Into<String>) -> Self {
        Self::Retry { after: Some(after), reason: reason.into() }
    }

    /// The job failed for good.
    pub fn fail(reason: impl Into<String>) -> Self {
        Self::Fail { reason: reason.into() }
    }

    /// Not now, but after this time.
    pub const fn snooze(after: Duration) -> Self {
        Self::Snooze { after }
    }

    /// Not now, because the job's group is limited: for a 429 or 503 with its `Retry-After`.
    pub const fn limited(retry_after: Duration) -> Self {
        Self::Limited { after: retry_after }
    }
}

/// What a handler may return: nothing, an [`Outcome`], or a `Result` of either.
///
/// The error of a `Result` is anything that converts into a boxed error: the error types of the
/// standard library and of other crates, `Box<dyn Error + Send + Sync>`, `anyhow::Error`, `String`.
pub trait IntoOutcome {
    /// What becomes of the job.
    fn into_outcome(self) -> Outcome;
}

impl IntoOutcome for () {
    fn into_outcome(self) -> Outcome {
        Outcome::Done
    }
}

impl IntoOutcome for Outcome {
    fn into_outcome(self) -> Outcome {
        self
    }
}

impl<O: IntoOutcome, E: Into<BoxError>> IntoOutcome for Result<O, E> {
    fn into_outcome(self) -> Outcome {
        match self {
            Ok(outcome) => outcome.into_outcome(),
            Err(error) => failure::outcome(&*error.into()),
        }
    }
}
