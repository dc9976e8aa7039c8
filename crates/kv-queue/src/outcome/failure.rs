//! Errors that say what becomes of their job.

use std::error::Error;
use std::fmt;
use std::time::Duration;

use kv_core::BoxError;

use super::Outcome;

/// How many causes of an error are read. What is behind them is left out.
const MOST_CAUSES: usize = 32;

/// What an error means for its job.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Fate {
    /// The job is tried again as the queue's [`RetryPolicy`](crate::RetryPolicy) says, within its
    /// budget of failures.
    #[default]
    Retry,
    /// The job is tried again after this time, within its budget of failures.
    RetryAfter(Duration),
    /// The job becomes a dead letter.
    Fail,
    /// The job comes back after this time, and is charged no attempt.
    Snooze(Duration),
    /// The job's group is paused for this time, and the job keeps its place; nothing is charged.
    Limited(Duration),
}

/// An error of a program that says what becomes of its job. By default the job is tried again.
///
/// Such an error becomes a [`Failure`] with `?`.
///
/// ```
/// use kv_queue::{Failure, Fate, JobError};
///
/// #[derive(Debug)]
/// struct Answered(u16);
/// # impl std::fmt::Display for Answered {
/// #     fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
/// #         write!(f, "the server answered {}", self.0)
/// #     }
/// # }
/// impl std::error::Error for Answered {}
///
/// impl JobError for Answered {
///     fn fate(&self) -> Fate {
///         if self.0 == 404 { Fate::Fail } else { Fate::Retry }
///     }
/// }
///
/// fn fetch() -> Result<String, Answered> {
///     Err(Answered(404))
/// }
/// fn handle() -> Result<(), Failure> {
///     let _page = fetch()?;
///     Ok(())
/// }
/// assert_eq!(handle().unwrap_err().fate(), Fate::Fail);
/// ```
pub trait JobError: Error + Send + Sync + 'static {
    /// What the error means for its job.
    fn fate(&self) -> Fate {
        Fate::Retry
    }
}

/// An error with what becomes of its job.
///
/// The worker finds a `Failure` wherever it is: as the handler's error, in a boxed error, in an
/// `anyhow::Error`, or behind the context that was added to it. If there are several, the outermost
/// counts.
///
/// ```
/// use kv_queue::{Failure, IntoOutcome, Outcome};
///
/// fn handle() -> Result<(), Box<dyn std::error::Error + Send + Sync>> {
///     let number: u32 = "seven".parse().map_err(Failure::fatal)?;
///     drop(number);
///     Ok(())
/// }
/// assert_eq!(handle().into_outcome(), Outcome::fail("invalid digit found in string"));
/// ```
#[derive(Debug)]
pub struct Failure(Cause);

/// The error itself, below what it means. It knows the meaning too: some wrappers show only the
/// source of what they wrap.
#[derive(Debug)]
struct Cause {
    fate: Fate,
    error: BoxError,
}

impl Failure {
    /// An error with what it means for its job.
    pub fn new(fate: Fate, error: impl Into<BoxError>) -> Self {
        Self(Cause { fate, error: error.into() })
    }

    /// An error after which the job must not be tried again.
    pub fn fatal(error: impl Into<BoxError>) -> Self {
        Self::new(Fate::Fail, error)
    }

    /// An error after which the job is tried again after this time.
    pub fn retry_after(after: Duration, error: impl Into<BoxError>) -> Self {
        Self::new(Fate::RetryAfter(after), error)
    }

    /// No error: the job comes back after this time, and is charged no attempt.
    pub fn snooze(after: Duration) -> Self {
        Self::new(Fate::Snooze(after), "not now")
    }

    /// No error: the job's group is paused for this time, as after a 429 or 503 of its host.
    pub fn limited(retry_after: Duration) -> Self {
        Self::new(Fate::Limited(retry_after), "limited")
    }

    /// What becomes of the job.
    pub const fn fate(&self) -> Fate {
        self.0.fate
    }
}

impl<E: JobError> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::new(error.fate(), error)
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.fate {
            Fate::Retry => f.write_str("the job failed"),
            Fate::RetryAfter(after) => write!(f, "the job failed; next try after {after:?}"),
            Fate::Fail => f.write_str("the job failed for good"),
            Fate::Snooze(after) => write!(f, "the job comes back after {after:?}"),
            Fate::Limited(after) => write!(f, "the job's group is paused for {after:?}"),
        }
    }
}

