//! A random history of one queue, with the size of the server's file after each step.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use fastrand::Rng;
use kv_core::queue::Counts;
use kv_queue::{DeadJob, Delivery, Job, JobId, Queue};
use kv_testbed::RedisServer;

use crate::bench::{SECOND, START, builder, store};

/// What can be seen of a queue from outside.
#[derive(Debug, PartialEq)]
pub(super) struct Snapshot {
    counts: Counts,
    ready: Vec<u64>,
    dead: Vec<DeadJob>,
}

impl Snapshot {
    pub(super) const fn entered(&self) -> u64 {
        self.counts.entered
    }

    pub(super) const fn outstanding(&self) -> u64 {
        self.counts.outstanding()
    }
}

pub(super) struct History {
    pub(super) server: RedisServer,
    /// The payload of every job that ever entered.
    pub(super) jobs: BTreeMap<JobId, u64>,
    file: PathBuf,
    /// What the file held in the end.
    bytes: Vec<u8>,
    /// After each step, the file's size and the snapshot.
    steps: Vec<(u64, Snapshot)>,
}

impl History {
    pub(super) async fn of(steps: usize, rng: Rng) -> Self {
        let server = RedisServer::builder().clock_frozen_at(START);
        let server = server.config("appendonly", "yes").config("appendfsync", "no");
        let server = server.config("auto-aof-rewrite-percentage", "0").start().unwrap();
        let file = server.dir().join("appendonlydir/appendonly.aof.1.incr.aof");
        let queue = open(&server).await;
        let mut walk = Walk { queue, rng, held: Vec::new(), jobs: BTreeMap::new() };
        let mut seen = Vec::new();
        for _ in 0..steps {
            walk.step(&server).await;
            let size = fs::metadata(&file).unwrap().len();
            seen.push((size, snapshot(&walk.queue).await));
        }
        let bytes = fs::read(&file).unwrap();
        Self { server, jobs: walk.jobs, file, bytes, steps: seen }
    }

    /// Brings the server back with no more than this of its file.
    pub(super) async fn cut(&mut self, size: u64) {
        self.server.kill();
        let size = usize::try_from(size).unwrap();
        fs::write(&self.file, self.bytes.get(..size).unwrap()).unwrap();
        self.server.restart().unwrap();
    }

    pub(super) async fn open(&self) -> Queue<u64> {
        open(&self.server).await
    }

    pub(super) async fn snapshot(&self) -> Snapshot {
        snapshot(&self.open().await).await
    }

    pub(super) fn end_of(&self, step: usize) -> u64 {
        self.steps[step].0
    }

    pub(super) fn snapshot_after(&self, step: usize) -> &Snapshot {
        &self.steps[step].1
    }

    /// What was seen before and after the write that this size ends in.
    pub(super) fn snapshots_around(&self, size: u64) -> (&Snapshot, &Snapshot) {
        let later = self.steps.iter().position(|(end, _)| *end >= size).unwrap();
        (self.snapshot_after(later.saturating_sub(1)), self.snapshot_after(later))
    }
}

async fn open(server: &RedisServer) -> Queue<u64> {
    builder().partitions(2).max_crashes(3).open(&store(server).await).await.unwrap()
}

async fn snapshot(queue: &Queue<u64>) -> Snapshot {
    // An age changes with the time at which it is asked for.
    let counts = Counts { oldest_ready: None, ..queue.stats().await.unwrap() };
    Snapshot {
        counts,
        ready: queue.peek(usize::MAX).await.unwrap(),
        dead: queue.dead_letters(usize::MAX).await.unwrap(),
    }
}

/// Random verbs on a queue.
struct Walk {
    queue: Queue<u64>,
    rng: Rng,
    held: Vec<Delivery<u64>>,
    jobs: BTreeMap<JobId, u64>,
}

impl Walk {
    async fn step(&mut self, server: &RedisServer) {
        match self.rng.u8(..20) {
            0..7 => self.enqueue().await,
            7..11 => {
                let taken = self.queue.dequeue(self.rng.usize(1..6)).await.unwrap();
                self.held.extend(taken);
            }
            11 => server.clock().unwrap().advance(SECOND * self.rng.u32(1..40)).unwrap(),
            12 => drop(self.queue.redrive(1).await.unwrap()),
            13 => {
                let job = self.rng.choice(self.jobs.keys().copied().collect::<Vec<_>>());
                let jobs: Vec<_> = job.into_iter().collect();
                self.queue.cancel(&jobs).await.unwrap();
            }
            _ => self.settle().await,
        }
    }

    async fn enqueue(&mut self) {
        for _ in 0..self.rng.usize(1..4) {
            let payload = self.rng.u64(..);
            let mut job = Job::new(payload).priority(self.rng.u8(..4));
            if self.rng.bool() {
                job = job.delay(SECOND * self.rng.u32(1..60));
            }
            if self.rng.bool() {
                job = job.unique_while_live(self.rng.u8(..20).to_string());
            }
            let enqueued = self.queue.enqueue(job).await.unwrap();
            if !enqueued.is_duplicate() {
                self.jobs.insert(enqueued.id(), payload);
            }
        }
    }

    /// Says something about a delivery; what is refused, as its lease is lost, changes nothing.
    async fn settle(&mut self) {
        if self.held.is_empty() {
            return;
        }
        let delivery = self.held.swap_remove(self.rng.usize(..self.held.len()));
        let after = Duration::from_secs(self.rng.u64(..30));
        let _ = match self.rng.u8(..6) {
            0 => delivery.retry(after).await,
            1 => delivery.snooze(after).await,
            2 => delivery.fail("by chance").await,
            3 => delivery.checkpoint_at(self.rng.u64(..9), "a state").await,
            _ => delivery.ack().await,
        };
    }
}
