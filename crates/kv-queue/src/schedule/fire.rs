//! Firing what is due.

use std::collections::BTreeMap;
use std::time::Duration;

use kv_core::queue::{GroupLimit, Inspect, Inspected, State};
use kv_core::{Error, ErrorKind, Result};
use tokio::time::Instant;

use super::record::{Overlap, Record, Step, millis};
use super::schedules::{Schedules, about};
use super::stored;
use crate::queue::JobId;

/// How many due times of a schedule are dealt with before the others have their turn.
const MOST_AT_ONCE: usize = 100;

/// How long after reading a schedule its job may be enqueued; a fraction of the shortest time for
/// which a unique key is held.
const STALE: Duration = Duration::from_secs(600);

/// When a due time that waits for the end of a job asks again.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// What [`Schedules::fire_due`] did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Fired {
    /// How many jobs were enqueued, or found enqueued by a scheduler that ended before it could say
    /// so.
    pub fired: u64,
    /// How many due times were skipped as too late, or because the last job had not ended. Those
    /// between the first skipped one and the first that counts again are not counted.
    pub skipped: u64,
    /// How long until the next due time that is known; zero if more is due already.
    pub next: Option<Duration>,
}

impl Schedules {
    /// Deals with everything that is due now, and returns when the next due time is. A program that
    /// is itself started at times can call this in place of a running
    /// [`Scheduler`](super::Scheduler).
    ///
    /// ```
    /// use kv_queue::{Cron, Queue};
    /// use kv_testkit::ManualClock;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let clock = ManualClock::new();
    /// let memory = kv_memory::MemoryStore::builder().clock(clock.clone()).build();
    /// let queue = Queue::<u32>::open(&kv_core::Store::new(memory), "reports").await?;
    /// queue.schedule("hourly", Cron::new("@hourly", "UTC")?, 7).await?;
    /// clock.advance(Duration::from_secs(3_600));
    /// assert_eq!(queue.schedules().fire_due().await?.fired, 1);
    /// assert_eq!(queue.schedules().fire_due().await?.fired, 0);
    /// assert_eq!(queue.size().await?, 1);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// The first error, after all schedules have been tried.
    ///
    /// # Cancel safety
    /// A dropped future may have fired some schedules. Calling it again fires none of them twice.
    pub async fn fire_due(&self) -> Result<Fired> {
        let mut agenda = Agenda::default();
        agenda.read(self).await?;
        let (fired, error) = agenda.fire(self).await?;
        error.map_or(Ok(fired), Err)
    }

    /// Deals with the due times of one schedule. Returns its next due time.
    async fn fire(&self, name: &str, fired: &mut Fired) -> Result<Option<u64>> {
        let mut unwritten = None;
        for _ in 0..MOST_AT_ONCE {
            let read_at = Instant::now();
            let Some((mut record, version)) = stored::record(self.connection(), name).await? else {
                return Ok(None);
            };
            if let Some((due, job)) = unwritten
                && record.correct(due, job)
            {
                stored::replace(self.connection(), name, record, Some(version)).await?;
                continue;
            }
            let now = stored::now(self.connection()).await?;
            let (due, is_late) = match self.step(&record, now).await? {
                Step::Wait(next) => return Ok(next),
                Step::Fire(due) => (due, false),
                Step::Skip(due) => (due, true),
            };
            let changed = self.pass(name, record, due, is_late, now, read_at).await?;
            unwritten = changed.last_job()?.filter(|_| !is_late).map(|job| (due, job));
            if stored::replace(self.connection(), name, changed, Some(version)).await? {
                unwritten = None;
                let count = if is_late { &mut fired.skipped } else { &mut fired.fired };
                *count = count.saturating_add(1);
            }
            // Otherwise another scheduler or an operator was ahead: read again.
        }
        Ok(Some(0))
    }

