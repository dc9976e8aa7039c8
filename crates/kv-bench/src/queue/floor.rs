//! The floor: the least that a crash-safe queue on Redis can do, through the driver alone.
//!
//! A sorted set of what is ready, a hash of bodies, a sorted set of leases that end by the
//! server's clock, and four small scripts. It counts no attempts, knows no retry, no delay, no
//! duplicates, no dead letters; a repeated request is a new one; and whoever's lease has ended can
//! still settle the job of its next holder.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::LuaInterface;
use fred::types::{Key, Value};
use tokio::sync::mpsc;
use tokio::time::interval;

use crate::payload::{BATCH, SMALL, Tally, batches, body};
use crate::server::Bed;
use crate::tasks::{Background, at_once, deal};
use crate::work::Work;
use crate::{Result, raw};

const READY: Key = Key::from_static_str("floor:ready");
const BODIES: Key = Key::from_static_str("floor:bodies");
const LEASES: Key = Key::from_static_str("floor:leases");
const LAST: Key = Key::from_static_str("floor:last");

/// 30 seconds, in microseconds: the library's own.
const LEASE: &str = "30000000";

/// One that has ended when the next command runs.
const SPENT_LEASE: &str = "0";

/// How often it looks for leases that have ended, as often as the library.
const RECOVER_EVERY: Duration = Duration::from_secs(1);

/// One connection to the bare queue.
#[derive(Clone)]
pub(crate) struct Floor {
    client: Client,
    lease: &'static str,
    add: Arc<str>,
    exchange_one: Arc<str>,
    exchange: Arc<str>,
    recover: Arc<str>,
}

/// A job in hand.
struct Job {
    id: Bytes,
    body: Bytes,
}

impl Floor {
    pub(crate) async fn connect(port: u16) -> Result<Self> {
        let client = raw::connect(port).await?;
        let load = |text: &'static str| client.script_load::<String, _>(text);
        Ok(Self {
            add: load(include_str!("floor/add.lua")).await?.into(),
            exchange_one: load(include_str!("floor/exchange_one.lua")).await?.into(),
            exchange: load(include_str!("floor/exchange.lua")).await?.into(),
            recover: load(include_str!("floor/recover.lua")).await?.into(),
            lease: LEASE,
            client,
        })
    }

    async fn add(&self, bodies: Vec<Bytes>) -> Result<()> {
        Ok(self.client.evalsha(&*self.add, vec![READY, BODIES, LAST], bodies).await?)
    }

    pub(crate) async fn fill(&self, jobs: u64, bytes: usize) -> Result<()> {
        at_once(deal(batches(jobs, BATCH, |id| body(id, bytes)), 4), |share| {
            add_all(self.clone(), share)
        })
        .await
    }

    async fn exchange_one(&self, acked: Option<Bytes>) -> Result<Option<Job>> {
        let keys = vec![READY, BODIES, LEASES];
        let mut args = vec![Bytes::from_static(self.lease.as_bytes())];
        args.extend(acked);
        let values: Vec<Value> = self.client.evalsha(&*self.exchange_one, keys, args).await?;
        let mut values = values.into_iter().filter_map(Value::into_bytes);
        Ok(values.next().zip(values.next()).map(|(id, body)| Job { id, body }))
    }

    async fn exchange(&self, acked: &mut Vec<Bytes>, limit: usize) -> Result<Vec<Job>> {
        let keys = vec![READY, BODIES, LEASES];
        let mut args =
            vec![Bytes::from_static(self.lease.as_bytes()), Bytes::from(limit.to_string())];
        args.append(acked);
        let values: Vec<Value> = self.client.evalsha(&*self.exchange, keys, args).await?;
        let mut ids: Vec<Bytes> = values.into_iter().filter_map(Value::into_bytes).collect();
        let bodies = ids.split_off(ids.len() / 2);
        Ok(ids.into_iter().zip(bodies).map(|(id, body)| Job { id, body }).collect())
    }

    async fn recover(&self) -> Result<u64> {
        let none = Vec::<Bytes>::new();
        Ok(self.client.evalsha(&*self.recover, vec![READY, LEASES], none).await?)
    }

    /// Takes back what is not settled, now and then, until dropped.
    fn recovering(&self) -> Background {
        let floor = self.clone();
        Background::start(async move {
            let mut ticks = interval(RECOVER_EVERY);
            loop {
                ticks.tick().await;
                // An error shows in the requests that are measured, too.
                let _ = floor.recover().await;
            }
        })
    }
}

/// Fails unless a job whose lease has ended is delivered again.
pub(crate) async fn recovers(bed: &Bed) -> Result<()> {
    let floor = Floor { lease: SPENT_LEASE, ..Floor::connect(bed.port()).await? };
    floor.fill(1, SMALL).await?;
    let first = floor.exchange_one(None).await?.ok_or("there was no job")?;
    let recovered = floor.recover().await?;
    let again = floor.exchange_one(None).await?.ok_or("no job came back")?;
    if recovered != 1 || first.id != again.id || first.body != again.body {
        return Err("another job came back".into());
    }
    floor.exchange(&mut vec![again.id], 1).await?;
    check_empty(bed)
}

async fn add_all(floor: Floor, batches: Vec<Vec<Bytes>>) -> Result<()> {
    for batch in batches {
        floor.add(batch).await?;
    }
    Ok(())
}

