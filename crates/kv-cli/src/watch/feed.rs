//! News from the store: a count of the queues, and what the open queue is busy with.
//!
//! Two loops run side by side, each with one request under way and a pause after it of four times its
//! length at least. So they cost the store the same, however many jobs there are.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{Clock, Store};
use kv_dashboard::{Sampler, Snapshot};
use tokio::sync::{mpsc, watch};

use super::reading::{Reading, read};

/// The least pause after an answer, in lengths of the wait for it.
const PAUSE: u32 = 4;

/// What the store was asked, or has answered.
#[derive(Debug)]
pub(super) enum News {
    /// The queues are being counted, from this time on.
    Asked(Duration),
    Counted(Arc<Snapshot>),
    Read(Reading),
}

/// Whom to ask, and how often.
pub(super) struct Feed {
    pub(super) store: Store,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) every: Duration,
}

impl Feed {
    /// Tells news until nobody wants any more.
    ///
    /// # Cancel safety
    /// A dropped future ends its requests, which only read.
    pub(super) async fn run(self, open: watch::Receiver<Option<String>>, news: mpsc::Sender<News>) {
        tokio::select! {
            () = self.count(&news) => {}
            () = self.read(open, &news) => {}
        }
    }

    async fn count(&self, news: &mpsc::Sender<News>) {
        let sampler = Sampler::new(self.store.clone(), Arc::clone(&self.clock), self.every);
        loop {
            let began = self.clock.now();
            if news.send(News::Asked(began)).await.is_err() {
                return;
            }
            let counted = News::Counted(sampler.snapshot().await);
            let pause = self.pause(began);
            if news.send(counted).await.is_err() {
                return;
            }
            tokio::time::sleep(pause).await;
        }
    }

    /// Reads about the open queue, and at once when another one is opened.
    async fn read(&self, mut open: watch::Receiver<Option<String>>, news: &mpsc::Sender<News>) {
        loop {
            let name = open.borrow_and_update().clone();
            let Some(name) = name else {
                if open.changed().await.is_err() {
                    return;
                }
                continue;
            };
            let began = self.clock.now();
            let reading = read(&self.store, &self.clock, name).await;
            let pause = self.pause(began);
            if news.send(News::Read(reading)).await.is_err() {
                return;
            }
            tokio::select! {
                () = tokio::time::sleep(pause) => {}
                changed = open.changed() => if changed.is_err() { return },
            }
        }
    }

    fn pause(&self, began: Duration) -> Duration {
        self.every.max(self.clock.now().saturating_sub(began).saturating_mul(PAUSE))
    }
}
