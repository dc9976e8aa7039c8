//! What all requests share.

use std::sync::Arc;

use kv_core::{Clock, Store};
use kv_layers::Statistics;
use kv_queue::Queue;
use tokio::sync::Semaphore;

use crate::access::Access;
use crate::cursors::Cursors;
use crate::failure::{Failure, Result};
use crate::guard::Hosts;
use crate::sampler::Sampler;

/// How many pages ask the store at a time; others wait for their turn.
const TURNS: usize = 16;

/// What whoever mounts the dashboard has decided.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) access: Access,
    pub(crate) hosts: Hosts,
    /// What comes before every path; found out for each request if it is not given.
    pub(crate) base: Option<String>,
    pub(crate) actions: bool,
    pub(crate) payloads: bool,
    pub(crate) values: bool,
    /// Namespaces that are never shown, each with its colon.
    pub(crate) secrets: Vec<String>,
    pub(crate) statistics: Option<Statistics>,
}

impl Settings {
    /// Whether a key may not be shown, nor asked for.
    pub(crate) fn is_secret(&self, key: &str) -> bool {
        self.secrets.iter().any(|secret| key.starts_with(secret))
    }
}

/// The store, its sampler, and what was decided.
#[derive(Debug)]
pub(crate) struct App {
    pub(crate) store: Store,
    pub(crate) clock: Arc<dyn Clock>,
    pub(crate) settings: Settings,
    pub(crate) sampler: Sampler,
    pub(crate) turns: Semaphore,
    pub(crate) cursors: Cursors,
}

impl App {
    pub(crate) fn new(
        store: Store,
        clock: Arc<dyn Clock>,
        settings: Settings,
        sampler: Sampler,
    ) -> Self {
        Self {
            store,
            clock,
            settings,
            sampler,
            turns: Semaphore::new(TURNS),
            cursors: Cursors::default(),
        }
    }

    /// A queue that exists.
    pub(crate) async fn queue<T>(&self, name: &str) -> Result<Queue<T>> {
        let queue = Queue::attach(&self.store, name).await?;
        queue
            .ok_or_else(|| Failure::missing(format!("no queue {name:?}; the first page lists all")))
    }
}
