//! A bounded line of calls before one or several threads.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result};

use crate::call::Job;

/// The most calls in line.
pub(crate) const MAX_CALLS: usize = 65_536;

/// About the most bytes in line; a single call always fits.
pub(crate) const MAX_BYTES: usize = 256 << 20;

pub(crate) type Calls = Vec<Arc<dyn Job>>;

/// The line, and what has left it and is not answered yet.
#[derive(Debug)]
pub(crate) struct Inbox {
    line: Mutex<Line>,
    filled: Condvar,
}

#[derive(Debug)]
struct Line {
    calls: VecDeque<Arc<dyn Job>>,
    bytes: usize,
    /// What each thread is at.
    running: Vec<Calls>,
    /// Threads that have not ended.
    threads: usize,
    /// Threads that wait for a call: nobody else has to be woken, which is a system call.
    idle: usize,
    closed: bool,
    /// Those who wait for the end of the threads.
    closers: Calls,
}

impl Inbox {
    /// A line before so many threads.
    pub(crate) fn new(threads: usize) -> Self {
        let line = Line {
            calls: VecDeque::new(),
            bytes: 0,
            running: vec![Calls::new(); threads],
            threads,
            idle: 0,
            closed: false,
            closers: Calls::new(),
        };
        Self { line: Mutex::new(line), filled: Condvar::new() }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call in line.
    ///
    /// # Errors
    /// `Closed` and `Backpressure`.
    pub(crate) fn push(&self, call: Arc<dyn Job>) -> Result<()> {
        let mut line = self.line();
        if line.closed {
            return Err(Error::closed());
        }
        let (calls, bytes) = (line.calls.len(), line.bytes.saturating_add(call.bytes()));
        if calls >= MAX_CALLS || (calls > 0 && bytes > MAX_BYTES) {
            return Err(full(calls, line.bytes));
        }
        line.bytes = bytes;
        line.calls.push_back(call);
        let wakes = line.idle > 0;
        drop(line);
        if wakes {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes a share of what has gathered, at most so many calls and about so many bytes; waits
    /// for the first. Nothing once the line is closed and empty.
    pub(crate) fn take(&self, thread: usize, most: usize, most_bytes: usize) -> Option<Calls> {
        let mut line = self.line();
        line.answered(thread);
        while line.calls.is_empty() && !line.closed {
            line.idle += 1;
            line = self.filled.wait(line).unwrap_or_else(PoisonError::into_inner);
            line.idle = line.idle.saturating_sub(1);
        }
        let share = line.calls.len().div_ceil(line.running.len().max(1)).min(most);
        let (mut taken, mut bytes) = (Calls::with_capacity(share), 0_usize);
        while taken.len() < share {
            let Some(next) = line.calls.front() else { break };
            bytes = bytes.saturating_add(next.bytes());
            if bytes > most_bytes && !taken.is_empty() {
                break;
            }
            line.bytes = line.bytes.saturating_sub(next.bytes());
            taken.extend(line.calls.pop_front());
        }
        if taken.is_empty() {
            return None;
        }
        if let Some(running) = line.running.get_mut(thread) {
            running.extend(taken.iter().cloned());
        }
        Some(taken)
    }

    /// Gives up all calls whose time is over; whether any call is left.
    pub(crate) fn expire(&self, now: Duration) -> bool {
        let (mut over, open) = {
            let mut line = self.line();
            // Those that run first: whoever is told next may end what they wait for.
            let mut over: Calls =
                line.running.iter().flatten().chain(&line.closers).cloned().collect();
            while line.calls.front().is_some_and(|call| call.deadline() <= now) {
                let late = line.calls.pop_front();
                line.bytes = line.bytes.saturating_sub(late.as_ref().map_or(0, |it| it.bytes()));
                over.extend(late);
            }
            let open = !over.is_empty() || !line.calls.is_empty();
            (over, open)
        };
        // Not under the lock: a waker is somebody else's code.
        over.drain(..).for_each(|call| call.expire(now));
        open
    }

    /// Lets no more calls in; those that are in line are still done.
    pub(crate) fn close(&self) {
        self.line().closed = true;
        self.filled.notify_all();
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.line().closed
    }

    /// Answers a call when all threads have ended.
    pub(crate) fn at_end(&self, call: Arc<dyn Job>) {
        let mut line = self.line();
        if line.threads == 0 {
            drop(line);
            call.answer(Ok(()));
        } else {
            line.closers.push(call);
        }
    }

    pub(crate) fn has_ended(&self) -> bool {
        self.line().threads == 0
    }

    /// One of the threads ends. With the last one, whoever is in line or waits is answered.
    pub(crate) fn end(&self, thread: usize) {
        let mut line = self.line();
        line.answered(thread);
        line.threads = line.threads.saturating_sub(1);
        if line.threads > 0 {
            return;
        }
        line.closed = true;
        let left: Calls = line.calls.drain(..).collect();
        let closers = std::mem::take(&mut line.closers);
        drop(line);
        left.iter().for_each(|call| call.answer(Err(Error::closed())));
        closers.iter().for_each(|call| call.answer(Ok(())));
    }
}

impl Line {
    fn answered(&mut self, thread: usize) {
        if let Some(running) = self.running.get_mut(thread) {
            running.clear();
        }
    }
}

fn full(calls: usize, bytes: usize) -> Error {
    let message = format!(
        "{calls} calls of {bytes} bytes are in line; expected less than {MAX_CALLS} of {MAX_BYTES}"
    );
    Error::new(ErrorKind::Backpressure, message)
}

/// Ends a thread's part of an inbox, however the thread ends.
pub(crate) struct Ending<'a> {
    pub(crate) inbox: &'a Inbox,
    pub(crate) thread: usize,
}

impl Drop for Ending<'_> {
    fn drop(&mut self) {
        self.inbox.end(self.thread);
    }
}
