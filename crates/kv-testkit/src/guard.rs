//! What ends a case that holds its thread: the process.

use std::io::Write as _;
use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::Duration;

use crate::told::Log;

/// How long a case may take before it counts as hanging: 120 s. None needs a hundredth of it.
pub const PATIENCE: Duration = Duration::from_secs(120);

/// Ends the process, unless it is dropped in time.
pub(crate) struct Guard {
    /// Dropped with the guard, which the watching thread sees.
    _alive: Sender<()>,
}

impl Guard {
    /// Without a thread to watch from, nothing is watched.
    pub(crate) fn new(case: &'static str, patience: Duration, log: &Arc<Log>) -> Self {
        let (alive, dropped) = channel::<()>();
        let log = Arc::clone(log);
        let watch = move || {
            if dropped.recv_timeout(patience) == Err(RecvTimeoutError::Timeout) {
                give_up(case, patience, &log);
            }
        };
        // The thread ends with the guard, and is joined by nobody.
        let _ = thread::Builder::new().name(format!("watch {case}")).spawn(watch);
        Self { _alive: alive }
    }
}

/// Past the capture of a test's output, as nothing of the test ends any more.
fn give_up(case: &str, patience: Duration, log: &Log) {
    let why = "the store blocks its thread or never yields; the process ends";
    let calls = log.tell().unwrap_or_default();
    let line = format!("kv-testkit: {case}: no end after {patience:?}: {why}\n{calls}\n");
    // A closed standard error is no reason to go on.
    let _ = std::io::stderr().write_all(line.as_bytes());
    std::process::exit(101);
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    #[test]
    #[ignore = "never ends by itself: the next test runs it in a process of its own"]
    fn holds_its_thread() {
        let _guard = Guard::new("some_rule", Duration::from_millis(10), &Arc::default());
        loop {
            thread::park();
        }
    }

    #[test]
    fn a_case_that_holds_its_thread_is_named_and_ends_the_process() {
        let program = std::env::current_exe().unwrap();
        let arguments = ["--exact", "guard::tests::holds_its_thread", "--ignored"];
        let output = Command::new(program).args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(101));
        let told = String::from_utf8_lossy(&output.stderr);
        assert!(told.contains("kv-testkit: some_rule: no end after 10ms: "), "{told}");
    }
}
