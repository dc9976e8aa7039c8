//! The least that a crash-safe queue in a file can do: one table, leases that end by the date.
//!
//! It counts no attempts, knows no retry, no delay, no duplicates, no dead letters, and whoever's
//! lease has ended can still settle the job of its next holder.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv_core::{Clock, SystemClock};
use rusqlite::Connection;
use tokio::sync::mpsc;

use super::TASKS;
use crate::Result;
use crate::file::bare;
use crate::payload::{BATCH, SMALL, Tally, batches, body};
use crate::tasks::Background;

/// 30 seconds, in microseconds: the library's own.
const LEASE: i64 = 30_000_000;

const TABLE: &str = "
CREATE TABLE jobs(id INTEGER PRIMARY KEY AUTOINCREMENT, leased INTEGER, body BLOB NOT NULL);
CREATE INDEX jobs_leased ON jobs(leased, id)";

const CLAIM: &str = "
UPDATE jobs SET leased = ?1
WHERE id IN (SELECT id FROM jobs WHERE leased IS NULL ORDER BY id LIMIT ?2)
RETURNING id, body";

/// A queue by hand.
pub(super) struct Floor(Connection);

/// A job in hand.
struct Job {
    id: i64,
    body: Bytes,
}

impl Floor {
    pub(super) fn open(path: &Path) -> Result<Self> {
        let file = bare(path, "NORMAL")?;
        file.execute_batch(TABLE)?;
        Ok(Self(file))
    }

    /// How long so many jobs take, which are added before.
    pub(super) async fn process(mut self, jobs: u64) -> Result<Duration> {
        self.fill(jobs)?;
        let tally = Tally::new();
        let clock = SystemClock::new();
        self.hand_out(&tally).await?;
        let took = clock.now();
        tally.check(jobs)?;
        let left: i64 = self.0.query_row("SELECT count(*) FROM jobs", [], |row| row.get(0))?;
        if left == 0 { Ok(took) } else { Err(format!("{left} jobs are left").into()) }
    }

    fn fill(&mut self, jobs: u64) -> Result<()> {
        for batch in batches(jobs, BATCH, |id| body(id, SMALL)) {
            let all = self.0.transaction()?;
            for body in batch {
                all.prepare_cached("INSERT INTO jobs(body) VALUES(?1)")?.execute([&*body])?;
            }
            all.commit()?;
        }
        Ok(())
    }

    async fn hand_out(&mut self, tally: &Arc<Tally>) -> Result<()> {
        let (done, mut acks) = mpsc::channel(2 * TASKS);
        let (mut handlers, mut running) = (Vec::new(), Vec::new());
        for _ in 0..TASKS {
            let (handler, jobs) = mpsc::channel(1);
            handlers.push(handler);
            running.push(Background::start(handle(jobs, done.clone(), tally.clone())));
        }
        drop(done);
        let (mut acked, mut held) = (Vec::new(), 0);
        loop {
            // The runtime's other threads go on with the handlers.
            let jobs = tokio::task::block_in_place(|| self.exchange(&mut acked))?;
            held += jobs.len();
            if held == 0 {
                return Ok(());
            }
            for (handler, job) in handlers.iter().zip(jobs) {
                handler.send(job).await?;
            }
            held -= acks.recv_many(&mut acked, 2 * TASKS).await;
        }
    }

    /// Deletes what was done and leases the next, in one transaction.
    fn exchange(&mut self, acked: &mut Vec<i64>) -> Result<Vec<Job>> {
        let end = i64::try_from(SystemClock::new().wall().as_micros())? + LEASE;
        let all = self.0.transaction()?;
        for id in acked.drain(..) {
            all.prepare_cached("DELETE FROM jobs WHERE id = ?1")?.execute([id])?;
        }
        let job = |row: &rusqlite::Row<'_>| {
            let body = Bytes::copy_from_slice(row.get_ref(1)?.as_blob()?);
            Ok(Job { id: row.get(0)?, body })
        };
        let limit = i64::try_from(TASKS)?;
        let jobs = all
            .prepare_cached(CLAIM)?
            .query_map((end, limit), job)?
            .collect::<rusqlite::Result<Vec<_>>>()?;
        all.commit()?;
        Ok(jobs)
    }
}

async fn handle(mut jobs: mpsc::Receiver<Job>, done: mpsc::Sender<i64>, tally: Arc<Tally>) {
    while let Some(job) = jobs.recv().await {
        tally.note_body(&job.body);
        if done.send(job.id).await.is_err() {
            return;
        }
    }
}
