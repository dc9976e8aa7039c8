//! A bounded line of calls before one or several threads.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::{Error, ErrorKind, Result, SystemClock};

use crate::call::Job;
use crate::spin::{self, Patience};

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
    /// How many calls are in line, for the thread that looks for one.
    count: AtomicUsize,
    clock: SystemClock,
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
    /// Whether a thread looks for a call.
    spinning: bool,
    /// Whether the last caller will soon be back: then it pays to look.
    expected: bool,
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
            spinning: false,
            expected: false,
            closed: false,
            closers: Calls::new(),
        };
        Self {
            line: Mutex::new(line),
            filled: Condvar::new(),
            count: AtomicUsize::new(0),
            clock: SystemClock::new(),
        }
    }

    fn line(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a call in line. A caller that spins calls [`rouse`](Self::rouse) if that is in vain.
    ///
    /// # Errors
    /// `Closed` and `Backpressure`.
    pub(crate) fn push(&self, call: Arc<dyn Job>, patience: Patience) -> Result<()> {
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
        self.count.store(line.calls.len(), Ordering::Release);
        line.expected = patience != Patience::Shared;
        let spins = patience == Patience::Spins;
        let is_looked_for = line.spinning && spins && line.calls.len() == 1;
        let wakes = line.idle > 0 && !is_looked_for;
        drop(line);
        if wakes {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Wakes a thread for a call that none has taken: the one that looks may not be running.
    pub(crate) fn rouse(&self) {
        let wakes = {
            let line = self.line();
            line.idle > 0 && !line.calls.is_empty()
        };
        if wakes {
            self.filled.notify_one();
        }
    }

    /// Takes a share of what has gathered, at most so many calls and about so many bytes; waits
    /// for the first. Nothing once the line is closed and empty.
    pub(crate) fn take(&self, thread: usize, most: usize, most_bytes: usize) -> Option<Calls> {
        let mut line = self.filled_line(thread);
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
        self.count.store(line.calls.len(), Ordering::Release);
        if taken.is_empty() {
            return None;
        }
        if let Some(running) = line.running.get_mut(thread) {
            running.extend(taken.iter().cloned());
        }
        Some(taken)
    }

    /// Waits until a call is in line, or the line is closed.
    fn filled_line(&self, thread: usize) -> MutexGuard<'_, Line> {
        let mut line = self.line();
        line.answered(thread);
        if !line.is_idle() {
            return line;
        }
        if std::mem::take(&mut line.expected) && !line.spinning {
            line.spinning = true;
            drop(line);
            spin::until(&self.clock, spin::SERVER, || self.count.load(Ordering::Acquire) > 0);
            line = self.line();
            line.spinning = false;
        }
        while line.is_idle() {
            line.idle += 1;
            line = self.filled.wait(line).unwrap_or_else(PoisonError::into_inner);
            line.idle = line.idle.saturating_sub(1);
        }
        line
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
            self.count.store(line.calls.len(), Ordering::Release);
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
        self.count.store(0, Ordering::Release);
        let closers = std::mem::take(&mut line.closers);
        drop(line);
        left.iter().for_each(|call| call.answer(Err(Error::closed())));
        closers.iter().for_each(|call| call.answer(Ok(())));
    }
}

impl Line {
    /// Whether nothing is to be done, now or ever.
    fn is_idle(&self) -> bool {
        self.calls.is_empty() && !self.closed
    }

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
