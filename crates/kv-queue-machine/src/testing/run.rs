//! One script on a subject and on the machine.

use std::sync::Arc;
use std::time::Duration;

use kv_core::async_trait;
use kv_core::queue::{
    BATCH_BYTES, Control, Exchange, GroupLimit, Handle, Inspect, Inspected, JobKey, ListPlace,
    MAX_BATCH, Maintain, Partition, QueueEngine, Session, State, Submit, Submitted,
};

use super::ask::{Answer, Request, answer, ask};
use super::rename::Tokens;
use super::script::{Controlling, Exchanging, Inspecting, Pick, PickHandle, SessionUse, Step};
use super::{Coverage, Dump, NaiveTables, Script};
use crate::Machine;

/// The time at which every script begins.
pub const START: Duration = Duration::from_secs(1_700_000_000);

const PARTITIONS: u32 = 2;

/// How many of the last jobs, and of the unique keys, an audit looks up.
const LOOKED_UP: usize = 4;

/// An engine under test.
#[async_trait]
pub trait Subject: Send + Sync {
    /// The engine, without a queue of this name.
    fn engine(&self) -> &dyn QueueEngine;

    /// The stored name of the queue to use.
    fn queue(&self) -> Arc<str> {
        "oracle".into()
    }

    /// Sets the engine's clock to this time.
    async fn set_time(&self, now: Duration);

    /// Checks the engine's stored data, if the test can read it.
    ///
    /// # Errors
    /// What does not fit.
    async fn check(&self, partition: &Partition) -> Result<(), String> {
        let _ = partition;
        Ok(())
    }
}

/// Runs a script. Returns the coverage.
///
/// # Errors
/// The step at which the subject and the machine differ, and how.
pub async fn run(subject: &dyn Subject, script: &Script) -> Result<Coverage, (usize, String)> {
    subject.set_time(START).await;
    let opened = subject.engine().open(&subject.queue(), PARTITIONS).await;
    opened.map_err(|error| (0, format!("open: {error}")))?;
    let mut run = Run::new(subject);
    for (index, step) in script.steps.iter().enumerate() {
        run.step(step).await.map_err(|why| (index, why))?;
        if index % 16 == 0 {
            run.audit().await.map_err(|why| (index, why))?;
        }
    }
    run.audit().await.map_err(|why| (script.steps.len(), why))?;
    Ok(run.coverage)
}

/// What the run knows of one partition.
#[derive(Default)]
struct Side {
    tables: NaiveTables,
    tokens: Tokens,
    /// The machine's handles, in the order of their claims.
    handles: Vec<Handle>,
    keys: Vec<JobKey>,
    /// Where pages of lists ended.
    places: Vec<ListPlace>,
    sessions: [Talk; 3],
}

/// The last request of a session.
#[derive(Default)]
struct Talk {
    number: u64,
    last: Option<Request>,
}

struct Run<'a> {
    subject: &'a dyn Subject,
    now: Duration,
    sides: [Side; PARTITIONS as usize],
    coverage: Coverage,
}

impl<'a> Run<'a> {
    fn new(subject: &'a dyn Subject) -> Self {
        Self { subject, now: START, sides: Default::default(), coverage: Coverage::default() }
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        match step {
            Step::Advance(by) => {
                self.now += *by;
                self.subject.set_time(self.now).await;
                Ok(())
            }
            Step::Submit(at, session, jobs) => {
                let submit = |session| Request::Submit(Submit { session, jobs: jobs.clone() });
                let request = match session {
                    None => submit(None),
                    Some(session) => {
                        self.side(*at).on_session(*session, |session| submit(Some(session)))
                    }
                };
                self.compare(*at, request).await
            }
            Step::Exchange(at, session, exchanging) => {
                let side = self.side(*at);
                let exchange = side.exchange(exchanging);
                let request = side.on_session(*session, |session| {
                    Request::Exchange(Exchange { session, ..exchange })
                });
                self.compare(*at, request).await
            }
            Step::Maintain(at, limit, policy) => {
                self.compare(*at, Request::Maintain(Maintain { limit: *limit, policy: *policy }))
                    .await
            }
            Step::Control(at, controlling) => {
                let request = Request::Control(self.side(*at).control(controlling));
                self.compare(*at, request).await
            }
            Step::Inspect(at, inspecting) => {
                let request = Request::Inspect(self.side(*at).inspect(*inspecting));
                self.compare(*at, request).await
            }
        }
    }

