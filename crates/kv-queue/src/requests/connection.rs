//! The engine of one open queue: each request numbered, bounded in time, and repeated where its
//! reply was lost.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use kv_core::queue::{
    Claim, Exchange, Exchanged, Handle, MAX_BATCH, NewJob, Operation, Partition, Policy,
    QueueEngine, Submit, Submitted, Tend, Tended,
};
use kv_core::{Achieved, Durability, Effect, Error, ErrorKind, Result, Serializer, Store};
use tokio::time::Instant;

use super::lanes::Lanes;
use crate::retry::RetryPolicy;

/// How often a request is sent again that failed in passing, before the caller hears of it.
const REPEATS: u32 = 4;

/// For how long a request is repeated while the store is away.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Patience {
    /// A few times: who asks can look elsewhere, or later.
    Short,
    /// As long as the queue allows: nobody else can say it, and a failover takes seconds.
    Long,
}

/// The longest time for which claims alone are made.
const TEND_PAUSE: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) engine: Arc<dyn QueueEngine>,
    /// Kept open for the engine: what a backend owns ends with its last handle.
    store: Store,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) settings: Settings,
    lanes: Lanes,
    repeats: RetryPolicy,
    enqueued: Turns,
    dequeued: Turns,
    /// When each partition was last tended from here.
    tended: Mutex<Vec<Option<Instant>>>,
    closed: AtomicBool,
}

/// Whose turn it is. What takes turns for one purpose does not move the turns of another, and two
/// processes do not begin with the same one.
struct Turns(AtomicU32);

impl Turns {
    fn new() -> Self {
        Self(AtomicU32::new(fastrand::u32(..)))
    }

    fn next(&self) -> usize {
        usize::try_from(self.0.fetch_add(1, Ordering::Relaxed)).unwrap_or(0)
    }
}

/// What a queue's handle is configured with.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) lease: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_payload: usize,
    pub(crate) policy: Policy,
    pub(crate) retry: RetryPolicy,
}

impl Connection {
    pub(crate) fn new(
        engine: Arc<dyn QueueEngine>,
        store: Store,
        partitions: Vec<Partition>,
        settings: Settings,
    ) -> Self {
        let repeats =
            RetryPolicy::exponential(Duration::from_millis(50), Duration::from_millis(500));
        let tended = Mutex::new(vec![None; partitions.len()]);
        Self {
            engine,
            store,
            tended,
            partitions,
            settings,
            lanes: Lanes::new(),
            repeats,
            enqueued: Turns::new(),
            dequeued: Turns::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    /// The queue's name.
    pub(crate) fn queue(&self) -> &str {
        self.partitions.first().map_or("", |partition| &partition.queue)
    }

    pub(crate) fn serializer(&self) -> &Serializer {
        self.store.serializer()
    }

    pub(crate) fn check_open(&self) -> Result<()> {
        if self.store.is_closed() {
            return Err(Error::closed());
        }
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::new(ErrorKind::Closed, "the queue was closed"));
        }
        Ok(())
    }

    pub(crate) fn partition(&self, number: u32) -> Result<&Partition> {
        let found = usize::try_from(number).ok().and_then(|index| self.partitions.get(index));
        found.ok_or_else(|| {
            let message = format!(
                "partition {number} of a queue of {}; the job is of another queue",
                self.partitions.len()
            );
            Error::new(ErrorKind::InvalidKey, message)
        })
    }

