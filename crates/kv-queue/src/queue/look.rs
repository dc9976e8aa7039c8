//! Asking about jobs: one by its id, and those in a state a page at a time.

use std::sync::Arc;

use kv_core::queue::{
    Inspect, Inspected, JobPage, ListPlace, MAX_BATCH, State, Unique, UniqueScope, check_group,
};
use kv_core::{Error, ErrorKind, Result};

use super::enqueue::{checked, partition_for, partition_of};
use super::handle::Queue;
use super::info::{JobInfo, JobStatus};
use super::job::JobId;
use super::operate::unexpected;

/// How many jobs a page has unless it is asked for more or fewer.
const PAGE: usize = 100;

/// Which jobs of a state, and how many of them.
///
/// ```
/// use kv_queue::JobFilter;
/// let first = JobFilter::new().group("example.org").limit(20);
/// # let _ = first;
/// ```
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JobFilter {
    pub(super) group: Option<String>,
    pub(super) after: Option<String>,
    pub(super) limit: usize,
}

impl Default for JobFilter {
    fn default() -> Self {
        Self::new()
    }
}

impl JobFilter {
    /// All jobs, up to 100 in a page.
    pub const fn new() -> Self {
        Self { group: None, after: None, limit: PAGE }
    }

    /// Only jobs of this group.
    #[must_use]
    pub fn group(self, group: impl Into<String>) -> Self {
        Self { group: Some(group.into()), ..self }
    }

    /// Begins where the last page ended, as its [`next`](Jobs::next) says.
    #[must_use]
    pub fn after(self, next: impl Into<String>) -> Self {
        Self { after: Some(next.into()), ..self }
    }

    /// At most this many jobs in a page: from 1 to 1,000.
    #[must_use]
    pub fn limit(self, jobs: usize) -> Self {
        Self { limit: jobs, ..self }
    }
}

/// A page of jobs, from [`Queue::list`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Jobs {
    /// The jobs.
    pub jobs: Vec<JobInfo>,
    /// Where the next page begins, for [`JobFilter::after`]; `None` after the last page.
    pub next: Option<String>,
}

impl<T> Queue<T> {
    /// Everything that is stored of a job; `None` if the queue has no such job: it never had one,
    /// the job was cancelled, or it is done and not [kept](crate::QueueBuilder::keep_done).
    ///
    /// To find the lease of a running job may cost as much as there are running jobs.
    ///
    /// ```
    /// # use std::time::Duration;
    /// # use kv_queue::{DelayedBy, Job, JobStatus, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "mail").await?;
    /// let id = queue.enqueue(1).await?.id();
    /// queue.dequeue(1).await?[0].retry(Duration::from_secs(60)).await?;
    /// let job = queue.job(id).await?.unwrap();
    /// assert!(matches!(job.status, JobStatus::Delayed { why: DelayedBy::Retry, .. }));
    /// assert_eq!((job.attempt, job.detail.unwrap().history.len()), (2, 1));
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidKey` for an id of another queue; those of the store.
    pub async fn job(&self, id: JobId) -> Result<Option<JobInfo>> {
        let Some(mut job) = self.look_up("job", id, true).await? else { return Ok(None) };
        if let JobStatus::Running { worker, .. } = &mut job.status {
            *worker = self.worker_of(id).await;
        }
        Ok(Some(job))
    }

    pub(super) async fn look_up(
        &self,
        verb: &'static str,
        id: JobId,
        bytes: bool,
    ) -> Result<Option<JobInfo>> {
        let named = |error: Error| error.operation(verb).key(&id.to_string());
        let partition = self.connection().partition(id.partition).map_err(named)?;
        let default = self.connection().settings.policy.group;
        let request = Inspect::Job { key: id.key, bytes, default };
        match self.inspect(verb, partition, request).await.map_err(named)? {
            Inspected::Job { now, job } => {
                Ok(job.map(|job| JobInfo::of_detail(id.partition, now, *job)))
            }
            _ => Err(named(unexpected())),
        }
    }

    /// The job that holds a unique key of jobs without a group: the one that
    /// [`enqueue`](Self::enqueue) would return as [`Duplicate`](crate::Enqueue::Duplicate); `None` if
    /// the key is free. A key that outlives its job names a job that [`job`](Self::job) may no longer
    /// find.
    ///
    /// ```
    /// # use kv_queue::{Job, Queue};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "mail").await?;
    /// let id = queue.enqueue(Job::new(1).unique_while_live("order 7")).await?.id();
    /// assert_eq!(queue.find_unique("order 7").await?, Some(id));
    /// assert_eq!(queue.find_unique("order 8").await?, None);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidKey` for an empty key; those of the store.
    pub async fn find_unique(&self, key: &str) -> Result<Option<JobId>> {
        self.holder(key, None).await
    }