    fn side(&mut self, at: u32) -> &mut Side {
        &mut self.sides[at as usize]
    }

    async fn compare(&mut self, at: u32, request: Request) -> Result<(), String> {
        let now = self.now;
        let side = &mut self.sides[at as usize];
        let expected = answer(Machine::new(&mut side.tables, now), &request);
        let partition = Partition { queue: self.subject.queue(), number: at };
        let theirs = side.tokens.for_subject(request.clone());
        let given = ask(self.subject.engine(), &partition, theirs).await;
        let given = side.tokens.for_model(&expected, given)?;
        if given != expected {
            return Err(format!("{request:?}\n  expected {expected:?}\n  answered {given:?}"));
        }
        side.remember(&expected);
        self.coverage.see(&request, &expected);
        Ok(())
    }

    /// Compares the stored data of both sides, and checks its consistency.
    async fn audit(&mut self) -> Result<(), String> {
        for at in 0..PARTITIONS {
            for look in [
                Inspect::Counts,
                Inspect::Peek { after: None, limit: MAX_BATCH, bytes: BATCH_BYTES },
                Inspect::Dead { after: None, limit: MAX_BATCH, bytes: BATCH_BYTES },
                Inspect::Groups { after: None, limit: MAX_BATCH, default: GroupLimit::new() },
                list(State::Ready),
                list(State::Delayed),
                list(State::Running),
                list(State::Dead),
                list(State::Done),
            ] {
                self.compare(at, Request::Inspect(look)).await?;
            }
            for back in 0..LOOKED_UP {
                if let Some(key) = last(&self.side(at).keys, Pick(back)) {
                    let default = GroupLimit::new();
                    let look = Inspect::Job { key, bytes: true, default };
                    self.compare(at, Request::Inspect(look)).await?;
                }
            }
            for number in 0..LOOKED_UP {
                let key = format!("u{number}").into();
                self.compare(at, Request::Inspect(Inspect::Unique { key })).await?;
            }
            Dump::from(&self.side(at).tables).check().map_err(|why| format!("model: {why}"))?;
            let partition = Partition { queue: self.subject.queue(), number: at };
            self.subject.check(&partition).await.map_err(|why| format!("at rest: {why}"))?;
        }
        Ok(())
    }
}

impl Side {
    /// A request on a session: made by `make`, or the session's last request.
    fn on_session(
        &mut self,
        session: SessionUse,
        make: impl FnOnce(Session) -> Request,
    ) -> Request {
        let (SessionUse::Next(index)
        | SessionUse::Repeat(index)
        | SessionUse::Older(index)
        | SessionUse::Reused(index)
        | SessionUse::Less(index, _)) = session;
        let talk = &mut self.sessions[index];
        let name = format!("session-{index}").into();
        match (session, &talk.last) {
            (SessionUse::Repeat(_), Some(last)) => last.clone(),
            (SessionUse::Less(_, claim), Some(Request::Exchange(last))) => {
                Request::Exchange(Exchange { claim, ..last.clone() })
            }
            (SessionUse::Older(_), Some(_)) => make(Session { name, request: talk.number - 1 }),
            (SessionUse::Reused(_), Some(_)) => make(Session { name, request: talk.number }),
            _ => {
                talk.number += 1;
                let request = make(Session { name, request: talk.number });
                talk.last = Some(request.clone());
                request
            }
        }
    }

