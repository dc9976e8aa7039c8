//! What a running worker says of itself beside its queue.

use std::sync::Arc;
use std::time::Duration;

use tokio::task::JoinSet;

use super::shared::Shared;
use crate::queue::{BEAT, MAX_NAMED, WorkerInfo, beat, leave};

/// How long a worker that ends waits for its line to be struck out.
const FAREWELL: Duration = Duration::from_millis(250);

/// A worker's line in the list of workers, renewed by a task that ends with this.
pub(super) struct Presence {
    id: String,
    shared: Arc<Shared>,
    beats: JoinSet<()>,
}

impl Presence {
    /// Says from now on that the worker is there.
    pub(super) fn begin(
        shared: &Arc<Shared>,
        concurrency: usize,
        name: Option<String>,
        version: Option<String>,
    ) -> Self {
        let (host, pid) = (host(), std::process::id());
        let worker = WorkerInfo {
            name: name.unwrap_or_else(|| format!("{host}:{pid}")),
            host,
            pid,
            version: version.unwrap_or_else(|| env!("CARGO_PKG_VERSION").to_owned()),
            concurrency,
            since: Duration::ZERO,
            seen: Duration::ZERO,
            busy: 0,
            running: Vec::new(),
        };
        let id = format!("{:016x}", fastrand::u64(..));
        let mut beats = JoinSet::new();
        beats.spawn(keep_saying(Arc::clone(shared), id.clone(), worker));
        Self { id, shared: Arc::clone(shared), beats }
    }

    /// Says that the worker has ended.
    pub(super) async fn end(&mut self) {
        // The last word is the farewell.
        self.beats.shutdown().await;
        let left = leave(&self.shared.requests.connection, &self.id);
        if !matches!(tokio::time::timeout(FAREWELL, left).await, Ok(Ok(()))) {
            let queue = self.shared.queue();
            tracing::debug!(queue, "a worker that ended is still listed for half a minute");
        }
    }
}

async fn keep_saying(shared: Arc<Shared>, id: String, mut worker: WorkerInfo) {
    loop {
        {
            let state = shared.state();
            worker.busy = state.running.busy();
            let running = state.running.leases().take(MAX_NAMED).map(|lease| lease.id());
            worker.running = running.collect();
        }
        if let Err(error) = beat(&shared.requests.connection, &id, &worker).await {
            // It costs the worker's line in a list.
            tracing::debug!(queue = shared.queue(), %error, "a worker cannot be listed");
        }
        tokio::time::sleep(BEAT).await;
    }
}

/// The machine's name, where the system shows it as a file.
fn host() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    name.trim().chars().take(253).collect()
}
