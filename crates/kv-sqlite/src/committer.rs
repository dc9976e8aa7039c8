//! The one thread that writes.

use std::slice;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use kv_core::{Error, Result};

use crate::call::Job;
use crate::error::{is_busy, is_full, of_sqlite};
use crate::file::{Session, SqliteSync, level, not_writable};
use crate::inbox::{Ending, Inbox};
use crate::log::Log;
use crate::turn::{Held, Turn};
use crate::watch::Wakes;

/// The most steps of one transaction: the most callers that share a flush.
const MOST_STEPS: usize = 2_048;

/// About the most bytes of one transaction; a larger step has one of its own.
const MOST_BYTES: usize = 8 << 20;

/// What the thread needs.
pub(crate) struct Committer {
    pub(crate) inbox: Arc<Inbox>,
    pub(crate) session: Session,
    pub(crate) turn: Turn,
    pub(crate) sync: SqliteSync,
    pub(crate) wakes: Arc<Wakes>,
    pub(crate) log: Log,
}

/// Why a transaction was not committed.
enum Broken {
    /// It must be told so.
    Error(Error),
    /// One step may have spoiled it for the others: each is to be tried alone.
    Shared,
}

impl Committer {
    /// Takes what has gathered and commits it, until the inbox is closed and empty.
    pub(crate) fn run(self) {
        let inbox = Arc::clone(&self.inbox);
        let _ending = Ending { inbox: &inbox, thread: 0 };
        while let Some(calls) = self.inbox.take(0, MOST_STEPS, MOST_BYTES) {
            self.group(&calls);
        }
        self.session.close();
    }

    fn group(&self, calls: &[Arc<dyn Job>]) {
        match self.attempt(calls) {
            Ok(()) => calls.iter().for_each(|call| call.answer(Ok(()))),
            Err(Broken::Error(error)) => {
                calls.iter().for_each(|call| call.answer(Err(error.clone())));
            }
            Err(Broken::Shared) => {
                calls.iter().for_each(|call| self.group(slice::from_ref(call)));
            }
        }
    }

    /// One transaction with all steps.
    fn attempt(&self, calls: &[Arc<dyn Job>]) -> Result<(), Broken> {
        let identity = &self.session.shared().identity;
        identity.check().map_err(Broken::Error)?;
        let flush = calls.iter().any(|call| call.wants_disk());
        let held = self.take_turn().map_err(Broken::Error)?;
        let committed = self.set_level(flush).and_then(|()| self.transaction(calls, flush));
        let restored = if flush { self.set_level(false) } else { Ok(()) };
        drop(held);
        let woken = committed?;
        restored?;
        // Between the first look and the commit, too.
        let log = identity.check().map_err(|error| Broken::Error(error.maybe_applied()))?;
        self.wakes.wake(&woken);
        self.log.keep_short(&self.session, log);
        Ok(())
    }

    /// Waits for the turn; whose time ends meanwhile is told why.
    fn take_turn(&self) -> Result<Held<'_>> {
        let shared = self.session.shared();
        shared.awaits_turn.store(true, Ordering::Release);
        let held = self.turn.take();
        shared.awaits_turn.store(false, Ordering::Release);
        held.map_err(|error| not_writable(&shared.path, error))
    }

    /// Makes commits wait for the disk, or as the store is configured.
    fn set_level(&self, flush: bool) -> Result<(), Broken> {
        let wanted = match self.sync {
            // Nothing to change.
            SqliteSync::Full => return Ok(()),
            SqliteSync::Normal if flush => level(SqliteSync::Full),
            SqliteSync::Normal => level(SqliteSync::Normal),
        };
        if !flush && !self.session.is_flushing() {
            return Ok(());
        }
        self.session.set_level(wanted, flush).map_err(|error| self.told(error))
    }

    fn transaction(&self, calls: &[Arc<dyn Job>], flush: bool) -> Result<Vec<i64>, Broken> {
        self.begin(calls)?;
        for call in calls {
            if call.begin() && !call.run(&self.session) && self.session.is_lost() {
                self.session.roll_back();
                // Alone, it is told its own error.
                return if calls.len() > 1 { Err(Broken::Shared) } else { Ok(Vec::new()) };
            }
        }
        self.session.commit(flush).map_err(|error| {
            self.session.roll_back();
            match is_full(&error) {
                true if calls.len() > 1 => Broken::Shared,
                true => self.told(error),
                false => {
                    Broken::Error(of_sqlite(&self.session.shared().path, error).maybe_applied())
                }
            }
        })
    }

    /// Begins as soon as other programs let it, while anybody waits for an answer.
    fn begin(&self, calls: &[Arc<dyn Job>]) -> Result<(), Broken> {
        loop {
            match self.session.begin() {
                Ok(()) => return Ok(()),
                Err(error) => {
                    self.session.roll_back();
                    let waited_for = calls.iter().any(|call| call.is_wanted());
                    if !is_busy(&error) || !waited_for {
                        return Err(self.told(error));
                    }
                }
            }
        }
    }

    fn told(&self, error: rusqlite::Error) -> Broken {
        Broken::Error(of_sqlite(&self.session.shared().path, error))
    }
}