impl Error for Failure {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.0)
    }
}

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.error.fmt(f)
    }
}

impl Error for Cause {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.error.source()
    }
}

/// What becomes of a job whose handler returned this error.
pub(super) fn outcome(error: &(dyn Error + 'static)) -> Outcome {
    let (mut fate, mut reason) = (None, String::new());
    for error in causes(error).take(MOST_CAUSES) {
        if let Some(failure) = error.downcast_ref::<Failure>() {
            fate.get_or_insert(failure.fate());
            // What it means is shown by what becomes of the job.
            continue;
        }
        if let Some(cause) = error.downcast_ref::<Cause>() {
            fate.get_or_insert(cause.fate);
        }
        if !reason.is_empty() {
            reason += ": ";
        }
        reason += &error.to_string();
    }
    match fate.unwrap_or_default() {
        Fate::Retry => Outcome::Retry { after: None, reason },
        Fate::RetryAfter(after) => Outcome::Retry { after: Some(after), reason },
        Fate::Fail => Outcome::Fail { reason },
        Fate::Snooze(after) => Outcome::Snooze { after },
        Fate::Limited(after) => Outcome::Limited { after },
    }
}

/// An error and its causes, outermost first.
fn causes<'a>(error: &'a (dyn Error + 'static)) -> impl Iterator<Item = &'a (dyn Error + 'static)> {
    let mut next = Some(error);
    std::iter::from_fn(move || {
        let error = next?;
        next = error.source();
        Some(error)
    })
}

#[cfg(test)]
mod tests {
    use super::super::IntoOutcome;
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    /// Adds a text to an error, as `anyhow` does.
    #[derive(Debug)]
    struct Context(&'static str, BoxError);

    impl fmt::Display for Context {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl Error for Context {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            Some(&*self.1)
        }
    }

    /// Hides the type of what it wraps, as a box made of an `anyhow::Error` does.
    #[derive(Debug)]
    struct Opaque(BoxError);

    impl fmt::Display for Opaque {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            self.0.fmt(f)
        }
    }

    impl Error for Opaque {
        fn source(&self) -> Option<&(dyn Error + 'static)> {
            self.0.source()
        }
    }

    fn of(error: impl Into<BoxError>) -> Outcome {
        Err::<(), _>(error.into()).into_outcome()
    }

    #[test]
    fn an_error_of_any_type_is_tried_again_with_its_whole_chain_as_the_reason() {
        assert_eq!(of("why"), Outcome::retry("why"));
        assert_eq!(of("why".to_owned()), Outcome::retry("why"));
        let chain = Context("read the page", "connection reset".into());
        assert_eq!(of(chain), Outcome::retry("read the page: connection reset"));
    }

    #[test]
    fn a_failure_is_found_behind_context_and_the_reason_is_without_it() {
        let failure = Failure::retry_after(SECOND, "busy");
        let error = Context("fetch", failure.into());
        assert_eq!(of(error), Outcome::retry_after(SECOND, "fetch: busy"));
    }

    #[test]
    fn a_failure_is_found_in_a_wrapper_that_hides_its_type() {
        let error = Opaque(Failure::fatal("404").into());
        assert_eq!(of(error), Outcome::fail("the job failed for good: 404"));
        let error = Opaque(Failure::snooze(SECOND).into());
        assert_eq!(of(error), Outcome::snooze(SECOND));
    }

    #[test]
    fn the_outermost_of_several_failures_counts() {
        let inner = Context("parse", Failure::fatal("no title").into());
        assert_eq!(
            of(Failure::retry_after(SECOND, inner)),
            Outcome::retry_after(SECOND, "parse: no title")
        );
    }

    #[test]
    fn a_chain_without_end_is_cut() {
        let mut error: BoxError = "end".into();
        for _ in 0..100 {
            error = Context("deeper", error).into();
        }
        let Outcome::Retry { reason, .. } = of(error) else { panic!("a retry") };
        assert_eq!(reason.matches("deeper").count(), MOST_CAUSES);
    }
}
