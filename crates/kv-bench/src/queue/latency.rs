//! How long a job waits for its handler while the queue is half as busy as it can be.
//!
//! Jobs arrive at times that are drawn beforehand, whatever the queue does (an open loop), so a
//! queue that falls behind is not asked less. A job's time runs from when it was to arrive until
//! its handler starts.

use std::future::{Ready, ready};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, Error, SystemClock};
use kv_queue::{CancellationToken, Delivery, Queue, Worker, WorkerSummary};
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{sleep, timeout};

use super::ours::{Add, How, Kind, Ours, Process};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::payload::{SMALL, payload};
use crate::server::Bed;
use crate::statistics::{count, percentile};
use crate::work::{JOBS_A_SECOND, Turns, Work};

pub(crate) const SCENARIO: &str = "latency";
const P50: &str = "p50 ms";
const P99: &str = "p99 ms";
const APART: &str = "kv-queue, alone";
const TOGETHER: &str = "kv-queue, at once";
const TASKS: usize = 100;

/// Arrivals that nobody took up yet. More of them, and the run fails.
const MOST_AHEAD: usize = 100_000;

/// Fewer than the backend lets wait for its connection before it refuses more.
const MOST_ADDED_AT_ONCE: usize = 5_000;

/// Far longer than the last jobs take.
const LIMIT: Duration = Duration::from_secs(30);

/// The contest.
pub(crate) fn plan(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let about = "Jobs arrive one by one at random times (Poisson). From a job's arrival to the \
                 start of its handler.";
    let entry = |half_of| Latency {
        bed: bed.clone(),
        half_of,
        jobs: settings.size(30_000),
        lasts: Duration::from_secs(settings.size(30)) / 10,
    };
    Plan::new(SCENARIO, "latency at half the throughput", about, P50)
        .enter(
            APART,
            Tier::Fenced,
            "half the rate of what is slower alone: adding one by one by 50 tasks, or working off \
             by `Worker::concurrency(100)`",
            entry(HalfOf::Apart),
        )
        .enter(
            TOGETHER,
            Tier::Fenced,
            "half the rate of both at once, which share the processors",
            entry(HalfOf::Together),
        )
        .target(Target::at_most(2.0, APART, P50))
        .target(Target::at_most(20.0, APART, P99))
        .target(Target::at_most(2.0, TOGETHER, P50))
        .target(Target::at_most(20.0, TOGETHER, P99))
}

/// Which throughput it is half of.
enum HalfOf {
    Apart,
    Together,
}

struct Latency {
    bed: Arc<Bed>,
    half_of: HalfOf,
    /// For finding the throughput.
    jobs: u64,
    lasts: Duration,
}

