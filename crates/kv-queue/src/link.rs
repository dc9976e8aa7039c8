//! What all handles of one open queue share: the engine, and requests that survive a lost reply.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::{
    Claim, Exchange, Exchanged, Handle, NewJob, Operation, Partition, Policy, QueueEngine, Submit,
    Submitted, Tend, Tended,
};
use kv_core::{Achieved, Durability, Effect, Error, ErrorKind, Result, Serializer, Store};
use tokio::runtime::Handle as Runtime;
use tokio::time::Instant;

use crate::exchanges::Exchanges;
use crate::lanes::Lanes;
use crate::retry::RetryPolicy;
use crate::worker::{Board, Ticket};

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

/// How many jobs a tend moves of each kind.
const TEND_LIMIT: usize = 100;

pub(crate) struct Link {
    pub(crate) engine: Arc<dyn QueueEngine>,
    /// Kept open for the engine: what a backend owns ends with its last handle.
    store: Store,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) settings: Settings,
    pub(crate) exchanges: Exchanges,
    /// The workers on this queue, as long as they run.
    boards: Mutex<Vec<Weak<Board>>>,
    lanes: Lanes,
    repeats: RetryPolicy,
    next: AtomicU32,
    /// When each partition was last tended from here.
    tended: Mutex<Vec<Option<Instant>>>,
    closed: AtomicBool,
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

impl Link {
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
            exchanges: Exchanges::new(partitions.len()),
            boards: Mutex::default(),
            partitions,
            settings,
            lanes: Lanes::new(),
            repeats,
            next: AtomicU32::new(0),
            closed: AtomicBool::new(false),
        }
    }

    pub(crate) fn close(&self) {
        self.closed.store(true, Ordering::Release);
        self.tell_workers(|board| board.poke());
    }

    /// Lets a worker take part in exchanges until it is dropped.
    pub(crate) fn register(&self, board: &Arc<Board>) {
        let mut boards = self.boards();
        boards.retain(|board| board.strong_count() > 0);
        boards.push(Arc::downgrade(board));
    }

    /// What a worker has to claim in a partition.
    pub(crate) fn reserve(&self, number: u32) -> Option<Ticket> {
        let boards = self.boards();
        let first = self.turn() % boards.len().max(1);
        let in_turn = boards.iter().cycle().skip(first).take(boards.len());
        in_turn.filter_map(Weak::upgrade).find_map(|board| board.reserve(number))
    }

    /// Where what serves all handles of the queue runs: with a worker, which lasts, if there is
    /// one.
    pub(crate) fn runtime(&self) -> Option<Runtime> {
        let of_worker = self.boards().iter().find_map(|it| Some(it.upgrade()?.runtime().clone()));
        of_worker.or_else(|| Runtime::try_current().ok())
    }

    /// Tells the workers that a job was put into a partition that is due after this time.
    pub(crate) fn tell_due(&self, number: u32, after: Duration) {
        self.tell_workers(|board| board.due(number, after));
    }

    fn tell_workers(&self, tell: impl Fn(&Arc<Board>)) {
        let boards: Vec<_> = self.boards().iter().filter_map(Weak::upgrade).collect();
        boards.iter().for_each(tell);
    }

    fn boards(&self) -> MutexGuard<'_, Vec<Weak<Board>>> {
        self.boards.lock().unwrap_or_else(PoisonError::into_inner)
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
        let start = self.turn() % self.partitions.len().max(1);
        self.partitions.iter().cycle().skip(start).take(self.partitions.len())
    }

    /// Rises by one each time.
    pub(crate) fn turn(&self) -> usize {
        usize::try_from(self.next.fetch_add(1, Ordering::Relaxed)).unwrap_or(0)
    }

    pub(crate) async fn submit(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
    ) -> Result<Vec<Submitted>> {
        self.submit_by(partition, jobs, |request| self.engine.submit(partition, request)).await
    }

    /// The same, and waits until copies have the jobs.
    pub(crate) async fn submit_durable(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let submit = |request| self.engine.submit_durable(partition, request, durability);
        self.submit_by(partition, jobs, submit).await
    }

    async fn submit_by<R, F, Fut>(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
        submit: F,
    ) -> Result<R>
    where
        F: Fn(Submit) -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.check_open()?;
        let due = jobs.iter().map(|job| job.delay).filter(|delay| !delay.is_zero()).min();
        let lane = self.lanes.take();
        let request = Submit { lane: Some(lane.clone()), jobs };
        let answer = self.once(self.insist(Patience::Long, || submit(request.clone()))).await?;
        self.lanes.give_back(lane);
        if let Some(after) = due {
            self.tell_due(partition.number, after);
        }
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
        let request = Tend { limit: TEND_LIMIT, policy: self.settings.policy };
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
