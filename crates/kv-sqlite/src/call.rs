//! One call: from the future that waits for it to the thread that does it.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use crate::file::Session;

/// What a thread does for a caller, whatever the answer's type.
pub(crate) trait Job: Send + Sync {
    /// Begins the call, or begins it again; `false` if nobody waits for it any more.
    fn begin(&self) -> bool;

    /// Whether anybody still waits for it.
    fn is_wanted(&self) -> bool;

    /// Does it; whether it succeeded. Its outcome is kept until [`answer`](Self::answer).
    fn run(&self, session: &Session) -> bool;

    /// Hands out the outcome, or the error of the transaction that it was in.
    fn answer(&self, commit: Result<()>);

    /// Gives the call up if its time is over by now.
    fn expire(&self, now: Duration);

    /// When its time is over, by the clock of the watch.
    fn deadline(&self) -> Duration;

    /// About how much it holds.
    fn bytes(&self) -> usize;

    /// Whether its commit must be on the disk when it is answered.
    fn wants_disk(&self) -> bool;
}

/// What a call may take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Limits {
    /// How long, as configured.
    pub(crate) timeout: Duration,
    /// When that is over, by the clock of the watch.
    pub(crate) deadline: Duration,
    /// About how many bytes it holds.
    pub(crate) bytes: usize,
    /// Whether its commit must be on the disk.
    pub(crate) on_disk: bool,
    /// Whether it may change the file.
    pub(crate) writes: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// In line: it can be withdrawn, and then never happened.
    Queued,
    /// On its thread: it will happen whole, or not at all.
    Running,
    /// Answered, withdrawn, or given up.
    Over,
}

struct State<R> {
    phase: Phase,
    outcome: Option<Result<R>>,
    answer: Option<Result<R>>,
    waker: Option<Waker>,
}

/// A step with everything that is known of it.
pub(crate) struct Call<R, F> {
    limits: Limits,
    step: F,
    state: Mutex<State<R>>,
    /// Whether the answer is there, for those who look for it.
    answered: AtomicBool,
}

impl<R, F> Call<R, F> {
    pub(crate) fn new(limits: Limits, step: F) -> Arc<Self> {
        let state = State { phase: Phase::Queued, outcome: None, answer: None, waker: None };
        Arc::new(Self { limits, step, state: Mutex::new(state), answered: AtomicBool::new(false) })
    }

    fn state(&self) -> MutexGuard<'_, State<R>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn conclude(&self, mut state: MutexGuard<'_, State<R>>, answer: Result<R>) {
        state.phase = Phase::Over;
        state.answer = Some(answer);
        let waker = state.waker.take();
        drop(state);
        self.answered.store(true, Ordering::Release);
        if let Some(waker) = waker {
            waker.wake();
        }
    }

    fn late(&self, phase: Phase) -> Error {
        let error =
            Error::new(ErrorKind::Timeout, format!("not done within {:?}", self.limits.timeout));
        let maybe = self.limits.writes && phase == Phase::Running;
        if maybe { error.maybe_applied() } else { error }
    }
}

impl<R, F> Job for Call<R, F>
where
    R: Send,
    F: Fn(&Session) -> Result<R> + Send + Sync,
{
    fn begin(&self) -> bool {
        let mut state = self.state();
        let wanted = state.phase != Phase::Over;
        if wanted {
            state.phase = Phase::Running;
        }
        wanted
    }

    fn is_wanted(&self) -> bool {
        self.state().phase != Phase::Over
    }

    fn run(&self, session: &Session) -> bool {
        let outcome = (self.step)(session);
        let succeeded = outcome.is_ok();
        self.state().outcome = Some(outcome);
        succeeded
    }

    fn answer(&self, commit: Result<()>) {
        let mut state = self.state();
        if state.phase == Phase::Over {
            return;
        }
        let outcome = state.outcome.take();
        let answer = match (commit, outcome) {
            // A step that failed wrote nothing, whatever became of the others.
            (_, Some(Err(error))) | (Err(error), _) => Err(error),
            (Ok(()), Some(done)) => done,
            (Ok(()), None) => Err(Error::closed()),
        };
        self.conclude(state, answer);
    }

    fn expire(&self, now: Duration) {
        if now < self.limits.deadline {
            return;
        }
        let state = self.state();
        if state.phase != Phase::Over {
            let late = self.late(state.phase);
            self.conclude(state, Err(late));
        }
    }

    fn deadline(&self) -> Duration {
        self.limits.deadline
    }

    fn bytes(&self) -> usize {
        self.limits.bytes
    }

    fn wants_disk(&self) -> bool {
        self.limits.on_disk
    }
}

/// Waits for a call's answer.
///
/// # Cancel safety
/// Dropped, it withdraws a call that is still in line; one that runs happens whole.
pub(crate) struct Answer<R, F>(pub(crate) Arc<Call<R, F>>);

impl<R, F> Answer<R, F> {
    /// Whether it is there.
    pub(crate) fn is_ready(&self) -> bool {
        self.0.answered.load(Ordering::Acquire)
    }
}

impl<R, F> Future for Answer<R, F> {
    type Output = Result<R>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let mut state = self.0.state();
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }
}

impl<R, F> Drop for Answer<R, F> {
    fn drop(&mut self) {
        let mut state = self.0.state();
        if state.phase == Phase::Queued {
            state.phase = Phase::Over;
        }
    }
}

impl fmt::Debug for dyn Job {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Job").field("bytes", &self.bytes()).finish_non_exhaustive()
    }
}
