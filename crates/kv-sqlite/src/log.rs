//! Bringing the log of what was written into the file.
//!
//! SQLite by itself does so in the commit that makes the log long: whoever is in line, and other
//! processes, wait for two flushes of the disk. Here a thread of its own does it beside the commits.
//! The log begins anew only when all of it is in the file, which a busy writer never lets happen. So,
//! when the log is long, a commit brings in the little that came while the thread was at it.

use std::cell::{Cell, RefCell};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::call::{Call, Job, Limits};
use crate::file::{LOG_BYTES, Session};
use crate::inbox::Inbox;
use crate::spin::Patience;

/// How many pages gather in the log before the thread begins: about 8 MiB.
const PAGES: i64 = 2_000;

/// How many pages the log has when it is to begin anew: about 24 MiB.
const LONG: i64 = 6_000;

/// What the committing thread knows of the log.
pub(crate) struct Log {
    /// The line before the thread.
    inbox: Arc<Inbox>,
    /// What the thread was asked for last.
    asked: RefCell<Option<Arc<dyn Job>>>,
    /// Held by the thread that is at it.
    pass: Arc<Mutex<()>>,
    /// How large the log may be before it is emptied with some force.
    limit: Cell<u64>,
}

impl Log {
    pub(crate) fn new(inbox: Arc<Inbox>) -> Self {
        let limit = Cell::new(LOG_BYTES);
        Self { inbox, asked: RefCell::default(), pass: Arc::default(), limit }
    }

    /// Keeps the log short after a commit that left it with so many bytes.
    pub(crate) fn keep_short(&self, session: &Session, bytes: u64) {
        if bytes > self.limit.get() {
            return self.empty(session, bytes);
        }
        if self.asked.borrow().as_ref().is_some_and(|asked| asked.is_wanted()) {
            return;
        }
        match session.log_pages() {
            Ok((_, PAGES..)) => self.ask(),
            Ok((LONG.., 1..)) => bring_in(session),
            _ => {}
        }
    }

    /// Has the thread bring into the file what readers let it; where the line is closed, the last
    /// connection does so.
    fn ask(&self) {
        let for_ever = Duration::MAX;
        let limits = Limits {
            timeout: for_ever,
            deadline: for_ever,
            bytes: 0,
            on_disk: false,
            writes: false,
        };
        let pass = Arc::clone(&self.pass);
        let step = move |session: &Session| {
            let _held = pass.lock().unwrap_or_else(PoisonError::into_inner);
            bring_in(session);
            Ok(())
        };
        let asked: Arc<dyn Job> = Call::new(limits, step);
        if self.inbox.push(Arc::clone(&asked), Patience::Shared).is_ok() {
            self.asked.replace(Some(asked));
        }
    }

    /// Waits a moment for readers to leave the log, which SQLite does not by itself. One that stays
    /// is given up on, until the log has grown by half.
    fn empty(&self, session: &Session, bytes: u64) {
        // Two cannot be at it at once.
        let _held = self.pass.lock().unwrap_or_else(PoisonError::into_inner);
        let emptied = session.pragma("PRAGMA wal_checkpoint(TRUNCATE)");
        let is_busy = !matches!(emptied, Ok(Some(0)));
        if is_busy {
            tracing::warn!(bytes, "a reader keeps the log of the file from being emptied");
        }
        self.limit.set(if is_busy { bytes.saturating_add(bytes / 2) } else { LOG_BYTES });
    }
}

/// Brings into the file what readers let it.
fn bring_in(session: &Session) {
    if let Err(error) = session.pragma("PRAGMA wal_checkpoint(PASSIVE)") {
        tracing::warn!(%error, "the log could not be brought into the file");
    }
}