    /// All partitions, beginning with another one each time, so that none is favoured.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Partition> + Clone {
        let start = self.dequeued.next() % self.partitions.len().max(1);
        self.partitions.iter().cycle().skip(start).take(self.partitions.len())
    }

    /// Which partition the next job goes to that may go to any: a number that rises.
    pub(crate) fn turn(&self) -> usize {
        self.enqueued.next()
    }

    pub(crate) async fn submit(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<Submitted>> {
        self.submit_by(jobs, |request| self.engine.submit(partition, request)).await
    }

    /// The same, and waits until copies have the jobs.
    pub(crate) async fn submit_durable(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let submit = |request| self.engine.submit_durable(partition, request, durability);
        self.submit_by(jobs, submit).await
    }

    async fn submit_by<R, F, Fut>(&self, jobs: Vec<NewJob>, submit: F) -> Result<R>
    where
        F: Fn(Submit) -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.check_open()?;
        let lane = self.lanes.take();
        let request = Submit { lane: Some(lane.clone()), jobs };
        let answer = self.once(self.insist(Patience::Long, || submit(request.clone()))).await?;
        self.lanes.give_back(lane);
        Ok(answer)
    }

    pub(crate) async fn exchange(
        &self,
        partition: &Partition,
        acks: Vec<Handle>,
        operations: Vec<(Handle, Operation)>,
        claim: Option<Claim>,
    ) -> Result<Exchanged> {
        let settles = !acks.is_empty() || !operations.is_empty();
        let patience = if settles { Patience::Long } else { Patience::Short };
        let lane = self.lanes.take();
        let policy = self.settings.policy;
        let request = Exchange { lane: lane.clone(), acks, operations, claim, policy };
        let send = || self.engine.exchange(partition, request.clone());
        let answer = self.once(self.insist(patience, send)).await?;
        self.lanes.give_back(lane);
        Ok(answer)
    }

    /// Whether to tend a partition before claiming from it: now and then, since a backlog of
    /// claimable jobs would otherwise keep what comes due or ends its lease from being seen.
    pub(crate) fn is_tend_due(&self, partition: &Partition) -> bool {
        let pause = (self.settings.lease / 3).min(TEND_PAUSE);
        let mut tended = self.tended.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(partition.number).unwrap_or(usize::MAX);
        let Some(last) = tended.get_mut(index) else { return false };
        let due = last.is_none_or(|last| last.elapsed() >= pause);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    pub(crate) async fn tend(&self, partition: &Partition) -> Result<Tended> {
        let request = Tend { limit: MAX_BATCH, policy: self.settings.policy };
        self.write(|| self.engine.tend(partition, request)).await
    }

    /// Reads, and repeats what fails in passing, within the queue's time.
    pub(crate) async fn read<R, F, Fut>(&self, send: F) -> Result<R>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.within(self.insist(Patience::Short, send)).await
    }

    /// Sends a request that does nothing twice, and repeats what fails in passing, within the
    /// queue's time.
    pub(crate) async fn write<R, F, Fut>(&self, send: F) -> Result<R>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.once(self.insist(Patience::Short, send)).await
    }

    /// Sends a request that is not to be repeated, within the queue's time.
    pub(crate) async fn once<R>(&self, verb: impl Future<Output = Result<R>>) -> Result<R> {
        self.within(verb).await.map_err(|error| match error.kind() {
            ErrorKind::Timeout => error.maybe_applied(),
            _ => error,
        })
    }

    /// Bounds a verb by the queue's time.
    async fn within<R>(&self, verb: impl Future<Output = Result<R>>) -> Result<R> {
        let limit = self.settings.timeout;
        tokio::time::timeout(limit, verb).await.unwrap_or_else(|_| {
            let message = format!("the store did not do it within {limit:?}");
            Err(Error::new(ErrorKind::Timeout, message))
        })
    }

    /// Repeats what fails in passing. It gives up before its time is over, so that the caller
    /// hears why.
    async fn insist<R, F, Fut>(&self, patience: Patience, send: F) -> Result<R>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        let (mut attempt, mut unknown, begin) = (0, false, Instant::now());
        loop {
            let error = match send().await {
                Ok(answer) => return Ok(answer),
                Err(error) => error,
            };
            attempt += 1;
            unknown |= error.effect() == Effect::MaybeApplied;
            let pause = self.repeats.delay(attempt);
            let is_over = match patience {
                Patience::Long if is_away(&error) => {
                    begin.elapsed() + pause >= self.settings.timeout
                }
                Patience::Long | Patience::Short => attempt > REPEATS,
            };
            if is_over || !is_passing(&error) {
                // What an earlier attempt may have done counts, whatever the last one says.
                return Err(if unknown { error.maybe_applied() } else { error });
            }
            tracing::debug!(attempt, kind = ?error.kind(), "queue request is repeated");
            tokio::time::sleep(pause).await;
        }
    }
}

/// Whether nobody answers: what is refused will hardly be taken soon.
fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

fn is_passing(error: &Error) -> bool {
    let lost = error.effect() == Effect::MaybeApplied;
    match error.kind() {
        ErrorKind::Connection | ErrorKind::Timeout => true,
        // A replica that was the primary a moment ago: the other one is being found.
        ErrorKind::ReadOnly => true,
        ErrorKind::Conflict => !lost,
        ErrorKind::Backend => lost,
        _ => false,
    }
}
