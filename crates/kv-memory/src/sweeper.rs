//! The sweeping thread, which lives as long as the store has a handle.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use crate::table::Table;

/// Starts the thread, and ends it.
pub(crate) struct Sweeper {
    interval: Duration,
    started: AtomicBool,
    state: Mutex<State>,
    signal: Arc<Signal>,
}

enum State {
    Idle,
    Running(JoinHandle<()>),
    Stopped,
}

#[derive(Default)]
struct Signal {
    stopped: Mutex<bool>,
    changed: Condvar,
}

impl Sweeper {
    pub(crate) fn new(interval: Duration) -> Self {
        let signal = Arc::default();
        let state = Mutex::new(State::Idle);
        Self { interval, started: AtomicBool::new(false), state, signal }
    }

    /// Starts the thread, unless it runs or was stopped for good.
    pub(crate) fn start(&self, table: &Arc<Table>) {
        if self.started.load(Ordering::Relaxed) {
            return;
        }
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if !matches!(*state, State::Idle) {
            return;
        }
        self.started.store(true, Ordering::Relaxed);
        let (table, signal, interval) = (table.clone(), self.signal.clone(), self.interval);
        let thread = thread::Builder::new().name("kv-memory-sweep".to_owned());
        match thread.spawn(move || signal.run(&table, interval)) {
            Ok(handle) => *state = State::Running(handle),
            Err(error) => {
                tracing::warn!(%error, "no sweep thread: expired keys are freed when touched");
            }
        }
    }

    /// Ends the thread and waits for its end; the thread does not start again.
    pub(crate) fn stop(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let before = std::mem::replace(&mut *state, State::Stopped);
        drop(state);
        let State::Running(handle) = before else { return };
        *self.signal.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.signal.changed.notify_all();
        // The sweep itself may drop a value that owns the last handle.
        if handle.thread().id() != thread::current().id() {
            let _ = handle.join();
        }
    }
}

impl Signal {
    fn run(&self, table: &Table, interval: Duration) {
        loop {
            let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
            let waited = self.changed.wait_timeout_while(stopped, interval, |stopped| !*stopped);
            let (stopped, _) = waited.unwrap_or_else(PoisonError::into_inner);
            if *stopped {
                return;
            }
            drop(stopped);
            table.sweep();
        }
    }
}
