//! Making a schedule.

use std::marker::PhantomData;
use std::sync::Arc;

use futures_util::future::{BoxFuture, FutureExt};
use kv_core::queue::{MAX_PRIORITY, check_group};
use kv_core::{Error, ErrorKind, Result};
use serde::Serialize;

use super::cron::Cron;
use super::record::{Definition, Misfire, Overlap, Record, ScheduleInfo};
use super::stored;
use crate::queue::{Job, Queue};
use crate::requests::{Connection, Requests};

/// How many times a schedule is written that others change at the same moment.
const MOST_TRIES: usize = 32;

impl<T: Serialize> Queue<T> {
    /// Has this job enqueued at the times of a cron expression, as long as some process runs a
    /// [`Scheduler`](super::Scheduler) of this queue. Each due time gives one job, whatever number of
    /// schedulers runs and whenever they are killed.
    ///
    /// The schedule is stored under its name, and outlives the process. A program that calls this at
    /// each start changes nothing if the schedule is the same; another expression, zone, policy or
    /// job replaces the stored one, and the history and a pause stay.
    ///
    /// The job's priority, time to live and delay apply to each firing. Await the value to store the
    /// schedule.
    ///
    /// ```
    /// use kv_queue::{Cron, Misfire, Queue};
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<String>::open(&store, "reports").await?;
    /// let cron = Cron::new("30 2 * * *", "Europe/London")?;
    /// queue.schedule("daily", cron, "daily report".to_owned()).misfire(Misfire::Skip).await?;
    /// let schedule = queue.schedules().get("daily").await?.expect("stored");
    /// assert!(schedule.next.is_some() && !schedule.is_paused);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn schedule(
        &self,
        name: impl Into<String>,
        cron: Cron,
        job: impl Into<Job<T>>,
    ) -> NewSchedule<'_> {
        let name = name.into();
        let definition = stored::check(self.connection(), &name)
            .and_then(|()| definition(self.connection(), &cron, job.into()));
        let requests = Arc::clone(self.requests());
        NewSchedule { requests, name, cron, definition, queue: PhantomData }
    }
}

/// A schedule to be stored; await it.
#[must_use = "a schedule is stored when it is awaited"]
pub struct NewSchedule<'a> {
    requests: Arc<Requests>,
    name: String,
    cron: Cron,
    definition: Result<Definition>,
    queue: PhantomData<&'a ()>,
}

impl NewSchedule<'_> {
    /// What happens to due times that passed while no scheduler ran: by default one job makes up for
    /// all of them.
    pub fn misfire(mut self, misfire: Misfire) -> Self {
        self.definition = self.definition.map(|it| Definition { misfire, ..it });
        self
    }

    /// What happens to a due time while the job of the last firing, or of the last
    /// [`run_now`](super::Schedules::run_now), waits or runs: by default its job is enqueued all the
    /// same. However many schedulers run, they enqueue no job beside another.
    ///
    /// ```
    /// use kv_queue::{Cron, Overlap, Queue};
    /// use kv_testkit::ManualClock;
    /// use std::time::Duration;
    ///
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// let clock = ManualClock::new();
    /// let memory = kv_memory::MemoryStore::builder().clock(clock.clone()).build();
    /// let queue = Queue::<u32>::open(&kv_core::Store::new(memory), "reports").await?;
    /// queue.schedule("hourly", Cron::new("@hourly", "UTC")?, 7).overlap(Overlap::Skip).await?;
    /// let mut fired = Vec::new();
    /// for _ in 0..2 {
    ///     clock.advance(Duration::from_secs(3_600));
    ///     fired.push(queue.schedules().fire_due().await?.fired);
    /// }
    /// assert_eq!(fired, [1, 0], "nobody has done the first");
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn overlap(mut self, overlap: Overlap) -> Self {
        self.definition = self.definition.map(|it| Definition { overlap, ..it });
        self
    }

    /// Stores the schedule first and lists it then: a schedule without a name on the list does
    /// nothing, and the next call puts it there.
    async fn store(self) -> Result<ScheduleInfo> {
        let (connection, definition) = (&self.requests.connection, self.definition?);
        for _ in 0..MOST_TRIES {
            let now = stored::now(connection).await?;
            let found = stored::record(connection, &self.name).await?;
            let (record, version) = match found {
                Some((record, _)) if record.definition == definition => {
                    let is_listed = stored::names(connection).await?.names.contains(&self.name);
                    if !is_listed {
                        stored::list(connection, &self.name, true).await?;
                    }
                    return record.info(&self.name);
                }
                Some((mut record, version)) => {
                    record.redefine(definition.clone(), &self.cron, now);
                    (record, Some(version))
                }
                None => (Record::new(definition.clone(), &self.cron, now), None),
            };
            let info = record.info(&self.name)?;
            if stored::replace(connection, &self.name, record, version).await? {
                stored::list(connection, &self.name, true).await.map_err(Error::maybe_applied)?;
                return Ok(info);
            }
        }
        Err(Error::new(ErrorKind::Conflict, "others change the schedule at the same moment"))
    }
}

impl<'a> IntoFuture for NewSchedule<'a> {
    type Output = Result<ScheduleInfo>;
    type IntoFuture = BoxFuture<'a, Self::Output>;

    fn into_future(self) -> Self::IntoFuture {
        let name = self.name.clone();
        let named = move |error: Error| error.operation("schedule").key(&name);
        async move { self.store().await.map_err(named) }.boxed()
    }
}

impl std::fmt::Debug for NewSchedule<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("NewSchedule").field("name", &self.name).field("cron", &self.cron).finish()
    }
}

fn definition<T: Serialize>(
    connection: &Connection,
    cron: &Cron,
    job: Job<T>,
) -> Result<Definition> {
    let Job { payload, priority, delay, run_at, unique, time_to_live, group } = job;
    group.as_deref().map_or(Ok(()), check_group)?;
    let wrong = |kind, message: String| Err(Error::new(kind, message));
    if unique.is_some() || run_at.is_some() {
        let what = "a scheduled job with a unique key or a date of its own; expected neither";
        return wrong(ErrorKind::Config, what.to_owned());
    }
    if time_to_live.is_some_and(|time| time.is_zero()) {
        let what = "a time to live of zero; expected a time, or none for no end";
        return wrong(ErrorKind::InvalidTtl, what.to_owned());
    }
    if priority > MAX_PRIORITY {
        return wrong(
            ErrorKind::TooLarge,
            format!("priority {priority}; expected 0 to {MAX_PRIORITY}"),
        );
    }
    let body = connection.serializer().encode(&payload)?;
    let limit = connection.settings.max_payload;
    if body.len() > limit {
        let bytes = body.len();
        return wrong(
            ErrorKind::TooLarge,
            format!("a payload of {bytes} bytes; expected at most {limit}"),
        );
    }
    let (expression, zone) = (cron.expression().to_owned(), cron.zone().to_owned());
    let (misfire, overlap, body) = (Misfire::default(), Overlap::default(), body.to_vec());
    Ok(Definition {
        expression,
        zone,
        misfire,
        priority,
        delay,
        time_to_live,
        group,
        body,
        overlap,
    })
}
