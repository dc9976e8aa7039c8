//! The supervisor: waits for what the slots and the exchanges do not bring by themselves.

use std::fmt;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::Counts;
use serde::de::DeserializeOwned;
use tokio::task::JoinSet;
use tokio::time::{Instant, Interval, MissedTickBehavior};

use super::board::Board;
use super::slot::Crew;
use super::{Worker, WorkerSummary};
use crate::queue::Delivery;
use crate::requests::Requests;

/// How long one wait for wake-ups takes at most. It finds what is due and nobody told of.
const WAIT: Duration = Duration::from_secs(2);

/// How often a partition is looked at whatever the waits say, give or take a third.
const LOOK: Duration = Duration::from_secs(20);

/// How often it is asked whether all is done, unless the own work has just run out.
const ASK: Duration = Duration::from_secs(1);

/// The longest pause after waits that brought nothing.
const FUTILE: Duration = Duration::from_millis(32);

/// How long a worker that had no room listens to no wake-up, so that it does not begin and end
/// waits with each job.
const FULL: Duration = Duration::from_millis(5);

/// How long a stop waits for the store's verdicts after the handlers have ended.
const GRACE: Duration = Duration::from_secs(2);

type Call<R> = Option<Pin<Box<dyn Future<Output = Result<R>> + Send>>>;

struct Supervisor<T, H> {
    worker: Worker<T>,
    requests: Arc<Requests>,
    board: Arc<Board>,
    crew: Arc<Crew<H>>,
    slots: JoinSet<()>,
    tends: JoinSet<()>,
    beat: Interval,
    wait: Call<Vec<u32>>,
    wait_at: Instant,
    wait_failures: u32,
    look_at: Instant,
    ask: Call<Option<Vec<Counts>>>,
    ask_at: Instant,
    ask_failures: u32,
}

pub(super) async fn run<T, H, Fut, E>(worker: Worker<T>, handler: H) -> Result<WorkerSummary>
where
    T: DeserializeOwned + Send + 'static,
    H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    let mut supervisor = Supervisor::new(worker, handler);
    let ended = supervisor.supervise().await;
    supervisor.finish().await;
    let summary = supervisor.board.state().summary;
    ended.map(|()| summary)
}

impl<T, H, Fut, E> Supervisor<T, H>
where
    T: DeserializeOwned + Send + 'static,
    H: Fn(Delivery<T>) -> Fut + Send + Sync + 'static,
    Fut: Future<Output = Result<(), E>> + Send + 'static,
    E: fmt::Display + Send + 'static,
{
    /// Adds slots, sees to what is due and listens, until stopped, drained, or struck by an error
    /// that waiting does not mend.
    async fn supervise(&mut self) -> Result<()> {
        let stop = self.worker.stop.clone();
        while !stop.is_cancelled() {
            self.requests.connection.check_open()?;
            if let Some(error) = self.board.state().failed.take() {
                return Err(error);
            }
            self.add_slots();
            let next = self.see_to_what_is_due();
            tokio::select! {
                () = stop.cancelled() => return Ok(()),
                () = self.board.poked() => self.board.seek(),
                named = called(&mut self.wait) => self.woken(named),
                left = called(&mut self.ask) => {
                    if self.has_ended(left)? {
                        return Ok(());
                    }
                }
                Some(_) = self.tends.join_next() => {}
                _ = self.beat.tick() => self.board.renew(),
                () = tokio::time::sleep_until(next) => {}
            }
        }
        Ok(())
    }

    fn add_slots(&mut self) {
        let mut state = self.board.state();
        for _ in 0..state.lacking_slots() {
            let slot = state.slots.len();
            state.slots.push(None);
            self.slots.spawn(Arc::clone(&self.crew).work(slot));
        }
    }
}

