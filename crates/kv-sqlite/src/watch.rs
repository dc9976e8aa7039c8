//! The thread that looks at the time: it gives up late calls, starts sweeps, and sees what other
//! processes have written.

mod wakes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kv_core::{Clock, SystemClock};

use crate::call::{Call, Job, Limits};
use crate::file::Session;
use crate::inbox::{Ending, Inbox};
use crate::spin::Patience;

pub(crate) use wakes::Wakes;

/// The longest time by which a call ends too late.
const LATEST: Duration = Duration::from_millis(100);

/// How often to look whether another process has written, while somebody waits for a job.
const LOOK: Duration = Duration::from_millis(200);

/// How often to look whether there is something to sweep.
const ROUND: Duration = Duration::from_secs(1);

/// How often to go on, while there is.
const SWEEP: Duration = Duration::from_millis(10);

/// How often to let those who wait look for jobs that nobody told of.
const TELL: Duration = Duration::from_secs(2);

/// How others reach the thread.
#[derive(Debug, Default)]
pub(crate) struct Nudge {
    awake: AtomicBool,
    nudged: Mutex<bool>,
    changed: Condvar,
}

impl Nudge {
    /// A call is in line: its time is to be watched.
    pub(crate) fn nudge(&self) {
        if !self.awake.swap(true, Ordering::AcqRel) {
            self.wake();
        }
    }

    /// Ends the pause in any case.
    pub(crate) fn wake(&self) {
        *self.nudged.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.changed.notify_one();
    }

    fn pause(&self, limit: Duration) {
        let nudged = self.nudged.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.changed.wait_timeout_while(nudged, limit, |nudged| !*nudged);
        *waited.unwrap_or_else(PoisonError::into_inner).0 = false;
    }
}

/// What the thread needs.
pub(crate) struct Watch {
    pub(crate) nudge: Arc<Nudge>,
    pub(crate) writes: Arc<Inbox>,
    pub(crate) reads: Arc<Inbox>,
    pub(crate) log: Arc<Inbox>,
    /// Until the store is closed: the last connection empties the log, and that is not to be this.
    pub(crate) session: Option<Session>,
    /// Ends with the thread.
    pub(crate) end: Arc<Inbox>,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) clock: SystemClock,
    pub(crate) timeout: Duration,
}

/// When what was done last.
#[derive(Default)]
struct Last {
    looked: Duration,
    told: Duration,
    swept: Duration,
    sweep: Option<Arc<dyn Job>>,
    version: Option<i64>,
}

impl Watch {
    /// Watches until all inboxes have ended.
    pub(crate) fn run(mut self) {
        let end = Arc::clone(&self.end);
        let _ending = Ending { inbox: &end, thread: 0 };
        let mut last = Last::default();
        let tick = (self.timeout / 20).clamp(Duration::from_millis(1), LATEST);
        while !self.inboxes().iter().all(|inbox| inbox.has_ended()) {
            self.nudge.awake.store(false, Ordering::Release);
            let now = self.clock.now();
            let open = self.inboxes().map(|inbox| inbox.expire(now));
            if open.contains(&true) {
                self.nudge.awake.store(true, Ordering::Release);
            }
            if self.writes.is_closed() {
                self.close();
            }
            self.check_all(now, &mut last);
            let mut pause = if last.sweep.is_some() { SWEEP } else { ROUND };
            if open.contains(&true) {
                pause = pause.min(tick);
            }
            if self.wakes.are_awaited() {
                pause = pause.min(LOOK);
            }
            self.nudge.pause(pause);
        }
        // Whoever was in line when the inboxes ended is answered by them.
        self.wakes.wake_all();
        self.close();
    }

    fn inboxes(&self) -> [&Inbox; 3] {
        [&self.writes, &self.reads, &self.log]
    }

    fn close(&mut self) {
        if let Some(session) = self.session.take() {
            session.close();
        }
    }

    fn check_all(&self, now: Duration, last: &mut Last) {
        let pause = if last.sweep.is_some() { SWEEP } else { ROUND };
        if now.saturating_sub(last.swept) >= pause {
            last.swept = now;
            if last.sweep.as_ref().is_none_or(|sweep| !sweep.is_wanted()) {
                last.sweep = self.sweep(now);
            }
        }
        if now.saturating_sub(last.told) >= TELL {
            last.told = now;
            self.wakes.wake_all();
        }
        if self.wakes.are_awaited() && now.saturating_sub(last.looked) >= LOOK {
            last.looked = now;
            let look = |session: &Session| session.pragma("PRAGMA data_version").ok().flatten();
            let version = self.session.as_ref().and_then(look);
            if std::mem::replace(&mut last.version, version) != version {
                self.wakes.wake_all();
            }
        }
    }

    /// Lets the committing thread sweep, if there is something to sweep.
    fn sweep(&self, now: Duration) -> Option<Arc<dyn Job>> {
        let garbage = self.session.as_ref().map(Session::has_garbage);
        if !matches!(garbage, Some(Ok(true))) {
            return None;
        }
        let deadline = now.saturating_add(self.timeout);
        let limits =
            Limits { timeout: self.timeout, deadline, bytes: 0, on_disk: false, writes: true };
        let step = |session: &Session| {
            session.clear_garbage()?;
            session.sweep().map(drop)
        };
        let sweep: Arc<dyn Job> = Call::new(limits, step);
        // Where the line is full or closed, not now.
        self.writes.push(Arc::clone(&sweep), Patience::Shared).ok().map(|()| sweep)
    }
}
