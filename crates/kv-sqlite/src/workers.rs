//! The threads of a store, and how calls reach them.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::thread;
use std::time::Duration;

use kv_core::{Clock, Effect, Error, ErrorKind, Result, SystemClock};
use tokio::sync::{Notify, oneshot};

use crate::call::{Answer, Call, Job, Limits};
use crate::committer::Committer;
use crate::error::no_thread;
use crate::file::Session;
use crate::file::{self, Opened, READERS, Settings, Shared};
use crate::inbox::Inbox;
use crate::log::Log;
use crate::pool;
use crate::spin::{self, Callers, Patience};
use crate::watch::{Nudge, Wakes, Watch};

/// The threads of one store. They end when this is dropped, after what is in line.
pub(crate) struct Workers {
    shared: Arc<Shared>,
    writes: Arc<Inbox>,
    reads: Arc<Inbox>,
    /// Who waits for a read.
    readers: Callers,
    /// Before the thread that brings the log into the file.
    log: Arc<Inbox>,
    /// Before the thread that watches; it takes no calls, and ends last.
    watch: Arc<Inbox>,
    nudge: Arc<Nudge>,
    wakes: Arc<Wakes>,
    /// Real time, whatever the clock of the lifetimes.
    clock: SystemClock,
    timeout: Duration,
    process: u32,
}

impl Workers {
    /// Opens the file on a thread of its own, and starts those that serve it.
    pub(crate) async fn start(settings: Settings) -> Result<Arc<Self>> {
        let (sender, opened) = oneshot::channel();
        let started = thread::Builder::new().name("kv-sqlite-open".to_owned()).spawn(move || {
            let workers = file::open(&settings).and_then(|it| Self::serve(it, &settings));
            // Nobody may wait any more: then the threads end again.
            let _ = sender.send(workers);
        });
        started.map_err(no_thread)?;
        opened.await.unwrap_or_else(|_| {
            Err(Error::new(ErrorKind::Backend, "the thread that opens the file has ended"))
        })
    }

    fn serve(opened: Opened, settings: &Settings) -> Result<Arc<Self>> {
        let workers = Arc::new(Self {
            shared: opened.shared,
            writes: Arc::new(Inbox::new(1)),
            reads: Arc::new(Inbox::new(READERS)),
            readers: Callers::new(spin::can_pay()),
            log: Arc::new(Inbox::new(1)),
            watch: Arc::new(Inbox::new(1)),
            nudge: Arc::default(),
            wakes: Arc::default(),
            clock: SystemClock::new(),
            timeout: settings.timeout,
            process: std::process::id(),
        });
        let watch = Watch {
            nudge: Arc::clone(&workers.nudge),
            writes: Arc::clone(&workers.writes),
            reads: Arc::clone(&workers.reads),
            log: Arc::clone(&workers.log),
            session: Some(opened.watch),
            end: Arc::clone(&workers.watch),
            wakes: Arc::clone(&workers.wakes),
            clock: workers.clock,
            timeout: settings.timeout,
        };
        let committer = Committer {
            inbox: Arc::clone(&workers.writes),
            session: opened.committer,
            turn: opened.turn,
            sync: settings.sync,
            wakes: Arc::clone(&workers.wakes),
            log: Log::new(Arc::clone(&workers.log)),
        };
        for (thread, session) in opened.readers.into_iter().enumerate() {
            let inbox = Arc::clone(&workers.reads);
            spawn("kv-sqlite-read", move || pool::read(&inbox, thread, session))?;
        }
        let inbox = Arc::clone(&workers.log);
        spawn("kv-sqlite-log", move || pool::read(&inbox, 0, opened.log))?;
        spawn("kv-sqlite-write", move || committer.run())?;
        // Last: it ends when all others have ended, and so not if one of them did not begin.
        spawn("kv-sqlite-watch", move || watch.run())?;
        Ok(workers)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.shared.path
    }

    pub(crate) fn timeout(&self) -> Duration {
        self.timeout
    }

    pub(crate) fn date(&self) -> Duration {
        self.shared.time.date()
    }

    /// Time since the store was opened, for waits.
    pub(crate) fn uptime(&self) -> Duration {
        self.clock.now()
    }

    /// Rings when something became claimable in a queue; from now on it is looked for what other
    /// processes do.
    pub(crate) fn bell(&self, queue: i64) -> Arc<Notify> {
        let were_awaited = self.wakes.are_awaited();
        let bell = self.wakes.bell(queue);
        if !were_awaited {
            self.nudge.wake();
        }
        bell
    }

    /// # Errors
    /// `Closed`, and in a child that was forked off, `Backend`.
    pub(crate) fn check_open(&self) -> Result<()> {
        self.check_process()?;
        if self.writes.is_closed() { Err(Error::closed()) } else { Ok(()) }
    }

    /// The threads are not in a child that was forked off.
    fn check_process(&self) -> Result<()> {
        if std::process::id() == self.process {
            return Ok(());
        }
        let message = "the store was opened before the process was forked; expected the child to \
                       open its own";
        Err(Error::new(ErrorKind::Backend, message))
    }

