//! A queue outlives its process, where the backend brings an engine of its own.
//!
//! The generic engine keeps queues in values, so the other cases speak for it.

use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    Claim, Control, Counts, Exchange, Exchanged, Handle, Inspect, Inspected, Maintain, NewJob,
    Operation, Partition, Policy, QueueEngine, QueueSupport, Session, Submit, Submitted, Unique,
    UniqueScope, Verdict,
};
use kv_core::{Bytes, ErrorKind};

use super::again;
use crate::cases::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::suite::announce;
use crate::trial::{End, ms_of, refused};
use crate::{Failure, Trial};

const LEASE: Duration = Duration::from_secs(30);
const DELAY: Duration = Duration::from_secs(60);

/// One partition through one engine, as one process uses it.
struct Desk {
    engine: Arc<dyn QueueEngine>,
    partition: Partition,
    session: Arc<str>,
    requests: u64,
}

impl Desk {
    /// Opens the queue; `None` where the backend has no engine of its own.
    async fn open(t: &Trial<'_>, session: &str) -> Result<Option<Self>, Failure> {
        let QueueSupport::Native(engine) = t.store().queue_engine() else { return Ok(None) };
        engine.open("outlives", 1).await?;
        let partition = Partition { queue: "outlives".into(), number: 0 };
        Ok(Some(Self { engine, partition, session: session.into(), requests: 0 }))
    }

    async fn submit(&self, jobs: Vec<NewJob>) -> Result<Vec<Submitted>, Failure> {
        Ok(self.engine.submit(&self.partition, Submit { session: None, jobs }).await?)
    }

    fn exchange(&mut self, operations: Vec<(Handle, Operation)>, limit: usize) -> Exchange {
        self.requests += 1;
        let claim = Claim { limit, bytes: 1 << 20, lease: LEASE };
        Exchange {
            session: Session { name: Arc::clone(&self.session), request: self.requests },
            acks: Vec::new(),
            operations,
            claim: (limit > 0).then_some(claim),
            policy: Policy::default(),
        }
    }

    async fn send(&self, request: &Exchange) -> Result<Exchanged, Failure> {
        Ok(self.engine.exchange(&self.partition, request.clone()).await?)
    }

    /// What the bodies of the next so many jobs are, and the rights to settle them.
    async fn claim(&mut self, limit: usize) -> Result<Vec<(Bytes, Handle)>, Failure> {
        let maintain = Maintain { limit: 100, policy: Policy::default() };
        self.engine.maintain(&self.partition, maintain).await?;
        let request = self.exchange(Vec::new(), limit);
        let claimed = self.send(&request).await?.claimed;
        Ok(claimed.into_iter().map(|job| (job.body, job.handle)).collect())
    }

    async fn verdict(&mut self, handle: Handle, operation: Operation) -> Result<Verdict, Failure> {
        let request = self.exchange(vec![(handle, operation)], 0);
        let verdicts = self.send(&request).await?.operations;
        verdicts.first().copied().ok_or_else(|| Failure::new("exchange: no verdict on one item"))
    }

    async fn look(&self, inspect: Inspect) -> Result<Inspected, Failure> {
        Ok(self.engine.inspect(&self.partition, inspect).await?)
    }
}

fn job(body: &'static str, delay: Duration, scope: Option<UniqueScope>) -> NewJob {
    let unique = scope.map(|scope| Unique { key: body.to_owned(), scope });
    let body = Bytes::from_static(body.as_bytes());
    NewJob { body, priority: 8, delay, unique, time_to_live: None, group: None, note_time: false }
}

fn jobs() -> Vec<NewJob> {
    vec![
        job("settled late", Duration::ZERO, Some(UniqueScope::Live)),
        job("never settled", Duration::ZERO, None),
        job("fails", Duration::ZERO, Some(UniqueScope::Run)),
        job("delayed", DELAY, Some(UniqueScope::Window(DELAY * 2))),
        job("waits", Duration::ZERO, None),
    ]
}

fn bodies(claimed: &[(Bytes, Handle)]) -> Vec<String> {
    claimed.iter().map(|(body, _)| String::from_utf8_lossy(body).into_owned()).collect()
}

