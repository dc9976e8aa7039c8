//! One call: sent, and redirected, until each of its requests is answered or its time ends.

mod group;

use std::mem;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use fred::error::Error as FredError;
use futures_util::future::join_all;
use kv_core::{ErrorKind, Result};
use tokio::time::{sleep, timeout};

use self::group::Group;
use super::access::Access;
use super::connect::Connection;
use super::node::Node;
use super::redirect::Redirect;
use super::request::{Answer, Request};
use super::topology::Topology;
use super::{Driver, error};

/// How often a read is sent at most if its connection breaks.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(5);
/// How long to wait at most before asking again for keys that are being moved to another node.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How often a request is redirected to another node at most.
const REDIRECTIONS: u32 = 16;

/// What becomes of a request on several keys whose slot is being moved: no node has all of them.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Moving {
    /// It is sent again until the move has ended.
    Wait,
    /// It fails at once.
    Fail,
}

/// What is known of one call while it runs.
pub(super) struct Attempt<'a> {
    driver: &'a Driver,
    /// For each request, in the order of the requests.
    tracks: Vec<Track>,
    /// The requests still to be sent, in the same order.
    pending: Vec<Pending>,
    is_write: bool,
    /// Whether late requests are sent again, if all of them are reads.
    repeats_late: bool,
    moving: Moving,
    /// The number of rounds in which requests were handed over.
    rounds: u32,
    /// The connections of the last round, and how many replies each had had.
    watched: Vec<(Arc<Connection>, u64)>,
}

/// The state of one request.
struct Track {
    access: Access,
    /// Whether the request was handed over and has no reply yet.
    is_under_way: AtomicBool,
    redirections: u32,
    /// The answer, unless a better one comes.
    answer: Option<Result<Answer>>,
}

impl Track {
    fn is_late(&self) -> bool {
        matches!(&self.answer, Some(Err(error)) if error.kind() == ErrorKind::Timeout)
    }
}

/// A request to send, perhaps again.
struct Pending {
    at: usize,
    request: Request,
    target: Target,
}

impl Pending {
    /// Whether to send ASKING first, since the node does not own the slot yet.
    fn is_asking(&self) -> bool {
        matches!(self.target, Target::Asking(_))
    }
}

/// The receiver.
enum Target {
    /// The known owner of the key.
    Owner,
    /// The owner of the key after the next refresh of the topology.
    NewOwner,
    This(Arc<Node>),
    /// This node, this once, since it is about to own the key.
    Asking(Arc<Node>),
}

impl<'a> Attempt<'a> {
    pub(super) fn new(driver: &'a Driver, requests: Vec<Request>) -> Self {
        let track = |request: &Request| Track {
            access: request.access(),
            is_under_way: AtomicBool::new(false),
            redirections: 0,
            answer: None,
        };
        let tracks: Vec<_> = requests.iter().map(track).collect();
        let is_write = tracks.iter().any(|track| track.access == Access::Write);
        let pending = requests.into_iter().enumerate();
        let pending = pending.map(|(at, request)| Pending { at, request, target: Target::Owner });
        Self {
            driver,
            tracks,
            pending: pending.collect(),
            is_write,
            repeats_late: driver.retry_on_timeout,
            moving: Moving::Wait,
            rounds: 0,
            watched: Vec::new(),
        }
    }

    /// Repeats no request only because it is late.
    pub(super) fn without_late_repeats(self) -> Self {
        Self { repeats_late: false, ..self }
    }

    /// A request that this node is to answer.
    pub(super) fn to(driver: &'a Driver, request: Request, node: &Arc<Node>) -> Self {
        let mut attempt = Self::new(driver, vec![request]);
        for pending in &mut attempt.pending {
            pending.target = Target::This(Arc::clone(node));
        }
        attempt
    }

    /// What becomes of a request whose keys are being moved.
    pub(super) fn when(self, moving: Moving) -> Self {
        Self { moving, ..self }
    }

    /// The requests were already sent to this node, and failed with this error.
    pub(super) fn after(mut self, fault: &FredError, node: &Node) -> Self {
        self.rounds = 1;
        for pending in mem::take(&mut self.pending) {
            self.failed(pending, fault, node);
        }
        self
    }

    /// Returns an answer for each request, within the time.
    pub(super) async fn finish(mut self, time: Duration) -> Vec<Result<Answer>> {
        let in_time = timeout(time, self.send_all()).await;
        if in_time.is_err() || self.tracks.iter().any(Track::is_late) {
            self.report_stalls();
        }
        let server = &self.driver.server;
        let answers = self.tracks.into_iter().map(|track| match track.answer {
            _ if in_time.is_err() && track.is_under_way.into_inner() => {
                Err(error::late(track.access, server))
            }
            Some(answer) => answer,
            None => Err(error::unreachable(server)),
        });
        answers.collect()
    }

    async fn send_all(&mut self) {
        while !self.pending.is_empty() {
            self.pause().await;
            if self.pending.iter().any(|pending| matches!(pending.target, Target::NewOwner)) {
                self.driver.topology.looked().await;
            }
            let groups = self.groups().await;
            self.watched = groups
                .iter()
                .map(|it| (Arc::clone(&it.connection), it.connection.replies()))
                .collect();
            let slice = self.slice();
            self.rounds += 1;
            let sent = groups.iter().map(|group| group.send(&self.tracks, slice));
            let sent = join_all(sent).await;
            for (group, outcomes) in groups.into_iter().zip(sent) {
                self.heed(group, outcomes);
            }
            self.pending.sort_unstable_by_key(|pending| pending.at);
        }
    }

    /// Replaces a connection without any reply in the time of a call.
    fn report_stalls(&self) {
        for (connection, before) in &self.watched {
            if connection.replies() == *before {
                connection.report_stall();
            }
        }
    }