    /// What there is to do at a time, beside the job of the last firing.
    async fn step(&self, record: &Record, now: u64) -> Result<Step> {
        let (step, overlap) = (record.step(now), record.definition.overlap);
        let Step::Fire(due) = step else { return Ok(step) };
        if overlap == Overlap::Allow || !self.is_outstanding(record.last_job()?).await? {
            return Ok(step);
        }
        Ok(match overlap {
            Overlap::Skip => Step::Skip(due),
            _ => Step::Wait(Some(now.saturating_add(millis(LOOK_AGAIN)))),
        })
    }

    /// Whether a job waits or runs.
    async fn is_outstanding(&self, job: Option<JobId>) -> Result<bool> {
        let (connection, Some(JobId { partition, key })) = (self.connection(), job) else {
            return Ok(false);
        };
        let partition = connection.partition(partition)?;
        let request = Inspect::Job { key, bytes: false, default: GroupLimit::new() };
        let look = || connection.engine.inspect(partition, request.clone());
        let Inspected::Job { job, .. } = connection.read(look).await? else {
            return Err(Error::new(ErrorKind::Backend, "the engine gave another answer"));
        };
        let state = job.map(|job| job.view.standing.state());
        Ok(matches!(state, Some(State::Ready | State::Delayed | State::Running)))
    }

    /// Enqueues the job of a due time unless it is too late. Returns the schedule as it goes on.
    async fn pass(
        &self,
        name: &str,
        mut record: Record,
        due: u64,
        is_late: bool,
        now: u64,
        read_at: Instant,
    ) -> Result<Record> {
        let cron = record.definition.cron()?;
        let mut job = None;
        if !is_late {
            if read_at.elapsed() > STALE {
                return Err(Error::new(ErrorKind::Timeout, "the process stood still meanwhile"));
            }
            let new = record.definition.job();
            let next = super::record::next(&cron, due);
            job = Some(self.submit_once(new, name, due, next).await?);
        }
        record.advance(due, job, &cron, now);
        Ok(record)
    }
}

/// What a scheduler knows of the due times.
#[derive(Debug, Default)]
pub(super) struct Agenda {
    /// The revision of the list at which the due times were read.
    revision: Option<u64>,
    due: BTreeMap<String, u64>,
}

impl Agenda {
    /// Reads the due times of all schedules.
    pub(super) async fn read(&mut self, schedules: &Schedules) -> Result<()> {
        let connection = schedules.connection();
        let names = stored::names(connection).await?;
        let records = stored::records(connection, names.names.iter()).await?;
        let due = |(name, record): (&str, Record)| match record.step(0) {
            Step::Wait(next) => Some((name.to_owned(), next?)),
            Step::Fire(due) | Step::Skip(due) => Some((name.to_owned(), due)),
        };
        self.due = records.into_iter().filter_map(due).collect();
        self.revision = Some(names.revision);
        Ok(())
    }

    /// Reads the due times again if a schedule was made, changed or removed.
    pub(super) async fn refresh(&mut self, schedules: &Schedules) -> Result<()> {
        let names = stored::names(schedules.connection()).await?;
        if self.revision == Some(names.revision) {
            return Ok(());
        }
        self.read(schedules).await
    }

    /// Fires what is due. Also returns the first error of a schedule: the others go on.
    pub(super) async fn fire(&mut self, schedules: &Schedules) -> Result<(Fired, Option<Error>)> {
        let now = stored::now(schedules.connection()).await?;
        let (mut fired, mut failed) = (Fired::default(), None);
        let due: Vec<String> =
            self.due.iter().filter(|(_, due)| **due <= now).map(|(name, _)| name.clone()).collect();
        for name in due {
            match schedules.fire(&name, &mut fired).await {
                Ok(Some(next)) => drop(self.due.insert(name, next)),
                Ok(None) => drop(self.due.remove(&name)),
                Err(error) => {
                    let error = about(error, "fire schedule", &name);
                    failed.get_or_insert(error);
                }
            }
        }
        let until = |due: &u64| Duration::from_millis(due.saturating_sub(now));
        fired.next = self.due.values().min().map(until);
        Ok((fired, failed))
    }
}
