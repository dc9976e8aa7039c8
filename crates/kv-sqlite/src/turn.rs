//! A fair turn between the writers of all processes.
//!
//! SQLite's own lock is taken by whoever asks at the right moment, so that a busy writer starves
//! the others. Here, a writer takes the lock `next`, then `turn`, releases `next`, writes, and
//! releases `turn`. At most one waits for `turn`, and whoever just wrote comes behind it. The system
//! releases a lock when its process dies.

use std::ffi::OsString;
use std::fs::{File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread;
use std::time::Duration;

use kv_core::Clock;

/// How long to wait between two attempts, where waiting must end.
const PAUSE: Duration = Duration::from_millis(2);

/// The two lock files.
#[derive(Debug)]
pub(crate) struct Turn {
    next: File,
    turn: File,
}

/// Holds the turn; dropped, it goes to the next.
#[derive(Debug)]
pub(crate) struct Held<'a>(&'a File);

impl Turn {
    /// The lock files beside the file, which are made where they are missing.
    pub(crate) fn beside(path: &Path) -> io::Result<Self> {
        let open = |suffix: &str| {
            let mut name = OsString::from(path);
            name.push(suffix);
            OpenOptions::new().read(true).write(true).create(true).truncate(false).open(name)
        };
        Ok(Self { next: open("-next")?, turn: open("-turn")? })
    }

    /// Waits for the turn. It may take as long as another process holds it.
    pub(crate) fn take(&self) -> io::Result<Held<'_>> {
        lock(&self.next)?;
        let taken = lock(&self.turn);
        self.next.unlock()?;
        taken.map(|()| Held(&self.turn))
    }

    /// Waits for the turn so long; `None` if it did not come. For a few calls, it need not be fair.
    pub(crate) fn take_within(
        &self,
        limit: Duration,
        clock: &dyn Clock,
    ) -> io::Result<Option<Held<'_>>> {
        let end = clock.now().saturating_add(limit);
        loop {
            match self.turn.try_lock() {
                Ok(()) => return Ok(Some(Held(&self.turn))),
                Err(std::fs::TryLockError::WouldBlock) if clock.now() >= end => return Ok(None),
                Err(std::fs::TryLockError::WouldBlock) => thread::park_timeout(PAUSE),
                Err(std::fs::TryLockError::Error(error)) => return Err(error),
            }
        }
    }
}

impl Drop for Held<'_> {
    fn drop(&mut self) {
        if let Err(error) = self.0.unlock() {
            tracing::error!(%error, "the turn could not be handed on");
        }
    }
}

fn lock(file: &File) -> io::Result<()> {
    loop {
        match file.lock() {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            locked => return locked,
        }
    }
}