    /// How long one round of reads may take before the reads are repeated.
    fn slice(&self) -> Option<Duration> {
        let is_repeated = !self.is_write && self.repeats_late;
        is_repeated.then(|| self.driver.timeout / ATTEMPTS)
    }

    /// Groups the requests by connection. Answers requests that have no receiver.
    async fn groups(&mut self) -> Vec<Group> {
        let mut groups: Vec<Group> = Vec::new();
        for pending in mem::take(&mut self.pending) {
            let node = match &pending.target {
                Target::Owner | Target::NewOwner => self.driver.topology.node_for(&pending.request),
                Target::This(node) | Target::Asking(node) => Ok(Arc::clone(node)),
            };
            let is_durable = matches!(pending.request, Request::Durable(_));
            let group = match node {
                Ok(node) => self.group(&mut groups, node, is_durable).await,
                Err(error) => Err(error),
            };
            match group {
                Ok(group) => group.pending.push(pending),
                Err(error) => self.answer(pending.at, Err(error)),
            }
        }
        groups
    }

    /// The group of requests to the same connection; a new group if there is none.
    async fn group<'g>(
        &self,
        groups: &'g mut Vec<Group>,
        node: Arc<Node>,
        is_durable: bool,
    ) -> Result<&'g mut Group> {
        let at = match groups.iter().position(|group| group.is_for(&node, is_durable)) {
            Some(at) => at,
            None => {
                let count = self.tracks.len();
                let connection = Arc::clone(match is_durable {
                    true => node.durable_connection(count).await?,
                    false => node.connection(count)?,
                });
                groups.push(Group { node, connection, is_durable, pending: Vec::new() });
                groups.len() - 1
            }
        };
        groups.get_mut(at).ok_or_else(|| error::unreachable(&self.driver.server))
    }

    fn heed(&mut self, group: Group, outcomes: Result<Vec<group::Outcome>>) {
        let Group { node, pending, .. } = group;
        match outcomes {
            Ok(outcomes) => {
                for (pending, outcome) in pending.into_iter().zip(outcomes) {
                    match outcome {
                        Ok(answer) => self.answer(pending.at, Ok(answer)),
                        Err(fault) => self.failed(pending, &fault, &node),
                    }
                }
            }
            Err(refusal) => {
                self.driver.topology.refresh_soon();
                // The known owner of the key may have been replaced: one refresh tells.
                let is_looked_up = self.rounds == 1
                    && refusal.kind() == ErrorKind::Connection
                    && matches!(self.driver.topology, Topology::Discovered(_));
                for pending in pending {
                    self.answer(pending.at, Err(refusal.clone()));
                    if is_looked_up && matches!(pending.target, Target::Owner) {
                        self.pending.push(Pending { target: Target::NewOwner, ..pending });
                    }
                }
            }
        }
    }

    fn answer(&mut self, at: usize, answer: Result<Answer>) {
        if let Some(track) = self.tracks.get_mut(at) {
            *track.is_under_way.get_mut() = false;
            track.answer = Some(answer);
        }
    }

    /// Answers with an error, unless the request can be sent again.
    fn failed(&mut self, pending: Pending, fault: &FredError, node: &Node) {
        let redirect = self.driver.redirect(fault, &node.address);
        let error = match redirect {
            Some(Redirect::Moved { .. } | Redirect::Ask { .. }) => error::sent_on(&node.server),
            Some(Redirect::TryAgain) | None => {
                error::convert(fault, pending.request.access(), &node.server)
            }
        };
        let target = match redirect {
            Some(redirect) => self.sent_on(pending.at, redirect),
            None => self.next_target(&pending, fault),
        };
        self.answer(pending.at, Err(error));
        if let Some(target) = target {
            self.pending.push(Pending { target, ..pending });
        }
    }

    /// The new receiver of a request that a node redirected.
    fn sent_on(&mut self, at: usize, redirect: Redirect) -> Option<Target> {
        let Topology::Discovered(found) = &self.driver.topology else { return None };
        let track = self.tracks.get_mut(at)?;
        track.redirections += 1;
        match redirect {
            Redirect::TryAgain if self.moving == Moving::Fail => None,
            Redirect::TryAgain => {
                // A move may last long and redirect the request back and forth.
                track.redirections = 0;
                Some(Target::Owner)
            }
            _ if track.redirections > REDIRECTIONS => None,
            Redirect::Moved { slot, to } => {
                Some(found.moved(slot, &to).map_or(Target::NewOwner, Target::This))
            }
            Redirect::Ask { to } => Some(found.met(&to).map_or(Target::NewOwner, Target::Asking)),
        }
    }

    /// The receiver of the repeat of a lost request.
    fn next_target(&self, pending: &Pending, fault: &FredError) -> Option<Target> {
        if error::is_broken_connection(fault) {
            self.driver.topology.refresh_soon();
        }
        let may_repeat =
            error::is_broken_connection(fault) || self.repeats_late && error::is_timeout(fault);
        let is_repeated = !self.is_write && self.rounds < ATTEMPTS && may_repeat;
        is_repeated.then(|| match (&pending.request.key(), &pending.target) {
            (None, Target::This(node)) => Target::This(Arc::clone(node)),
            _ => Target::Owner,
        })
    }

    /// Waits a while before a round that repeats requests which were not redirected.
    async fn pause(&self) {
        let is_sent_on = |pending: &Pending| !matches!(pending.target, Target::Owner);
        if self.rounds > 0 && !self.pending.iter().all(is_sent_on) {
            sleep((PAUSE * self.rounds).min(LONGEST_PAUSE)).await;
        }
    }
}
