//! Watching: a task for each watch, which listens to the servers and tells what they tell.

use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use bytes::Bytes;
use kv_core::{Error, ErrorKind, Result, Watcher, is_reserved};
use tokio::runtime::Handle;
use tokio::task::JoinSet;
use tokio::time::sleep;

use crate::driver::{Driver, Told, Tracking};

/// How long to wait before listening is tried again: at first, and at most.
const PAUSE: Duration = Duration::from_millis(100);
const LONGEST_PAUSE: Duration = Duration::from_millis(1_600);

/// The watches of a store.
pub(crate) struct Watches {
    driver: Arc<Driver>,
    runtime: Handle,
    tasks: Mutex<JoinSet<()>>,
}

impl Watches {
    /// Watches run on the present runtime.
    pub(crate) fn new(driver: Arc<Driver>) -> Self {
        Self { driver, runtime: Handle::current(), tasks: Mutex::default() }
    }

    /// Begins to tell a watcher, until it is dropped.
    pub(crate) fn begin(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.driver.check_open()?;
        let prefix = Bytes::copy_from_slice(prefix.as_bytes());
        let watch = Watch { driver: Arc::clone(&self.driver), prefix, watcher };
        let mut tasks = self.tasks.lock().unwrap_or_else(PoisonError::into_inner);
        while tasks.try_join_next().is_some() {}
        tasks.spawn_on(watch.run(), &self.runtime);
        Ok(())
    }

    /// Ends all watches.
    pub(crate) fn close(&self) {
        self.tasks.lock().unwrap_or_else(PoisonError::into_inner).abort_all();
    }
}

struct Watch {
    driver: Arc<Driver>,
    prefix: Bytes,
    watcher: Weak<dyn Watcher>,
}

/// However the task ends, the watcher learns of it.
impl Drop for Watch {
    fn drop(&mut self) {
        self.watcher.upgrade().into_iter().for_each(|watcher| watcher.lost(Error::closed()));
    }
}

impl Watch {
    async fn run(self) {
        let mut pause = PAUSE;
        loop {
            let error = match self.driver.track(&self.prefix).await {
                Ok(tracking) => {
                    pause = PAUSE;
                    self.listen(tracking).await
                }
                Err(error) => Some(error),
            };
            let (Some(error), Some(watcher)) = (error, self.watcher.upgrade()) else { return };
            if error.kind() == ErrorKind::Closed {
                return;
            }
            tracing::warn!(server = self.driver.server(), %error, "redis tells no changes; trying again");
            watcher.lost(error.operation("watch"));
            drop(watcher);
            sleep(pause).await;
            pause = (2 * pause).min(LONGEST_PAUSE);
        }
    }

    /// Tells until it cannot any more, and says why; `None` once the watcher was dropped.
    async fn listen(&self, mut tracking: Tracking) -> Option<Error> {
        self.watcher.upgrade()?.gap();
        tracing::info!(server = self.driver.server(), "redis tells changes");
        loop {
            let told = match tracking.next().await {
                Ok(told) => told,
                Err(error) => return Some(error),
            };
            let watcher = self.watcher.upgrade()?;
            match told {
                Told::Keys(keys) => keys.iter().for_each(|key| tell(&*watcher, key)),
                Told::Anything => watcher.gap(),
                Told::Alive => {
                    if let Err(error) = self.driver.check_places(&tracking) {
                        return Some(error);
                    }
                }
            }
        }
    }
}

/// A key that is no text is not of this library.
fn tell(watcher: &dyn Watcher, key: &[u8]) {
    if let Ok(key) = std::str::from_utf8(key)
        && !is_reserved(key)
    {
        watcher.changed(key);
    }
}
