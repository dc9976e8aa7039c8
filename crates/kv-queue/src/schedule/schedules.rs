//! The schedules of a queue, as an operator uses them.

use std::fmt;
use std::sync::Arc;

use kv_core::queue::{NewJob, Unique, UniqueScope};
use kv_core::{Error, Result};

use super::record::{Record, ScheduleInfo, key_held};
use super::stored;
use crate::queue::{Enqueue, JobId, Queue, partition_for, placed};
use crate::requests::{Connection, Requests};

/// The schedules of a queue: a cheap handle.
///
/// ```
/// use kv_queue::{Cron, Queue};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let queue = Queue::<String>::open(&store, "reports").await?;
/// queue.schedule("daily", Cron::new("@daily", "UTC")?, "report".to_owned()).await?;
/// let schedules = queue.schedules();
/// schedules.pause("daily").await?;
/// assert!(schedules.list().await?[0].is_paused);
/// let job = schedules.run_now("daily").await?.expect("there is one");
/// assert_eq!(schedules.get("daily").await?.unwrap().history[0].job, Some(job));
/// assert!(schedules.remove("daily").await?);
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Clone)]
pub struct Schedules {
    requests: Arc<Requests>,
}

impl<T> Queue<T> {
    /// The schedules of this queue.
    pub fn schedules(&self) -> Schedules {
        Schedules { requests: Arc::clone(self.requests()) }
    }
}

impl Schedules {
    pub(super) fn connection(&self) -> &Connection {
        &self.requests.connection
    }

    /// All schedules, by name. One that cannot be read, for example because a later version has
    /// stored it, is left out, and the log says so.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn list(&self) -> Result<Vec<ScheduleInfo>> {
        let found = async {
            let names = stored::names(self.connection()).await?.names;
            let records = stored::records(self.connection(), names.iter()).await?;
            let info = |(name, record): (&str, Record)| {
                record.info(name).inspect_err(|error| stored::warn(self.connection(), name, error))
            };
            Ok(records.into_iter().filter_map(|found| info(found).ok()).collect())
        };
        found.await.map_err(|error: Error| error.operation("list schedules"))
    }

    /// A schedule, if there is one of this name.
    ///
    /// # Errors
    /// Those of the store.
    pub async fn get(&self, name: &str) -> Result<Option<ScheduleInfo>> {
        let found = async {
            let found = stored::record(self.connection(), name).await?;
            found.map(|(record, _)| record.info(name)).transpose()
        };
        found.await.map_err(|error| about(error, "get schedule", name))
    }

    /// Stops a schedule until [`resume`](Self::resume). Returns whether there is such a schedule.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// A dropped future may have paused the schedule.
    pub async fn pause(&self, name: &str) -> Result<bool> {
        let change = async {
            let paused = stored::change(self.connection(), name, |record| {
                record.is_paused = true;
                Ok(())
            });
            self.announce(name, paused.await?.is_some()).await
        };
        change.await.map_err(|error| about(error, "pause schedule", name))
    }

    /// Ends a pause. Due times within the pause are not made up for. Returns whether there is such a
    /// schedule.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// A dropped future may have ended the pause; running schedulers then see that within a minute.
    pub async fn resume(&self, name: &str) -> Result<bool> {
        let change = async {
            let now = stored::now(self.connection()).await?;
            let resumed = stored::change(self.connection(), name, |record| {
                let cron = record.definition.cron()?;
                record.resume(&cron, now);
                Ok(())
            });
            self.announce(name, resumed.await?.is_some()).await
        };
        change.await.map_err(|error| about(error, "resume schedule", name))
    }

    /// Enqueues the job of a schedule now, paused or not. Its due times stay as they are. Returns
    /// the job, or `None` if there is no such schedule.
    ///
    /// # Errors
    /// Those of the store. After an error that says `MaybeApplied` the job may be there; a repeated
    /// call would enqueue another.
    ///
    /// # Cancel safety
    /// A dropped future may have enqueued the job.
    pub async fn run_now(&self, name: &str) -> Result<Option<JobId>> {
        let run = async {
            let Some((record, _)) = stored::record(self.connection(), name).await? else {
                return Ok(None);
            };
            let job = self.submit(record.definition.job()).await?.id();
            let now = stored::now(self.connection()).await?;
            let remember = stored::change(self.connection(), name, |record| {
                record.remember(None, Some(job), now);
                Ok(())
            });
            remember.await.map_err(Error::maybe_applied)?;
            Ok(Some(job))
        };
        run.await.map_err(|error| about(error, "run schedule", name))
    }

    /// Removes a schedule with its history. Jobs that it has enqueued stay. Returns whether there was
    /// such a schedule.
    ///
    /// # Errors
    /// Those of the store.
    ///
    /// # Cancel safety
    /// A dropped future may have removed the schedule.
    pub async fn remove(&self, name: &str) -> Result<bool> {
        let removed = stored::remove(self.connection(), name).await;
        removed.map_err(|error| about(error, "remove schedule", name))
    }

    /// Makes running schedulers read the schedules again.
    async fn announce(&self, name: &str, is_there: bool) -> Result<bool> {
        if is_there {
            stored::list(self.connection(), name, true).await.map_err(Error::maybe_applied)?;
        }
        Ok(is_there)
    }

    /// Enqueues the job of a due time, unless it is there already.
    pub(super) async fn submit_once(
        &self,
        job: NewJob,
        name: &str,
        due: u64,
        next: Option<u64>,
    ) -> Result<JobId> {
        let scope = UniqueScope::Window(key_held(due, next));
        let unique = Unique { key: format!("kv-schedule:{due}:{name}"), scope };
        Ok(self.submit(NewJob { unique: Some(unique), ..job }).await?.id())
    }

    async fn submit(&self, job: NewJob) -> Result<Enqueue> {
        let number = partition_for(self.connection(), job.group.as_deref(), job.unique.as_ref());
        placed(number, &self.requests.submit(number, vec![job], false).await?)
    }
}

impl fmt::Debug for Schedules {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Schedules").field("queue", &self.connection().queue()).finish()
    }
}

pub(super) fn about(error: Error, operation: &'static str, name: &str) -> Error {
    error.operation(operation).key(name)
}
