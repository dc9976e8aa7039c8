//! The engine of one open queue: each request numbered, bounded in time, and repeated where its
//! reply was lost.

mod unanswered;

use std::pin::pin;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv_core::queue::{
    Claim, Exchange, Exchanged, Handle, MAX_BATCH, Maintain, Maintained, NewJob, Operation,
    Partition, Policy, QueueEngine, Submit, Submitted,
};
use kv_core::{Achieved, Clock, Durability, Error, ErrorKind, Result, Serializer, Store};
use tokio::time::Instant;

use super::budget::Budget;
use super::repeats::{Patience, Repeats};
use super::sessions::Sessions;
use crate::retry::RetryPolicy;
use unanswered::{UnansweredClaims, WatchedClaim};

/// The longest time for which a partition is claimed from without maintenance.
const MAINTENANCE_PAUSE: Duration = Duration::from_secs(1);

/// How long a request reserves room for the bytes that it expects.
const PATIENCE: Duration = Duration::from_secs(1);

pub(crate) struct Connection {
    pub(crate) engine: Arc<dyn QueueEngine>,
    /// Kept open for the engine: what a backend owns ends with its last handle.
    store: Store,
    /// Tells the date if the store has no clock.
    clock: Arc<dyn Clock>,
    pub(crate) partitions: Vec<Partition>,
    pub(crate) settings: Settings,
    sessions: Sessions,
    repeats: Repeats,
    budget: Budget,
    unanswered: UnansweredClaims,
    /// For each partition, whether the last claim took long.
    is_late: Box<[AtomicBool]>,
    enqueued: Turns,
    dequeued: Turns,
    /// When this handle last maintained each partition.
    maintained: Mutex<Vec<Option<Instant>>>,
    closed: AtomicBool,
}

/// Whose turn it is. Each purpose has its own turns, and each process begins with another turn.
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
    /// The queue's name, for logs.
    pub(crate) name: Arc<str>,
    pub(crate) lease: Duration,
    pub(crate) timeout: Duration,
    pub(crate) max_payload: usize,
    pub(crate) policy: Policy,
    pub(crate) retry: RetryPolicy,
    /// Whether the time of each submission is kept.
    pub(crate) note_times: bool,
    pub(crate) undecodable: Undecodable,
    #[cfg(feature = "testing")]
    pub(crate) recorder: Option<crate::testing::Recorder>,
}

/// What happens to a job whose payload does not decode.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Undecodable {
    /// The job has failed, as if its handler had failed: it is tried again later, and becomes a
    /// dead letter with its bytes when its budget of failures is spent. Meanwhile a wrong deploy
    /// can be corrected.
    #[default]
    Retry,
    /// The job becomes a dead letter at once, with its bytes.
    Bury,
}

impl Connection {
    pub(crate) fn new(
        engine: Arc<dyn QueueEngine>,
        store: Store,
        clock: Arc<dyn Clock>,
        partitions: Vec<Partition>,
        settings: Settings,
    ) -> Self {
        let repeats = Repeats::new(&settings.name, settings.timeout);
        let is_late = partitions.iter().map(|_| AtomicBool::new(false)).collect();
        let maintained = Mutex::new(vec![None; partitions.len()]);
        Self {
            engine,
            store,
            clock,
            maintained,
            partitions,
            settings,
            sessions: Sessions::new(),
            repeats,
            budget: Budget::new(),
            unanswered: UnansweredClaims::default(),
            is_late,
            enqueued: Turns::new(),
            dequeued: Turns::new(),
            closed: AtomicBool::new(false),
        }
    }

    pub(super) fn close(&self) {
        self.closed.store(true, Ordering::Release);
    }

    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The date by the store's clock, since 1970-01-01T00:00:00Z.
    pub(crate) async fn now(&self) -> Result<Duration> {
        match self.read(|| self.store.inner().now()).await {
            Err(error) if error.kind() == ErrorKind::Unsupported => Ok(self.clock.wall()),
            now => now,
        }
    }

