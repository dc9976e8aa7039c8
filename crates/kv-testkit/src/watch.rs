//! Running a case so that it ends, whatever the store does with its thread.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::thread;
use std::time::Duration;

use tokio::runtime::{Builder, Runtime};

use crate::guard::{Guard, PATIENCE};
use crate::suite::find;
use crate::told::Log;
use crate::{Backend, Case, Failure};

/// A runtime as the suite uses it: several threads, so that races can happen, and timers.
///
/// # Errors
/// When the system has no threads left.
pub fn runtime() -> std::io::Result<Runtime> {
    Builder::new_multi_thread().worker_threads(4).enable_all().build()
}

/// Runs the case of this name on the caller's thread, in a runtime of its own.
///
/// A store that holds its thread and never yields ends the process, since nothing that is borrowed
/// can be left behind; see [`Case::run`](crate::Case::run).
///
/// # Errors
/// What the case found wrong, or that it took longer than 120 s.
pub fn run_case<B: Backend>(name: &str, backend: &B) -> Result<(), Failure> {
    let case = find(name)?;
    let log = Arc::default();
    let _guard = Guard::new(case.name(), PATIENCE + PATIENCE / 4, &log);
    in_a_runtime(within(PATIENCE, &case, backend, &log))
}

/// Runs the case of this name on a thread of its own: what each test of
/// [`conformance!`](crate::conformance) does, with a patience of [`PATIENCE`].
///
/// The backend is made on that thread. Where the case takes longer, because the store blocks its
/// thread or never yields, the thread is left behind with everything on it, and the caller goes on.
///
/// # Errors
/// What the case found wrong, or that it took longer than the patience and a quarter.
///
/// # Panics
/// When the case or the backend does, with the same message.
pub fn run_apart<B: Backend + 'static>(
    name: &str,
    patience: Duration,
    backend: impl FnOnce() -> B + Send + 'static,
) -> Result<(), Failure> {
    let case = find(name)?;
    let (done, ended) = channel();
    let log = Arc::<Log>::default();
    let noted = Arc::clone(&log);
    let work = move || {
        let backend = backend();
        let outcome = in_a_runtime(within(patience, &case, &backend, &noted));
        // What the store does when it is dropped belongs to the case.
        drop(backend);
        // Nobody listens any more when the patience is over.
        let _ = done.send(outcome);
    };
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    let thread = spawned.map_err(|error| Failure::new(format!("{name}: no thread: {error}")))?;
    match ended.recv_timeout(patience + patience / 4) {
        Ok(outcome) => outcome,
        Err(RecvTimeoutError::Timeout) => {
            let why = "the store blocks its thread or never yields; the thread is left behind";
            Err(no_end(patience, why).during(name).after(log.tell()))
        }
        Err(RecvTimeoutError::Disconnected) => match thread.join() {
            Ok(()) => Err(Failure::new(format!("{name}: ended without an outcome"))),
            Err(panic) => std::panic::resume_unwind(panic),
        },
    }
}

/// Runs a case, and gives it up where its calls wait for too long.
async fn within<B: Backend>(
    patience: Duration,
    case: &Case,
    backend: &B,
    log: &Arc<Log>,
) -> Result<(), Failure> {
    let ended = tokio::time::timeout(patience, case.run_noted(backend, log)).await;
    let outcome = ended.unwrap_or_else(|_| Err(no_end(patience, "a call has not returned")));
    outcome.map_err(|failure| failure.during(case.name()).after(log.tell()))
}

/// What each test of [`conformance!`](crate::conformance) calls: compiled once for a backend, and
/// not once for a test.
///
/// # Errors
/// Those of [`run_apart`].
#[doc(hidden)]
pub fn run_test<B: Backend + 'static>(name: &str, backend: fn() -> B) -> Result<(), Failure> {
    run_apart(name, PATIENCE, backend)
}

fn in_a_runtime(case: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = runtime().map_err(|error| Failure::new(format!("no runtime: {error}")))?;
    let outcome = runtime.block_on(case);
    // Not waited for: a part of the case may hold a thread of the runtime for ever.
    runtime.shutdown_background();
    outcome
}

fn no_end(patience: Duration, why: &str) -> Failure {
    Failure::new(format!("no end after {patience:?}: {why}"))
}