    fn exchange(&self, exchanging: &Exchanging) -> Exchange {
        let operations = exchanging.operations.iter();
        Exchange {
            session: Session { name: "".into(), request: 0 },
            acks: exchanging.acks.iter().filter_map(|pick| self.handle(*pick)).collect(),
            operations: operations
                .filter_map(|(pick, operation)| Some((self.handle(*pick)?, operation.clone())))
                .collect(),
            claim: exchanging.claim,
            policy: exchanging.policy,
        }
    }

    fn control(&self, controlling: &Controlling) -> Control {
        let keys =
            |picks: &[Pick]| picks.iter().filter_map(|pick| last(&self.keys, *pick)).collect();
        match controlling {
            Controlling::Pause => Control::Pause,
            Controlling::Resume => Control::Resume,
            Controlling::Cancel(picks) => Control::Cancel { keys: keys(picks) },
            Controlling::Discard(picks) => Control::Discard { keys: keys(picks) },
            Controlling::Redrive(picks, limit) => {
                Control::Redrive { keys: keys(picks), limit: *limit }
            }
            Controlling::Reschedule(picks, delay) => {
                Control::Reschedule { keys: keys(picks), delay: *delay }
            }
            Controlling::Purge => Control::Purge,
            Controlling::LimitGroup(group, limit) => {
                Control::LimitGroup { group: (*group).into(), limit: *limit }
            }
            Controlling::PauseGroup(group, time) => {
                Control::PauseGroup { group: (*group).into(), time: *time }
            }
        }
    }

    fn inspect(&self, inspecting: Inspecting) -> Inspect {
        let key = |after: Option<Pick>| after.and_then(|pick| last(&self.keys, pick));
        match inspecting {
            Inspecting::Counts => Inspect::Counts,
            Inspecting::Peek(after, limit, bytes) => {
                Inspect::Peek { after: key(after), limit, bytes }
            }
            Inspecting::Dead(after, limit, bytes) => {
                Inspect::Dead { after: key(after), limit, bytes }
            }
            Inspecting::Groups(after, limit, default) => {
                Inspect::Groups { after: after.map(Into::into), limit, default }
            }
            Inspecting::Job(pick, bytes, default) => {
                let key = last(&self.keys, pick).unwrap_or(JobKey::new(8, 1));
                Inspect::Job { key, bytes, default }
            }
            Inspecting::List(state, group, at, limit) => {
                let of_state = |place: &&ListPlace| place.state() == state;
                let places: Vec<_> = self.places.iter().filter(of_state).cloned().collect();
                let after = at.and_then(|pick| last(&places, pick));
                Inspect::List { state, group: group.map(Into::into), after, limit }
            }
        }
    }

    fn handle(&self, pick: PickHandle) -> Option<Handle> {
        let handle = last(&self.handles, pick.key)?;
        let token = pick.token.and_then(|pick| last(&self.handles, pick));
        Some(Handle { token: token.map_or(handle.token, |other| other.token), ..handle })
    }

    fn remember(&mut self, answer: &Answer) {
        if let Answer::Exchange(exchanged) = answer {
            self.handles.extend(exchanged.claimed.iter().map(|claimed| claimed.handle));
        }
        if let Answer::Inspect(Inspected::List(page)) = answer {
            self.places.extend(page.next.clone());
        }
        if let Answer::Submit(replies) = answer {
            self.keys.extend(replies.iter().filter_map(|reply| match reply {
                Submitted::Added(key) => Some(*key),
                Submitted::Duplicate(_) => None,
            }));
        }
    }
}

/// The first jobs of a state.
const fn list(state: State) -> Inspect {
    Inspect::List { state, group: None, after: None, limit: MAX_BATCH }
}

/// An item seen before, counted from the last one.
fn last<T: Clone>(seen: &[T], pick: Pick) -> Option<T> {
    let back = pick.0.checked_rem(seen.len())?;
    seen.iter().rev().nth(back).cloned()
}