/// What was prepared to be processed.
pub(crate) struct Filled {
    floor: Floor,
    tally: Arc<Tally>,
}

async fn filled(bed: &Bed, jobs: u64, bytes: usize) -> Result<Filled> {
    let floor = Floor::connect(bed.port()).await?;
    floor.fill(jobs, bytes).await?;
    Ok(Filled { floor, tally: Tally::new() })
}

fn check_empty(bed: &Bed) -> Result<()> {
    let left = bed.number(&["DBSIZE"])?;
    // The last number given stays.
    if left == 1 { Ok(()) } else { Err(format!("{left} keys are left").into()) }
}

/// So many tasks, each of which acks its job and claims the next one in one request.
pub(crate) struct FusedOne {
    pub(crate) tasks: usize,
    pub(crate) bytes: usize,
}

#[async_trait]
impl Work for FusedOne {
    type Ready = Filled;

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Filled> {
        filled(bed, jobs, self.bytes).await
    }

    async fn run(&self, ready: &mut Filled) -> Result<Option<Duration>> {
        let _recovering = ready.floor.recovering();
        at_once(0..self.tasks, |_| {
            let (floor, tally) = (ready.floor.clone(), ready.tally.clone());
            async move {
                let mut last = None;
                while let Some(job) = floor.exchange_one(last.take()).await? {
                    tally.note_body(&job.body);
                    last = Some(job.id);
                }
                Ok(())
            }
        })
        .await?;
        Ok(None)
    }

    async fn check(&self, bed: &Bed, ready: Filled, jobs: u64) -> Result<()> {
        ready.tally.check(jobs)?;
        check_empty(bed)
    }
}

/// One task that claims as many jobs at a time as there are handlers, while these work on the ones
/// before; what they have done meanwhile is acked by its next request.
pub(crate) struct Coalesced {
    pub(crate) handlers: usize,
    pub(crate) bytes: usize,
}

#[async_trait]
impl Work for Coalesced {
    type Ready = Filled;

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Filled> {
        filled(bed, jobs, self.bytes).await
    }

    async fn run(&self, ready: &mut Filled) -> Result<Option<Duration>> {
        let _recovering = ready.floor.recovering();
        let (done, mut acks) = mpsc::channel(2 * self.handlers);
        let mut handlers = Vec::new();
        let mut running = Vec::new();
        for _ in 0..self.handlers {
            let (handler, jobs) = mpsc::channel(1);
            handlers.push(handler);
            let handling = handle(jobs, done.clone(), ready.tally.clone());
            running.push(Background::start(handling));
        }
        drop(done);
        self.fetch(&ready.floor, &handlers, &mut acks).await?;
        Ok(None)
    }

    async fn check(&self, bed: &Bed, ready: Filled, jobs: u64) -> Result<()> {
        ready.tally.check(jobs)?;
        check_empty(bed)
    }
}

impl Coalesced {
    async fn fetch(
        &self,
        floor: &Floor,
        handlers: &[mpsc::Sender<Job>],
        acks: &mut mpsc::Receiver<Bytes>,
    ) -> Result<()> {
        let (mut acked, mut held) = (Vec::new(), 0);
        loop {
            let jobs = floor.exchange(&mut acked, self.handlers).await?;
            held += jobs.len();
            if held == 0 {
                return Ok(());
            }
            for (handler, job) in handlers.iter().zip(jobs) {
                handler.send(job).await?;
            }
            held -= acks.recv_many(&mut acked, 2 * self.handlers).await;
        }
    }
}

async fn handle(mut jobs: mpsc::Receiver<Job>, done: mpsc::Sender<Bytes>, tally: Arc<Tally>) {
    while let Some(job) = jobs.recv().await {
        tally.note_body(&job.body);
        if done.send(job.id).await.is_err() {
            return;
        }
    }
}

/// So many tasks, each of which adds its share in requests of so many jobs.
pub(crate) struct Add {
    pub(crate) tasks: usize,
    pub(crate) batch: u64,
    pub(crate) bytes: usize,
}

/// What was prepared to be added.
pub(crate) struct Batches {
    floor: Floor,
    shares: Vec<Vec<Vec<Bytes>>>,
}

#[async_trait]
impl Work for Add {
    type Ready = Batches;

    fn takes_memory(&self) -> bool {
        true
    }

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Batches> {
        let floor = Floor::connect(bed.port()).await?;
        let batches = batches(jobs, self.batch, |id| body(id, self.bytes));
        Ok(Batches { floor, shares: deal(batches, self.tasks) })
    }

    async fn run(&self, ready: &mut Batches) -> Result<Option<Duration>> {
        let shares = std::mem::take(&mut ready.shares);
        at_once(shares, |share| add_all(ready.floor.clone(), share)).await?;
        Ok(None)
    }

    async fn check(&self, bed: &Bed, _: Batches, jobs: u64) -> Result<()> {
        let (ready, bodies) =
            (bed.number(&["ZCARD", "floor:ready"])?, bed.number(&["HLEN", "floor:bodies"])?);
        if (ready, bodies) == (jobs, jobs) {
            return Ok(());
        }
        Err(format!("{ready} jobs with {bodies} bodies; expected {jobs}").into())
    }
}