    /// The job of a group that holds a unique key, as [`find_unique`](Self::find_unique) finds one
    /// without a group: a key is unique within its group.
    ///
    /// # Errors
    /// `InvalidKey` for an empty key, or a name that no group can have; those of the store.
    pub async fn find_unique_in(&self, group: &str, key: &str) -> Result<Option<JobId>> {
        check_group(group).map_err(|error| error.operation("find_unique").key(group))?;
        self.holder(key, Some(group)).await
    }

    async fn holder(&self, key: &str, group: Option<&str>) -> Result<Option<JobId>> {
        let verb = "find_unique";
        let unique = Unique { key: key.to_owned(), scope: UniqueScope::Live };
        let unique = checked(unique, group).map_err(|error| error.operation(verb))?;
        let number = partition_for(self.connection(), group, Some(&unique));
        let partition = self.connection().partition(number)?;
        let request = Inspect::Unique { key: unique.key.into() };
        match self.inspect(verb, partition, request).await? {
            Inspected::Unique(key) => Ok(key.map(|key| JobId { partition: number, key })),
            _ => Err(unexpected().operation(verb)),
        }
    }

    /// A page of the jobs in a state, partition by partition: ready jobs in the order of claims,
    /// with those of groups after the others by the name of the group; the others by their time. A
    /// page costs what it shows, however many jobs there are.
    ///
    /// With a group, a page of any state but [`State::Ready`] examines up to 1,000 jobs. So a page
    /// may be empty although it is not the last.
    ///
    /// ```
    /// # use kv_queue::{JobFilter, Queue, State};
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "mail").await?;
    /// queue.enqueue_many([1, 2, 3]).await?;
    /// let first = queue.list(State::Ready, JobFilter::new().limit(2)).await?;
    /// let next = JobFilter::new().after(first.next.unwrap());
    /// assert_eq!(first.jobs.len() + queue.list(State::Ready, next).await?.jobs.len(), 3);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    ///
    /// # Errors
    /// `InvalidKey` for a filter with the place of another list, or a name that no group can have;
    /// `TooLarge` for a limit above 1,000; those of the store.
    pub async fn list(&self, state: State, filter: JobFilter) -> Result<Jobs> {
        self.page(state, &filter).await.map_err(|error| error.operation("list"))
    }

    pub(super) async fn page(&self, state: State, filter: &JobFilter) -> Result<Jobs> {
        if filter.limit > MAX_BATCH {
            let message = format!("{} jobs in a page; expected 1 to {MAX_BATCH}", filter.limit);
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let (first, last) = self.range_of(filter)?;
        let (mut number, mut after) = match &filter.after {
            Some(place) => parse(place)?,
            None => (first, None),
        };
        let mut jobs = Vec::new();
        let limit = filter.limit.max(1);
        while number <= last {
            let page = self.page_of(number, state, filter, after, limit - jobs.len()).await?;
            let now = page.now;
            jobs.extend(page.jobs.into_iter().map(|job| JobInfo::of_view(number, now, job)));
            // It has as many jobs as it may, or it examined many in vain.
            if let Some(place) = page.next {
                return Ok(Jobs { jobs, next: Some(format!("{number}/{place}")) });
            }
            if number < last && jobs.len() >= limit {
                return Ok(Jobs { jobs, next: Some(format!("{}/", number + 1)) });
            }
            (number, after) = (number + 1, None);
        }
        Ok(Jobs { jobs, next: None })
    }

    async fn page_of(
        &self,
        number: u32,
        state: State,
        filter: &JobFilter,
        after: Option<ListPlace>,
        limit: usize,
    ) -> Result<JobPage> {
        let partition = self.connection().partition(number)?;
        let group = filter.group.as_deref().map(Arc::from);
        let request = Inspect::List { state, group, after, limit };
        match self.inspect("list", partition, request).await? {
            Inspected::List(page) => Ok(page),
            _ => Err(unexpected()),
        }
    }

    /// The first and the last partition that may have jobs of a filter.
    fn range_of(&self, filter: &JobFilter) -> Result<(u32, u32)> {
        let partitions = self.connection().partitions.len();
        if let Some(group) = &filter.group {
            check_group(group).map_err(|error| error.key(group))?;
            let number = partition_of(group.as_bytes(), partitions);
            return Ok((number, number));
        }
        Ok((0, u32::try_from(partitions.saturating_sub(1)).unwrap_or(u32::MAX)))
    }
}

/// A partition, and a place in its list.
fn parse(place: &str) -> Result<(u32, Option<ListPlace>)> {
    let wrong = || {
        let message = "no place in a list of jobs; expected one that a page returned";
        Error::new(ErrorKind::InvalidKey, message)
    };
    let (number, place) = place.split_once('/').ok_or_else(wrong)?;
    let number = number.parse().map_err(|_| wrong())?;
    let place = if place.is_empty() { None } else { Some(place.parse()?) };
    Ok((number, place))
}
