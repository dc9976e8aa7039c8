//! Who waits for jobs, and who is told of them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

/// One bell for each queue that somebody waits on.
#[derive(Debug, Default)]
pub(crate) struct Wakes(Mutex<HashMap<i64, Arc<Notify>>>);

impl Wakes {
    fn bells(&self) -> MutexGuard<'_, HashMap<i64, Arc<Notify>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The bell of a queue; it is forgotten when nobody has it any more.
    pub(crate) fn bell(&self, queue: i64) -> Arc<Notify> {
        let mut bells = self.bells();
        bells.retain(|known, bell| *known == queue || Arc::strong_count(bell) > 1);
        Arc::clone(bells.entry(queue).or_default())
    }

    /// Whether anybody waits.
    pub(crate) fn are_awaited(&self) -> bool {
        self.bells().values().any(|bell| Arc::strong_count(bell) > 1)
    }

    /// Something became claimable in these queues: wakes all who wait there; they look where.
    pub(crate) fn wake(&self, queues: &[i64]) {
        if queues.is_empty() {
            return;
        }
        let bells = self.bells();
        queues.iter().filter_map(|queue| bells.get(queue)).for_each(|bell| bell.notify_waiters());
    }

    /// Wakes all who wait.
    pub(crate) fn wake_all(&self) {
        self.bells().values().for_each(|bell| bell.notify_waiters());
    }
}