pub(crate) async fn a_queue_outlives_a_reopen(t: Trial<'_>) -> Tried {
    let Some(mut desk) = Desk::open(&t, "before").await? else {
        announce("a_queue_outlives_a_reopen", "the backend has no queue engine of its own");
        return Ok(());
    };
    desk.submit(jobs()).await?;
    let claim = desk.exchange(Vec::new(), 3);
    let claimed = desk.send(&claim).await?.claimed;
    let [late, never, fails] = &*claimed else {
        return Err(Failure::new(format!("exchange: {} of 3 jobs claimed", claimed.len())));
    };
    let (late, never) = (late.handle, never.handle);
    let fail = Operation::Fail { reason: "because".to_owned() };
    ensure_eq!(desk.verdict(fails.handle, fail.clone()).await?, Verdict::Buried, "fail");
    let last = desk.exchange(Vec::new(), 0);
    let answer = desk.send(&last).await?;
    let before = timeless(desk.look(Inspect::Counts).await?);
    drop(desk);
    let t = again(t, End::Dropped, 10_000).await?;
    let Some(mut desk) = Desk::open(&t, "after").await? else {
        return Err(Failure::new("queue_engine: native before the reopen, and not after"));
    };
    let after = timeless(desk.look(Inspect::Counts).await?);
    ensure_eq!(after, before, "the counts, after the reopen");
    ensure_eq!(desk.send(&last).await?, answer, "the last request, repeated on its session");
    let other = desk.engine.open("outlives", 2).await;
    refused("open with another number of partitions", other, &[ErrorKind::Config])?;
    keeps_unique_keys(&desk).await?;
    keeps_dead_letters(&mut desk).await?;
    ensure_eq!(bodies(&desk.claim(9).await?), ["waits", "fails"], "claimable after the reopen");
    let extend = Operation::Extend { lease: LEASE };
    ensure_eq!(desk.verdict(late, extend).await?, Verdict::Applied, "a lease with 20 s left");
    leases_end_and_delays_pass(&t, &mut desk, never).await
}

/// The counts without the age, which grows while the store is closed.
fn timeless(counted: Inspected) -> Inspected {
    match counted {
        Inspected::Counts(counts) => Inspected::Counts(Counts { oldest_ready: None, ..counts }),
        other => other,
    }
}

async fn keeps_unique_keys(desk: &Desk) -> Tried {
    let unique = jobs().into_iter().filter(|job| job.unique.is_some());
    for answer in desk.submit(unique.collect()).await? {
        ensure!(matches!(answer, Submitted::Duplicate(_)), "submit: a unique key was given again");
    }
    Ok(())
}

/// Looks at the one dead letter, and makes it claimable.
async fn keeps_dead_letters(desk: &mut Desk) -> Tried {
    let dead = desk.look(Inspect::Dead { after: None, limit: 9, bytes: 1 << 20 }).await?;
    let Inspected::Dead(dead) = dead else {
        return Err(Failure::new("inspect: asked for dead letters, and got something else"));
    };
    let told: Vec<_> = dead.iter().map(|dead| (&*dead.body, dead.reason.as_str())).collect();
    ensure_eq!(told, [(&b"fails"[..], "because")], "the dead letters");
    let redrive = Control::Redrive { keys: Vec::new(), limit: 9 };
    let redriven = desk.engine.control(&desk.partition, redrive).await?;
    ensure_eq!(redriven.affected, 1, "redrive");
    Ok(())
}

/// 10 s of the lease of 30 s and of the delay of 60 s passed while the store was closed.
async fn leases_end_and_delays_pass(t: &Trial<'_>, desk: &mut Desk, never: Handle) -> Tried {
    t.advance(ms_of(20_000 - 2));
    ensure_eq!(bodies(&desk.claim(9).await?), [""; 0], "claimable before the lease ends");
    t.advance(ms_of(4));
    let claimed = desk.claim(9).await?;
    ensure_eq!(bodies(&claimed), ["never settled"], "claimable when the lease has ended");
    let newer = claimed.iter().all(|(_, handle)| handle.token > never.token);
    ensure!(newer, "a token of after the reopen is no higher than one of before");
    let stale = desk.verdict(never, Operation::Snooze { after: Duration::ZERO }).await?;
    ensure_eq!(stale, Verdict::Stale, "the lease of before the reopen");
    t.advance(DELAY);
    let claimed = bodies(&desk.claim(9).await?);
    ensure!(claimed.contains(&"delayed".to_owned()), "the delayed job is due: got {claimed:?}");
    Ok(())
}