    /// The queue's name, as the program gave it.
    pub(crate) fn queue(&self) -> &str {
        &self.settings.name
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

    /// All partitions, each time from another first one, so that none is favoured.
    pub(crate) fn in_turn(&self) -> impl Iterator<Item = &Partition> + Clone {
        let start = self.dequeued.next() % self.partitions.len().max(1);
        self.partitions.iter().cycle().skip(start).take(self.partitions.len())
    }

    /// A rising number that chooses the partition of the next job without a unique key.
    pub(crate) fn turn(&self) -> usize {
        self.enqueued.next()
    }

    /// Adds jobs.
    pub(super) async fn submit(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
        fail_fast: bool,
    ) -> Result<Vec<Submitted>> {
        self.submit_by(jobs, fail_fast, |it| self.engine.submit(partition, it)).await
    }

    /// The same, and waits until copies have the jobs.
    pub(super) async fn submit_durable(
        &self,
        partition: &Partition,
        jobs: Vec<NewJob>,
        fail_fast: bool,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let submit = |it| self.engine.submit_durable(partition, it, durability);
        self.submit_by(jobs, fail_fast, submit).await
    }

    async fn submit_by<R, F, Fut>(&self, jobs: Vec<NewJob>, fail_fast: bool, submit: F) -> Result<R>
    where
        F: Fn(Submit) -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.check_open()?;
        let patience =
            if fail_fast { Patience::None } else { Patience::Long(self.settings.timeout) };
        let bytes = jobs.iter().map(|job| job.body.len()).sum();
        self.budget.learn_of_jobs(jobs.iter().map(|job| job.body.len()));
        let session = self.sessions.take();
        let request = Submit { session: Some(session.clone()), jobs };
        let sent = async {
            let _under_way = self.budget.admit(bytes).await;
            self.repeats.insist(patience, |_| self.learning(submit(request.clone()))).await
        };
        let answer = self.repeats.write(sent).await?;
        self.sessions.give_back(session);
        Ok(answer)
    }

    /// Settles, and claims up to this many jobs.
    ///
    /// Settles are repeated for as long as a lease lasts, since a finished job must not run again.
    /// After each timeout a repeated claim asks for half as many bytes. A claim without an answer
    /// is withdrawn in the background: its jobs never began.
    ///
    /// # Cancel safety
    /// A dropped future withdraws its claim, and may still settle.
    pub(super) async fn exchange(
        self: &Arc<Self>,
        partition: &Partition,
        acks: Vec<Handle>,
        operations: Vec<(Handle, Operation)>,
        limit: usize,
    ) -> Result<Exchanged> {
        let Settings { lease, timeout, policy, .. } = self.settings;
        let settles = !acks.is_empty() || !operations.is_empty();
        let patience = if settles { Patience::Long(lease.max(timeout)) } else { Patience::Short };
        let bytes = self.budget.size();
        let claim = (limit > 0).then_some(Claim { limit, bytes, lease });
        let session = self.sessions.take();
        let request =
            Arc::new(Exchange { session: session.clone(), acks, operations, claim, policy });
        let under_way = WatchedClaim::of(self, partition, &request);
        let timeouts = AtomicU32::new(0);
        let send = |_| async {
            let request = asking_for_less(&request, timeouts.load(Ordering::Relaxed));
            let sent = self.engine.exchange(partition, request);
            let answer = self.learning(self.repeats.write(sent)).await;
            let is_timeout = matches!(&answer, Err(error) if error.kind() == ErrorKind::Timeout);
            timeouts.fetch_add(u32::from(is_timeout), Ordering::Relaxed);
            answer
        };
        let sent = self.repeats.insist(patience, send);
        let answer = match settles {
            true => self.admitted(partition.number, limit, sent).await,
            false => {
                let sent = self.admitted(partition.number, limit, sent);
                self.repeats.write(sent).await
            }
        };
        if let Some(under_way) = under_way {
            under_way.heed(&answer);
        }
        if let Ok(answer) = &answer {
            self.budget.learn_of_jobs(answer.claimed.iter().map(|one| one.body.len()));
            self.sessions.give_back(session);
        }
        answer
    }

