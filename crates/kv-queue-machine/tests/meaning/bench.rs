//! One partition, its clock, and short ways to ask.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{
    BATCH_BYTES, Claim, Claimed, Control, Controlled, Counts, DeadLetter, Exchange, Exchanged,
    Handle, Inspect, Inspected, JobDetail, JobKey, JobPage, ListPlace, Maintain, Maintained,
    NewJob, Operation, Policy, Session, State, Submit, Submitted, Unique, UniqueScope, Verdict,
};
use kv_queue_machine::{Machine, MemTables};

pub(crate) const SECOND: Duration = Duration::from_secs(1);
pub(crate) const LEASE: Duration = Duration::from_secs(10);

pub(crate) struct Bench {
    pub(crate) tables: MemTables,
    pub(crate) now: Duration,
    pub(crate) policy: Policy,
    pub(crate) request: u64,
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self {
            tables: MemTables::default(),
            now: Duration::from_secs(1_000_000),
            policy: Policy::default(),
            request: 0,
        }
    }

    /// A bench with plain jobs of these bodies.
    pub(crate) fn with(bodies: &[&str]) -> Self {
        let mut bench = Self::new();
        bench.submit(bodies.iter().map(|body| job(body)).collect());
        bench
    }

    pub(crate) fn machine(&mut self) -> Machine<'_, MemTables> {
        self.tables.at(self.now)
    }

    pub(crate) fn submit(&mut self, jobs: Vec<NewJob>) -> Vec<Submitted> {
        done(self.machine().submit(&Submit { session: None, jobs }))
    }

    /// Adds one job that is no duplicate.
    pub(crate) fn add(&mut self, job: NewJob) -> JobKey {
        match self.submit(vec![job])[..] {
            [Submitted::Added(key)] => key,
            ref other => panic!("{other:?}"),
        }
    }

    /// An exchange on the next request of its own session.
    pub(crate) fn exchange(&mut self, exchange: Exchange) -> Exchanged {
        self.request += 1;
        let session = Session { name: "bench".into(), request: self.request };
        let exchange = Exchange { session, policy: self.policy, ..exchange };
        done(self.machine().exchange(&exchange))
    }

    pub(crate) fn claim(&mut self, limit: usize) -> Vec<Claimed> {
        self.exchange(claim(limit)).claimed
    }

    /// Claims one job that must be there.
    pub(crate) fn take(&mut self) -> Claimed {
        self.claim(1).pop().unwrap_or_else(|| panic!("no job"))
    }

    pub(crate) fn bodies(&mut self, limit: usize) -> Vec<String> {
        let text = |it: Claimed| String::from_utf8_lossy(&it.body).into_owned();
        self.claim(limit).into_iter().map(text).collect()
    }

    pub(crate) fn ack(&mut self, handle: Handle) -> Verdict {
        self.exchange(Exchange { acks: vec![handle], ..exchange() }).acks[0]
    }

    pub(crate) fn operate(&mut self, handle: Handle, operation: Operation) -> Verdict {
        let operations = vec![(handle, operation)];
        self.exchange(Exchange { operations, ..exchange() }).operations[0]
    }

    pub(crate) fn retry(&mut self, handle: Handle) -> Verdict {
        self.operate(handle, Operation::Retry { after: Duration::ZERO, reason: "why".into() })
    }

    pub(crate) fn fail(&mut self, handle: Handle) -> Verdict {
        self.operate(handle, Operation::Fail { reason: "broken".into() })
    }

    pub(crate) fn snooze(&mut self, handle: Handle) -> Verdict {
        self.operate(handle, Operation::Snooze { after: Duration::ZERO })
    }

    pub(crate) fn checkpoint(&mut self, handle: Handle, state: &str, progress: u64) -> Verdict {
        let state = state.to_owned().into();
        self.operate(handle, Operation::Checkpoint { state, progress })
    }

    /// Lets the lease of a delivery end.
    pub(crate) fn crash(&mut self) -> Maintained {
        self.now += LEASE;
        self.maintain(100)
    }

    pub(crate) fn maintain(&mut self, limit: usize) -> Maintained {
        let request = Maintain { limit, policy: self.policy };
        done(self.machine().maintain(&request))
    }

    pub(crate) fn control(&mut self, control: &Control) -> Controlled {
        done(self.machine().control(control))
    }

    pub(crate) fn cancel(&mut self, key: JobKey) -> Controlled {
        self.control(&Control::Cancel { keys: vec![key] })
    }

    pub(crate) fn counts(&mut self) -> Counts {
        match done(self.machine().inspect(&Inspect::Counts)) {
            Inspected::Counts(counts) => counts,
            other => panic!("{other:?}"),
        }
    }

    /// Everything about a job that is there.
    pub(crate) fn job(&mut self, key: JobKey) -> JobDetail {
        self.find(key).unwrap_or_else(|| panic!("no job {key}"))
    }

    pub(crate) fn find(&mut self, key: JobKey) -> Option<JobDetail> {
        let request = Inspect::Job { key, bytes: true, default: self.policy.group };
        match done(self.machine().inspect(&request)) {
            Inspected::Job { job, .. } => job.map(|job| *job),
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn holder(&mut self, unique: &str) -> Option<JobKey> {
        match done(self.machine().inspect(&Inspect::Unique { key: unique.into() })) {
            Inspected::Unique(holder) => holder,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn list(
        &mut self,
        state: State,
        group: Option<&str>,
        after: Option<ListPlace>,
        limit: usize,
    ) -> JobPage {
        let request = Inspect::List { state, group: group.map(Into::into), after, limit };
        match done(self.machine().inspect(&request)) {
            Inspected::List(page) => page,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn dead(&mut self, after: Option<JobKey>) -> Vec<DeadLetter> {
        match done(self.machine().inspect(&Inspect::Dead { after, limit: 100, bytes: BATCH_BYTES }))
        {
            Inspected::Dead(letters) => letters,
            other => panic!("{other:?}"),
        }
    }
}

fn done<R>(result: Result<R>) -> R {
    result.unwrap_or_else(|error| panic!("{error:?}"))
}

pub(crate) fn job(body: &str) -> NewJob {
    NewJob {
        body: body.to_owned().into(),
        priority: 8,
        delay: Duration::ZERO,
        unique: None,
        time_to_live: None,
        group: None,
        note_time: false,
    }
}

pub(crate) fn unique(key: &str, scope: UniqueScope) -> NewJob {
    NewJob { unique: Some(Unique { key: key.to_owned(), scope }), ..job("unique") }
}

pub(crate) fn exchange() -> Exchange {
    Exchange {
        session: Session { name: "bench".into(), request: 0 },
        acks: Vec::new(),
        operations: Vec::new(),
        claim: None,
        policy: Policy::default(),
    }
}

pub(crate) fn claim(limit: usize) -> Exchange {
    Exchange { claim: Some(Claim { limit, bytes: BATCH_BYTES, lease: LEASE }), ..exchange() }
}