#[async_trait]
impl Contestant for Latency {
    async fn turn(&mut self) -> Result<Sample> {
        let rate = match self.half_of {
            HalfOf::Apart => self.apart().await? / 2.0,
            HalfOf::Together => self.together().await? / 2.0,
        };
        self.bed.clear()?;
        let ours = Ours::open(&self.bed.url()).await?;
        let waits = self.measure(&ours.queue, rate).await?;
        let figure = |part| percentile(&waits, part).ok_or("nothing arrived");
        let figures = [
            (P50, figure(0.5)?),
            (P99, figure(0.99)?),
            ("p99.9 ms", figure(0.999)?),
            ("worst ms", figure(1.0)?),
            ("arrivals/s", rate),
            ("throughput/s", 2.0 * rate),
        ];
        Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl Latency {
    /// Jobs a second, added one by one and then worked off: the smaller number.
    async fn apart(&self) -> Result<f64> {
        let process = Process { how: How::Worker, kind: Kind::Plain, tasks: TASKS, bytes: SMALL };
        let add = Turns::new(&self.bed, adding(), self.jobs).turn().await?;
        let process = Turns::new(&self.bed, process, self.jobs).turn().await?;
        let rates = [add, process].map(|sample| sample.get(JOBS_A_SECOND).copied());
        Ok(rates.into_iter().flatten().fold(f64::INFINITY, f64::min))
    }

    /// Jobs a second, added one by one while they are worked off.
    async fn together(&self) -> Result<f64> {
        self.bed.clear()?;
        let adding = adding();
        let mut ready = adding.prepare(&self.bed, self.jobs).await?;
        let ours = Ours::open(&self.bed.url()).await?;
        let clock = SystemClock::new();
        let worker = Working::start(&ours.queue, clock);
        adding.run(&mut ready).await?;
        worker.end(usize::try_from(self.jobs)?).await?;
        Ok(count(usize::try_from(self.jobs)?) / clock.now().as_secs_f64())
    }

    /// How long each job waited, in milliseconds.
    async fn measure(&self, queue: &Queue<String>, rate: f64) -> Result<Vec<f64>> {
        let clock = SystemClock::new();
        let worker = Working::start(queue, clock);
        let (arrive, arrivals) = mpsc::channel(MOST_AHEAD);
        let lasts = self.lasts;
        let pace = tokio::task::spawn_blocking(move || pace(&clock, rate, lasts, &arrive));
        let arrived = enqueue(queue, arrivals).await?;
        pace.await??;
        worker.end(arrived).await
    }
}

fn adding() -> Add {
    Add { kind: Kind::Plain, batch: 1, tasks: 50, bytes: SMALL }
}

/// A worker that notes how long its jobs waited.
struct Working {
    waits: Arc<Mutex<Vec<f64>>>,
    stop: CancellationToken,
    running: JoinHandle<std::result::Result<WorkerSummary, Error>>,
}

impl Working {
    fn start(queue: &Queue<String>, clock: SystemClock) -> Self {
        let (waits, stop) = (Arc::new(Mutex::new(Vec::new())), CancellationToken::new());
        let worker = Worker::new(queue.clone()).concurrency(TASKS).stop_on(stop.clone());
        let running = tokio::spawn(worker.run(handler(clock, waits.clone())));
        Self { waits, stop, running }
    }

    /// Waits for so many jobs; how long each has waited.
    async fn end(self, jobs: usize) -> Result<Vec<f64>> {
        let seen = || self.waits.lock().unwrap_or_else(PoisonError::into_inner).len();
        let all = async {
            while seen() < jobs {
                sleep(Duration::from_millis(1)).await;
            }
        };
        let ended = timeout(LIMIT, all).await;
        self.stop.cancel();
        self.running.await??;
        ended.map_err(|_| format!("{} of {jobs} jobs were handled", seen()))?;
        let mut waits = self.waits.lock().unwrap_or_else(PoisonError::into_inner);
        Ok(std::mem::take(&mut waits))
    }
}

/// Notes how long ago its job was to arrive.
fn handler(
    clock: SystemClock,
    waits: Arc<Mutex<Vec<f64>>>,
) -> impl Fn(Delivery<String>) -> Ready<std::result::Result<(), Error>> + Send + Sync {
    move |delivery| {
        let arrival = delivery.payload().get(..16).and_then(|digits| digits.parse().ok());
        let arrival = Duration::from_nanos(arrival.unwrap_or_default());
        let wait = 1e3 * (clock.now().saturating_sub(arrival)).as_secs_f64();
        waits.lock().unwrap_or_else(PoisonError::into_inner).push(wait);
        ready(Ok(()))
    }
}

/// Tells each arrival at its time, from a thread of its own, which the others' work cannot hold up.
fn pace(clock: &SystemClock, rate: f64, lasts: Duration, arrive: &Sender<Duration>) -> Result<()> {
    let start = clock.now();
    let (mut next, end) = (start, start + lasts);
    while next < end {
        let early = next.saturating_sub(clock.now());
        if !early.is_zero() {
            std::thread::park_timeout(early);
            continue;
        }
        arrive.try_send(next).map_err(|_| format!("{MOST_AHEAD} jobs could not be added"))?;
        // The gaps of a Poisson process; 1 - u is never zero.
        next += Duration::from_secs_f64(-(1.0 - fastrand::f64()).ln() / rate);
    }
    Ok(())
}

/// Enqueues each arrival by a task of its own; how many there were.
async fn enqueue(queue: &Queue<String>, mut arrivals: Receiver<Duration>) -> Result<usize> {
    let (mut adding, mut arrived) = (JoinSet::new(), 0);
    while let Some(arrival) = arrivals.recv().await {
        let nanos = u64::try_from(arrival.as_nanos())?;
        let queue = queue.clone();
        adding.spawn(async move { queue.enqueue(payload(nanos, SMALL)).await.map(drop) });
        arrived += 1;
        while let Some(added) = adding.try_join_next() {
            added??;
        }
        // The clock of those that arrive meanwhile runs.
        if adding.len() >= MOST_ADDED_AT_ONCE
            && let Some(added) = adding.join_next().await
        {
            added??;
        }
    }
    while let Some(added) = adding.join_next().await {
        added??;
    }
    Ok(arrived)
}