    /// Makes a claim wait until there is room for the bytes that it may bring. Gives the room back
    /// if the claim takes long, so that a hanging partition does not delay the others.
    async fn admitted<R>(&self, number: u32, limit: usize, sent: impl Future<Output = R>) -> R {
        let is_late = usize::try_from(number).ok().and_then(|number| self.is_late.get(number));
        let was_late = is_late.is_some_and(|it| it.load(Ordering::Relaxed));
        let under_way = match was_late {
            true => None,
            false => self.budget.admit(self.budget.expected(limit)).await,
        };
        let mut sent = pin!(sent);
        tokio::select! {
            biased;
            answer = &mut sent => {
                if was_late && let Some(is_late) = is_late {
                    is_late.store(false, Ordering::Relaxed);
                }
                return answer;
            }
            () = tokio::time::sleep(PATIENCE) => {}
        }
        drop(under_way);
        if let Some(is_late) = is_late {
            is_late.store(true, Ordering::Relaxed);
        }
        sent.await
    }

    /// Adapts the size of later requests to the result of this one.
    async fn learning<R>(&self, request: impl Future<Output = Result<R>>) -> Result<R> {
        let answer = request.await;
        match &answer {
            Ok(_) => self.budget.learn(true),
            Err(error) if error.kind() == ErrorKind::Timeout => self.budget.learn(false),
            Err(_) => {}
        }
        answer
    }

    /// How many bytes a request or a reply may have; one larger item may exceed it.
    pub(crate) fn request_bytes(&self) -> usize {
        self.budget.size()
    }

    /// Whether to maintain a partition before claiming from it. Otherwise a backlog of ready jobs
    /// would hide due jobs and ended leases.
    pub(crate) fn is_maintenance_due(&self, partition: &Partition) -> bool {
        let pause = (self.settings.lease / 3).min(MAINTENANCE_PAUSE);
        let mut maintained = self.maintained.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(partition.number).unwrap_or(usize::MAX);
        let Some(last) = maintained.get_mut(index) else { return false };
        let due = last.is_none_or(|last| last.elapsed() >= pause);
        if due {
            *last = Some(Instant::now());
        }
        due
    }

    /// Makes the next claim maintain the partition first.
    pub(crate) fn maintain_soon(&self, partition: &Partition) {
        let mut maintained = self.maintained.lock().unwrap_or_else(PoisonError::into_inner);
        let index = usize::try_from(partition.number).unwrap_or(usize::MAX);
        if let Some(last) = maintained.get_mut(index) {
            *last = None;
        }
    }

    /// Maintains a partition: promotes due jobs, recovers ended leases. First withdraws claims
    /// without an answer, since their jobs never began.
    pub(crate) async fn maintain(&self, partition: &Partition) -> Result<Maintained> {
        self.unanswered.withdraw_all(self, partition).await?;
        let request = Maintain { limit: MAX_BATCH, policy: self.settings.policy };
        self.write(|| self.engine.maintain(partition, request)).await
    }

    /// Reads, and repeats transient failures, within the queue's timeout.
    pub(crate) async fn read<R, F, Fut>(&self, send: F) -> Result<R>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        let sent = self.repeats.insist(Patience::Short, |_| self.learning(send()));
        self.repeats.read(sent).await
    }

    /// Sends a request that is safe to repeat, and repeats transient failures, within the queue's
    /// timeout.
    pub(crate) async fn write<R, F, Fut>(&self, send: F) -> Result<R>
    where
        F: Fn() -> Fut,
        Fut: Future<Output = Result<R>>,
    {
        self.repeats.write(self.repeats.insist(Patience::Short, |_| send())).await
    }

    /// Sends a request once, within the queue's timeout.
    pub(crate) async fn once<R>(&self, request: impl Future<Output = Result<R>>) -> Result<R> {
        self.repeats.write(request).await
    }
}

/// The request after this number of timeouts: each timeout halves the bytes of its claim.
fn asking_for_less(request: &Exchange, timeouts: u32) -> Exchange {
    let mut request = request.clone();
    if let Some(claim) = &mut request.claim {
        claim.bytes = claim.bytes.checked_shr(timeouts).unwrap_or(0).max(1);
    }
    request
}