impl<T: DeserializeOwned + Send + 'static, H> Supervisor<T, H> {
    fn new(worker: Worker<T>, handler: H) -> Self {
        let requests = Arc::clone(worker.queue.requests());
        let board = Board::new(&worker);
        let crew = Crew {
            board: Arc::clone(&board),
            requests: Arc::clone(&requests),
            handler,
            job_timeout: worker.job_timeout,
        };
        let now = Instant::now();
        let period = (requests.connection.settings.lease / 3).max(Duration::from_millis(1));
        let mut beat = tokio::time::interval_at(now + period, period);
        beat.set_missed_tick_behavior(MissedTickBehavior::Delay);
        // All partitions are looked at, to begin with.
        board.change(|_| ());
        Self {
            worker,
            requests,
            board,
            crew: Arc::new(crew),
            slots: JoinSet::new(),
            tends: JoinSet::new(),
            beat,
            wait: None,
            wait_at: now,
            wait_failures: 0,
            look_at: now + LOOK,
            ask: None,
            ask_at: now,
            ask_failures: 0,
        }
    }

    /// Tends what is due, looks where nobody told to look, listens for wake-ups, asks for the
    /// end; when there will be more of this to do.
    fn see_to_what_is_due(&mut self) -> Instant {
        let now = Instant::now();
        self.tend();
        if now >= self.look_at {
            self.look_at = now + LOOK.mul_f64(5.0 / 6.0 + fastrand::f64() / 3.0);
            self.look();
        }
        self.listen(now);
        self.ask(now);
        self.next_turn(now)
    }

    fn tend(&mut self) {
        let due = self.board.state().take_due(self.tends.len());
        for number in due {
            let (requests, board) = (Arc::clone(&self.requests), Arc::clone(&self.board));
            self.tends.spawn(async move {
                let connection = &requests.connection;
                let Ok(partition) = connection.partition(number) else { return };
                board.tended(number, connection.tend(partition).await);
            });
        }
    }

    fn look(&self) {
        self.board.change(|state| {
            if state.room() > 0 {
                state.heat_next();
            }
        });
    }

    /// Waits for wake-ups in all partitions, but only while there is room for jobs: a wake-up
    /// that is for one worker among all must not reach one that can do nothing.
    fn listen(&mut self, now: Instant) {
        let has_room = {
            let mut state = self.board.state();
            let has_room = state.room() > 0;
            (state.wants_room, state.listens) = (!has_room, has_room);
            has_room
        };
        if !has_room {
            return self.fall_silent(now);
        }
        if self.wait.is_some() || now < self.wait_at {
            return;
        }
        if self.wait_failures > 0 {
            // Whether the store is back shows sooner by a look than by a wait that lasts.
            self.look();
        }
        let requests = Arc::clone(&self.requests);
        self.wait = Some(Box::pin(async move {
            let connection = &requests.connection;
            let wait = connection.engine.wait(&connection.partitions, WAIT);
            tokio::time::timeout(WAIT * 2, wait).await.unwrap_or_else(|_| Ok(Vec::new()))
        }));
    }

    /// Ends the wait, if there is one. What it has to tell already is not lost.
    fn fall_silent(&mut self, now: Instant) {
        let Some(mut wait) = self.wait.take() else { return };
        self.wait_at = now + FULL;
        let context = &mut Context::from_waker(Waker::noop());
        if let Poll::Ready(Ok(named)) = wait.as_mut().poll(context) {
            self.board.change(|state| named.iter().for_each(|number| state.heat(*number, true)));
        }
    }

    fn woken(&mut self, named: Result<Vec<u32>>) {
        let pause = match named {
            Ok(named) => {
                self.wait_failures = 0;
                self.board.change(|state| {
                    named.iter().for_each(|number| state.heat(*number, true));
                    state.futile = state.futile.saturating_add(1);
                    // An engine that returns early, or where others are faster, is not asked
                    // without end.
                    let doublings = state.futile.saturating_sub(2).min(31);
                    match state.futile {
                        1 => Duration::ZERO,
                        _ => Duration::from_millis(1 << doublings).min(FUTILE),
                    }
                })
            }
            Err(error) => {
                self.wait_failures = self.wait_failures.saturating_add(1);
                let pause = self.board.state().wait_failed(self.wait_failures);
                tracing::warn!(%error, ?pause, "wake-ups cannot be waited for");
                pause
            }
        };
        self.wait_at = Instant::now() + pause;
    }

    /// Asks whether all is done, if that may be.
    fn ask(&mut self, now: Instant) {
        if !self.worker.until_drained || self.ask.is_some() {
            return;
        }
        {
            let mut state = self.board.state();
            let at_once = state.worked && self.ask_failures == 0 && !state.knows_of_due_jobs();
            if !state.has_run_out() || now < self.ask_at && !at_once {
                return;
            }
            state.worked = false;
        }
        self.ask_at = now + ASK;
        let queue = self.worker.queue.clone();
        self.ask = Some(Box::pin(async move { queue.outstanding().await }));
    }

    /// Whether all is done. What is not tells where to look.
    fn has_ended(&mut self, left: Result<Option<Vec<Counts>>>) -> Result<bool> {
        match left {
            Ok(None) => return Ok(true),
            Ok(Some(counts)) => {
                self.ask_failures = 0;
                self.board.change(|state| state.hear_of(&counts));
            }
            Err(error) if error.kind().is_passing() => {
                self.ask_failures = self.ask_failures.saturating_add(1);
                let pause = self.board.state().wait_failed(self.ask_failures);
                tracing::warn!(%error, ?pause, "the end cannot be asked for");
                self.ask_at = Instant::now() + pause;
            }
            Err(error) => return Err(error),
        }
        Ok(false)
    }

    fn next_turn(&self, now: Instant) -> Instant {
        let mut state = self.board.state();
        let mut next = self.look_at;
        if self.wait.is_none() && self.wait_at > now {
            next = next.min(self.wait_at);
        }
        if self.ask.is_none() && self.ask_at > now && self.worker.until_drained {
            next = next.min(self.ask_at);
        }
        let may_tend = self.tends.len() < state.most_tends();
        if let Some(due) = state.next_due.filter(|_| may_tend) {
            next = next.min(due);
        }
        state.sleeps_until = Some(next);
        next
    }

    /// Hands back what was not begun, gives running jobs their time, then drops and hands back
    /// what is left.
    async fn finish(&mut self) {
        (self.wait, self.ask) = (None, None);
        self.board.stop();
        let mut deadline = pin!(tokio::time::sleep(self.worker.stop_within));
        while !self.board.state().is_quiet() {
            tokio::select! {
                () = self.board.poked() => {}
                _ = self.beat.tick() => self.board.renew(),
                () = &mut deadline => break,
            }
        }
        self.slots.shutdown().await;
        self.board.hand_back_running();
        let grace = GRACE.min(self.requests.connection.settings.timeout);
        let verdicts = async {
            while !self.board.state().is_over() {
                self.board.poked().await;
            }
        };
        if tokio::time::timeout(grace, verdicts).await.is_err() {
            tracing::warn!("the store did not answer to the last; leases end by themselves");
        }
    }
}

impl<T, H> Drop for Supervisor<T, H> {
    fn drop(&mut self) {
        self.board.abandon();
    }
}

/// Ends when the call does, if there is one, which is used up then.
async fn called<R>(call: &mut Call<R>) -> Result<R> {
    let Some(under_way) = call else { return std::future::pending().await };
    let answer = under_way.await;
    *call = None;
    answer
}
