//! The job: a directory finds more jobs, a file is hashed and recorded.

use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_core::{BoxError, ErrorKind, Store};
use kv_queue::{Delivery, Job, Queue};
use serde::{Deserialize, Serialize};

use crate::digest::{Record, key_of};
use crate::tree::{self, RawPath};

/// One job of the queue.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) enum Task {
    Directory(RawPath),
    File(RawPath),
}

impl Task {
    /// Files first, so that the queue stays as short as the tree allows.
    const fn priority(&self) -> u8 {
        match self {
            Self::File(_) => 4,
            Self::Directory(_) => 8,
        }
    }

    /// Unique by path while it waits or runs; when it is done, its record keeps it out.
    fn job(self) -> Job<Self> {
        let (priority, path) = (self.priority(), self.to_string());
        Job::new(self).priority(priority).unique_while_live(short(path))
    }
}

/// A unique key has at most 1,024 bytes; a longer path is named by its hash.
fn short(path: String) -> String {
    if path.len() <= 1_024 { path } else { crate::digest::hex_of(path.as_bytes()) }
}

impl fmt::Display for Task {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory(path) => write!(f, "{path}/"),
            Self::File(path) => write!(f, "{path}"),
        }
    }
}

/// What is counted in this run.
#[derive(Default)]
pub(crate) struct Counts {
    found: AtomicU64,
    done: AtomicU64,
    hashed: AtomicU64,
    failed: AtomicU64,
    redelivered: AtomicU64,
}

impl Counts {
    pub(crate) fn start(&self, done: u64, waiting: u64) {
        self.found.fetch_add(done + waiting, Ordering::Relaxed);
        self.done.fetch_add(done, Ordering::Relaxed);
    }

    pub(crate) fn found(&self) -> u64 {
        self.found.load(Ordering::Relaxed)
    }

    pub(crate) fn done(&self) -> u64 {
        self.done.load(Ordering::Relaxed)
    }

    pub(crate) fn hashed(&self) -> u64 {
        self.hashed.load(Ordering::Relaxed)
    }

    pub(crate) fn failed(&self) -> u64 {
        self.failed.load(Ordering::Relaxed)
    }

    pub(crate) fn redelivered(&self) -> u64 {
        self.redelivered.load(Ordering::Relaxed)
    }
}

pub(crate) struct Crawler {
    root: PathBuf,
    processed: Store,
    queue: Queue<Task>,
    counts: Counts,
}

impl Crawler {
    pub(crate) fn new(root: &Path, store: &Store, queue: &Queue<Task>) -> Self {
        Self {
            root: root.to_owned(),
            processed: store.namespace("processed"),
            queue: queue.clone(),
            counts: Counts::default(),
        }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    pub(crate) const fn counts(&self) -> &Counts {
        &self.counts
    }

    pub(crate) async fn enqueue_root(&self) -> kv_core::Result<()> {
        self.queue.enqueue(Task::Directory(RawPath::empty()).job()).await?;
        self.counts.found.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    /// Handles one delivery.
    pub(crate) async fn visit(self: Arc<Self>, delivery: Delivery<Task>) -> Result<(), BoxError> {
        // One that was only handed back, as at an interrupt, is still at its first attempt.
        if delivery.attempt() > 1 {
            self.counts.redelivered.fetch_add(1, Ordering::Relaxed);
            // Said at once, since a crawl that is killed has no last words.
            eprintln!("again: {}, attempt {}", delivery.payload(), delivery.attempt());
        }
        let visited = match delivery.payload().clone() {
            Task::Directory(path) => self.locate(&delivery, path).await,
            Task::File(path) => self.process(path).await,
        };
        if visited.is_err() {
            self.counts.failed.fetch_add(1, Ordering::Relaxed);
        }
        visited
    }

    /// Enqueues what a directory holds, files that are done already left out.
    async fn locate(
        self: &Arc<Self>,
        delivery: &Delivery<Task>,
        path: RawPath,
    ) -> Result<(), BoxError> {
        let this = Arc::clone(self);
        let listing = tokio::task::spawn_blocking(move || tree::list(&this.root, &path)).await??;
        let mut tasks: Vec<Task> = listing.directories.into_iter().map(Task::Directory).collect();
        for files in listing.files.chunks(500) {
            let keys: Vec<String> = files.iter().map(|file| key_of(&self.root, file)).collect();
            let records = self.processed.get_many::<Record>(&keys).await?;
            let fresh = files.iter().zip(records).filter(|(_, record)| record.is_none());
            tasks.extend(fresh.map(|(file, _)| Task::File(file.clone())));
        }
        match self.queue.enqueue_many(tasks.into_iter().map(Task::job)).await {
            Ok(enqueued) => {
                self.counts.found.fetch_add(enqueued.added as u64, Ordering::Relaxed);
                self.counts.done.fetch_add(1, Ordering::Relaxed);
                Ok(())
            }
            // The queue is full of files: come back when some are done. What was added already
            // is not added twice.
            Err(error) if error.kind() == ErrorKind::Backpressure => {
                Ok(delivery.snooze(Duration::from_millis(500)).await?)
            }
            Err(error) => Err(error.into()),
        }
    }

    /// Hashes a file and records it, unless a delivery that ended before its ack did.
    async fn process(self: &Arc<Self>, path: RawPath) -> Result<(), BoxError> {
        let key = key_of(&self.root, &path);
        if !self.processed.exists(&key).await? {
            let record = self.read(path).await?;
            self.processed.set(&key, &record).await?;
            self.counts.hashed.fetch_add(1, Ordering::Relaxed);
        }
        self.counts.done.fetch_add(1, Ordering::Relaxed);
        Ok(())
    }

    async fn read(self: &Arc<Self>, path: RawPath) -> Result<Record, BoxError> {
        let this = Arc::clone(self);
        let read = tokio::task::spawn_blocking(move || {
            let (bytes, sha256) = tree::hash(&this.root, &path)?;
            let root = this.root.as_os_str().as_encoded_bytes().to_vec().into();
            Ok::<_, std::io::Error>(Record { root, path, bytes, sha256 })
        });
        Ok(read.await??)
    }
}