    /// Does a step in a transaction of the committing thread.
    ///
    /// # Errors
    /// Those of the step and of the commit; `Timeout`, `Backpressure` and `Closed`.
    ///
    /// # Cancel safety
    /// The step happens whole or not at all.
    pub(crate) async fn write<R, F>(&self, bytes: usize, on_disk: bool, step: F) -> Result<R>
    where
        R: Send + 'static,
        F: Fn(&Session) -> Result<R> + Send + Sync + 'static,
    {
        let limits = self.limits(bytes, on_disk, true);
        let written = self.call(&self.writes, limits, Patience::Shared, step)?.await;
        written.map_err(|error| self.explained(error))
    }

    /// A call whose time ended in line behind another process is told so.
    fn explained(&self, error: Error) -> Error {
        let awaits_turn = self.shared.awaits_turn.load(Ordering::Acquire);
        let is_late = error.kind() == ErrorKind::Timeout && error.effect() == Effect::NotApplied;
        if !(awaits_turn && is_late) {
            return error;
        }
        let message = format!(
            "{}: another process has the turn to write, and has not handed it on within {:?}; \
             expected that it writes and ends its turn. One that is stopped (SIGSTOP) holds up all \
             others until it goes on or is killed",
            self.path().display(),
            self.timeout
        );
        Error::new(ErrorKind::Timeout, message)
    }

    /// Does a step on a connection that reads.
    ///
    /// # Errors
    /// Those of the step; `Timeout`, `Backpressure` and `Closed`.
    pub(crate) async fn read<R, F>(&self, step: F) -> Result<R>
    where
        R: Send + 'static,
        F: Fn(&Session) -> Result<R> + Send + Sync + 'static,
    {
        let waiting = self.readers.enter();
        let limits = self.limits(0, false, false);
        let answer = self.call(&self.reads, limits, waiting.patience, step)?;
        if waiting.spins_in_vain(&self.clock, || answer.is_ready()) {
            self.reads.rouse();
        }
        answer.await
    }

    fn call<R, F>(
        &self,
        inbox: &Inbox,
        limits: Limits,
        patience: Patience,
        step: F,
    ) -> Result<Answer<R, F>>
    where
        R: Send + 'static,
        F: Fn(&Session) -> Result<R> + Send + Sync + 'static,
    {
        self.check_process()?;
        let call = Call::new(limits, step);
        inbox.push(Arc::clone(&call) as _, patience)?;
        self.nudge.nudge();
        Ok(Answer(call))
    }

    fn limits(&self, bytes: usize, on_disk: bool, writes: bool) -> Limits {
        let deadline = self.clock.now().saturating_add(self.timeout);
        Limits { timeout: self.timeout, deadline, bytes, on_disk, writes }
    }

    fn stop(&self) {
        self.writes.close();
        self.reads.close();
        self.log.close();
        self.wakes.wake_all();
        self.nudge.wake();
    }

    /// Lets no more calls in, and waits until the threads have ended.
    pub(crate) async fn close(&self) -> Result<()> {
        self.check_process()?;
        self.stop();
        for inbox in [&self.reads, &self.writes, &self.log, &self.watch] {
            let end = Call::new(self.limits(0, false, false), |_: &Session| Ok(()));
            inbox.at_end(Arc::clone(&end) as Arc<dyn Job>);
            self.nudge.wake();
            match Answer(end).await {
                // So a call is answered that no thread has begun: they have ended.
                Err(error) if error.kind() == ErrorKind::Closed => {}
                ended => ended?,
            }
        }
        self.nudge.wake();
        Ok(())
    }
}

impl Drop for Workers {
    fn drop(&mut self) {
        // In a child that was forked off there are no threads, and nothing to end.
        if std::process::id() == self.process {
            self.stop();
        }
    }
}

fn spawn(name: &str, run: impl FnOnce() + Send + 'static) -> Result<()> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(run);
    spawned.map(drop).map_err(no_thread)
}

#[cfg(test)]
mod tests {
    use futures_executor::block_on;
    use kv_core::KeyValueStore;

    use super::*;
    use crate::SqliteStore;

    /// A fork itself would be unsafe code: the child has the memory, and another number.
    #[test]
    fn in_a_forked_child_every_call_is_an_error_and_the_parent_goes_on() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("k.db");
        let parent = block_on(SqliteStore::open(&path)).unwrap();
        let settings = SqliteStore::builder(&path).into_settings();
        let mut child = block_on(Workers::start(settings)).unwrap();
        Arc::get_mut(&mut child).unwrap().process += 1;
        let refused = |result: Result<()>| {
            let error = result.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Backend);
            assert!(error.to_string().contains("forked"), "{error}");
        };
        refused(block_on(child.read(|_| Ok(()))));
        refused(block_on(child.write(0, false, |_| Ok(()))));
        refused(block_on(child.close()));
        refused(child.check_open());
        drop(child);
        block_on(parent.ping()).unwrap();
        block_on(parent.close()).unwrap();
    }
}
