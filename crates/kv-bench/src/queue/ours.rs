//! The library's queue on Redis or in a file, through the public API and through its engine.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::queue::{
    BATCH_BYTES, Claim, Exchange, GroupLimit, Handle, MAX_BATCH, Partition, Policy, QueueEngine,
    QueueSupport, Session,
};
use kv_core::{Error, Store};
use kv_queue::{Job, Queue, Worker};
use kv_redis::{RedisConfig, RedisStore};
use kv_sqlite::SqliteStore;

use crate::Result;
use crate::payload::{BATCH, Tally, batches, payload};
use crate::server::Bed;
use crate::tasks::{at_once, deal};
use crate::work::Work;

const NAME: &str = "bench";

/// A limit that is checked with each start and keeps nothing from starting.
const LIMIT: GroupLimit =
    GroupLimit::new().concurrency(1_000).rate(1_000_000, Duration::from_secs(1));

/// The queue's own, unless it is told another.
const LEASE: Duration = Duration::from_secs(30);

/// One open queue.
#[derive(Clone)]
pub(crate) struct Ours {
    pub(crate) store: Store,
    pub(crate) queue: Queue<String>,
    limit: GroupLimit,
}

impl Ours {
    pub(crate) async fn open(url: &str) -> Result<Self> {
        Self::open_with(url, 1, LEASE).await
    }

    /// The queue for jobs of this kind.
    async fn open_for(url: &str, kind: Kind) -> Result<Self> {
        let store = RedisStore::connect(RedisConfig::from_url(url)?).await?;
        Self::on(Store::new(store), 1, LEASE, kind.limit()).await
    }

    pub(crate) async fn open_with(url: &str, partitions: u32, lease: Duration) -> Result<Self> {
        let store = RedisStore::connect(RedisConfig::from_url(url)?).await?;
        Self::on(Store::new(store), partitions, lease, GroupLimit::new()).await
    }

    /// The queue in a file that is nobody else's.
    pub(crate) async fn in_file(path: &Path) -> Result<Self> {
        let store = Store::new(SqliteStore::open(path).await?);
        Self::on(store, 1, LEASE, GroupLimit::new()).await
    }

    async fn on(store: Store, partitions: u32, lease: Duration, limit: GroupLimit) -> Result<Self> {
        let builder = Queue::builder(NAME).partitions(partitions).lease(lease).group_limit(limit);
        Ok(Self { queue: builder.open(&store).await?, store, limit })
    }

    /// Adds the jobs 1 to `jobs`.
    pub(crate) async fn fill(&self, jobs: u64, bytes: usize) -> Result<()> {
        self.add(Kind::Plain, 1, jobs, bytes).await
    }

    /// Adds so many jobs, the first of which has this number.
    pub(crate) async fn add(&self, kind: Kind, first: u64, jobs: u64, bytes: usize) -> Result<()> {
        let batches = batches(jobs, BATCH, |id| kind.job(first + id - 1, bytes));
        at_once(deal(batches, 4), |share| add_all(self.queue.clone(), share)).await
    }

    /// The same as [`fill`](Self::fill), one after the other, so that it is known who is oldest.
    pub(crate) async fn fill_in_order(&self, jobs: u64, bytes: usize) -> Result<()> {
        add_all(self.queue.clone(), batches(jobs, BATCH, |id| Kind::Plain.job(id, bytes))).await
    }

    /// The engine, which the queue's API stands on.
    pub(crate) fn engine(&self) -> Result<Engine> {
        let QueueSupport::Native(engine) = self.store.inner().queue_engine() else {
            return Err("the backend has no engine of its own".into());
        };
        let queue = self.store.reserved_key("queue", NAME)?.into();
        let partition = Partition { queue, number: 0 };
        Ok(Engine { engine, partition, policy: Policy { group: self.limit, ..Policy::default() } })
    }
}

async fn add_all(queue: Queue<String>, batches: Vec<Vec<Job<String>>>) -> Result<()> {
    for batch in batches {
        queue.enqueue_many(batch).await?;
    }
    Ok(())
}

/// One partition, as the queue's API sees it.
#[derive(Clone)]
pub(crate) struct Engine {
    engine: Arc<dyn QueueEngine>,
    partition: Partition,
    policy: Policy,
}

impl Engine {
    /// Acks the jobs in hand and claims up to `limit`, one request after another on one session,
    /// until none is left or `most` were claimed.
    pub(crate) async fn process(&self, limit: usize, most: u64, tally: &Tally) -> Result<()> {
        let mut session =
            Session { name: format!("{:032x}", fastrand::u128(..)).into(), request: 0 };
        let (mut acks, mut claimed): (Vec<Handle>, u64) = (Vec::new(), 0);
        loop {
            session.request += 1;
            let claim =
                (claimed < most).then_some(Claim { limit, bytes: BATCH_BYTES, lease: LEASE });
            let request = Exchange {
                session: session.clone(),
                acks: std::mem::take(&mut acks),
                operations: Vec::new(),
                claim,
                policy: self.policy,
            };
            let answer = self.engine.exchange(&self.partition, request).await?;
            if answer.claimed.is_empty() {
                return Ok(());
            }
            for job in answer.claimed {
                tally.note_body(&job.body);
                acks.push(job.handle);
                claimed += 1;
            }
        }
    }
}

/// How the library's queue is worked on.
pub(crate) enum How {
    /// Each task acks its job and claims the next one in one request of the engine.
    Engine,
    /// Each task takes a job and acks it: `dequeue(1)`, `ack()`.
    Calls,
    /// `Worker`, which shares requests among its handlers.
    Worker,
}

/// Processes what waits, so many at a time.
pub(crate) struct Process {
    pub(crate) how: How,
    pub(crate) kind: Kind,
    pub(crate) tasks: usize,
    pub(crate) bytes: usize,
}

