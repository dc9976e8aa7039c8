//! The thread that looks at the time: it gives up late calls, starts sweeps, and sees what other
//! processes have written.

mod wakes;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

use kv_core::{Clock, SystemClock};

use crate::call::{Call, Limits};
use crate::inbox::Inbox;
use crate::session::Session;

pub(crate) use wakes::Wakes;

/// The longest time by which a call ends too late.
const LATEST: Duration = Duration::from_millis(100);

/// How often to look whether another process has written, while somebody waits for a job.
const LOOK: Duration = Duration::from_millis(200);

/// How often to sweep, and to let those who wait look for jobs that nobody told of.
const ROUND: Duration = Duration::from_secs(1);

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
    pub(crate) session: Session,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) clock: SystemClock,
    pub(crate) timeout: Duration,
}

/// When what was done last.
#[derive(Default)]
struct Last {
    looked: Duration,
    round: Duration,
    version: Option<i64>,
}

impl Watch {
    /// Watches until both inboxes have ended.
    pub(crate) fn run(self) {
        let mut last = Last::default();
        let tick = (self.timeout / 20).clamp(Duration::from_millis(1), LATEST);
        while !(self.writes.has_ended() && self.reads.has_ended()) {
            self.nudge.awake.store(false, Ordering::Release);
            let now = self.clock.now();
            let open = [&self.writes, &self.reads].map(|inbox| inbox.expire(now));
            if open.contains(&true) {
                self.nudge.awake.store(true, Ordering::Release);
            }
            self.look_around(now, &mut last);
            let pause = if open.contains(&true) { tick } else { ROUND };
            self.nudge.pause(if self.wakes.are_awaited() { pause.min(LOOK) } else { pause });
        }
        // Whoever was in line when the inboxes ended is answered by them.
        self.wakes.wake_all();
        self.session.close();
    }

    fn look_around(&self, now: Duration, last: &mut Last) {
        if now.saturating_sub(last.round) >= ROUND {
            last.round = now;
            self.sweep(now);
            self.wakes.wake_all();
        }
        if self.wakes.are_awaited() && now.saturating_sub(last.looked) >= LOOK {
            last.looked = now;
            let version = self.session.pragma("PRAGMA data_version").ok().flatten();
            if std::mem::replace(&mut last.version, version) != version {
                self.wakes.wake_all();
            }
        }
    }

    /// Lets the committing thread sweep, if there is something to sweep.
    fn sweep(&self, now: Duration) {
        match self.session.has_garbage() {
            Ok(false) => return,
            Ok(true) => {}
            Err(error) => tracing::debug!(%error, "no look at what is to be swept"),
        }
        let deadline = now.saturating_add(self.timeout);
        let limits =
            Limits { timeout: self.timeout, deadline, bytes: 0, on_disk: false, writes: true };
        let step = |session: &Session| {
            session.clear_garbage()?;
            session.sweep().map(drop)
        };
        // A line that is full or closed needs no sweep.
        let _ = self.writes.push(Call::new(limits, step));
    }
}