/// What was prepared to be processed.
pub(crate) struct Filled {
    ours: Ours,
    tally: Arc<Tally>,
}

#[async_trait]
impl Work for Process {
    type Ready = Filled;

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Filled> {
        self.fill(Ours::open_for(&bed.url(), self.kind).await?, jobs).await
    }

    async fn run(&self, ready: &mut Filled) -> Result<Option<Duration>> {
        self.process(ready).await.map(|()| None)
    }

    async fn check(&self, _: &Bed, ready: Filled, jobs: u64) -> Result<()> {
        ready.check(jobs).await
    }
}

impl Process {
    /// Adds what is to be processed.
    pub(crate) async fn fill(&self, ours: Ours, jobs: u64) -> Result<Filled> {
        ours.add(self.kind, 1, jobs, self.bytes).await?;
        Ok(Filled { ours, tally: Tally::new() })
    }

    /// Processes all of it.
    pub(crate) async fn process(&self, ready: &Filled) -> Result<()> {
        let Filled { ours, tally } = ready;
        match self.how {
            How::Engine => {
                let engine = ours.engine()?;
                at_once(0..self.tasks, |_| {
                    let (engine, tally) = (engine.clone(), tally.clone());
                    async move { engine.process(1, u64::MAX, &tally).await }
                })
                .await?;
            }
            How::Calls => {
                at_once(0..self.tasks, |_| call(ours.queue.clone(), tally.clone())).await?;
            }
            How::Worker => {
                let tally = tally.clone();
                let worker = Worker::new(ours.queue.clone()).concurrency(self.tasks);
                let handler = move |delivery: kv_queue::Delivery<String>| {
                    tally.note(delivery.payload());
                    std::future::ready(Ok::<(), Error>(()))
                };
                worker.until_drained().run(handler).await?;
            }
        }
        Ok(())
    }
}

impl Filled {
    /// Fails unless each job was done once.
    pub(crate) async fn check(self, jobs: u64) -> Result<()> {
        self.tally.check(jobs)?;
        let stats = self.ours.queue.stats().await?;
        if stats.outstanding() == 0 && stats.dead == 0 && stats.done == jobs {
            return Ok(());
        }
        Err(format!("not all is done: {stats:?}").into())
    }
}

async fn call(queue: Queue<String>, tally: Arc<Tally>) -> Result<()> {
    loop {
        let deliveries = queue.dequeue(1).await?;
        let Some(delivery) = deliveries.first() else { return Ok(()) };
        tally.note(delivery.payload());
        delivery.ack().await?;
    }
}

/// What jobs are like.
#[derive(Clone, Copy)]
pub(crate) enum Kind {
    Plain,
    /// With a unique key each.
    Unique,
    /// In one of [`GROUPS`](Self::GROUPS) groups each.
    Grouped,
}

impl Kind {
    /// How long a unique key is.
    pub(crate) const KEY_BYTES: usize = 41;

    /// How many groups there are.
    pub(crate) const GROUPS: u64 = 1_000;

    fn limit(self) -> GroupLimit {
        match self {
            Self::Grouped => LIMIT,
            Self::Plain | Self::Unique => GroupLimit::new(),
        }
    }

    fn job(self, id: u64, bytes: usize) -> Job<String> {
        let job = Job::new(payload(id, bytes));
        match self {
            Self::Plain => job,
            Self::Grouped => job.group(format!("host-{:03}.example.test", id % Self::GROUPS)),
            Self::Unique => job.unique(format!("https://example.test/catalogue/{id:010}")),
        }
    }
}

/// So many tasks, each of which adds its share.
pub(crate) struct Add {
    pub(crate) kind: Kind,
    /// How many jobs a call adds: one by `enqueue`, more by `enqueue_many`.
    pub(crate) batch: u64,
    pub(crate) tasks: usize,
    pub(crate) bytes: usize,
}

/// What was prepared to be added.
pub(crate) struct Batches {
    ours: Ours,
    shares: Vec<Vec<Vec<Job<String>>>>,
}

#[async_trait]
impl Work for Add {
    type Ready = Batches;

    fn takes_memory(&self) -> bool {
        true
    }

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Batches> {
        let ours = Ours::open(&bed.url()).await?;
        let batches = batches(jobs, self.batch, |id| self.kind.job(id, self.bytes));
        Ok(Batches { ours, shares: deal(batches, self.tasks) })
    }

    async fn run(&self, ready: &mut Batches) -> Result<Option<Duration>> {
        let queue = &ready.ours.queue;
        let shares = std::mem::take(&mut ready.shares);
        match self.batch {
            1 => at_once(shares, |share| add_each(queue.clone(), share)).await?,
            _ => at_once(shares, |share| add_all(queue.clone(), share)).await?,
        }
        Ok(None)
    }

    async fn check(&self, _: &Bed, ready: Batches, jobs: u64) -> Result<()> {
        let stats = ready.ours.queue.stats().await?;
        if stats.ready == jobs && stats.entered == jobs {
            return Ok(());
        }
        Err(format!("not all is there: {stats:?}").into())
    }
}

async fn add_each(queue: Queue<String>, batches: Vec<Vec<Job<String>>>) -> Result<()> {
    for job in batches.into_iter().flatten() {
        queue.enqueue(job).await?;
    }
    Ok(())
}

const _: () = assert!(BATCH <= MAX_BATCH as u64, "a batch is one request");

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_unique_key_has_the_length_that_is_told() {
        let job = format!("{:?}", Kind::Unique.job(7, 200));
        let key = "https://example.test/catalogue/0000000007";
        assert!(job.contains(key) && key.len() == Kind::KEY_BYTES, "{job}");
    }
}
