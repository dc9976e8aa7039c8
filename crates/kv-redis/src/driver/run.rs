//! One call: sent, and sent on, until each of its requests is answered or its time is over.

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
use super::connect::Link;
use super::node::Node;
use super::redirect::Redirect;
use super::request::{Access, Answer, Request};
use super::topology::Topology;
use super::{Driver, error};

/// How often a read is sent at most when the connection breaks under it.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(5);
/// How long to wait at most before asking again for keys that are on their way to another node.
const LONGEST_PAUSE: Duration = Duration::from_millis(100);
/// How often a request is sent on to another node at most.
const REDIRECTIONS: u32 = 16;

/// What is known of one call while it runs.
pub(super) struct Run<'a> {
    driver: &'a Driver,
    /// Of each request, in the order in which they were given.
    tracks: Vec<Track>,
    /// What is still to be sent, in that order, too.
    pending: Vec<Pending>,
    is_write: bool,
    /// Whether what is late is sent again, if all of it are reads.
    repeats_late: bool,
    /// How often something was handed over.
    rounds: u32,
    /// What was handed over last: the connections, and how many replies each had had.
    watched: Vec<(Arc<Link>, u64)>,
}

/// What became of one request so far.
struct Track {
    access: Access,
    /// Whether it was handed over and its reply is not known.
    is_under_way: AtomicBool,
    redirections: u32,
    /// What is to be said if nothing better comes.
    answer: Option<Result<Answer>>,
}

impl Track {
    fn is_late(&self) -> bool {
        matches!(&self.answer, Some(Err(error)) if error.kind() == ErrorKind::Timeout)
    }
}

/// A request that is to be sent, perhaps again.
struct Pending {
    at: usize,
    request: Request,
    target: Target,
}

impl Pending {
    /// Whether the node is asked for what it does not own yet.
    fn is_asking(&self) -> bool {
        matches!(self.target, Target::Asking(_))
    }
}

/// To whom.
enum Target {
    /// Who has its key, as far as is known.
    Owner,
    /// Who has its key, as soon as that was looked up again.
    NewOwner,
    This(Arc<Node>),
    /// For this once, since it is about to have the key.
    Asking(Arc<Node>),
}

impl<'a> Run<'a> {
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
            rounds: 0,
            watched: Vec::new(),
        }
    }

    /// Sends nothing again only because it is late.
    pub(super) fn without_late_repeats(self) -> Self {
        Self { repeats_late: false, ..self }
    }

    /// A request that this node is to answer.
    pub(super) fn to(driver: &'a Driver, request: Request, node: &Arc<Node>) -> Self {
        let mut run = Self::new(driver, vec![request]);
        for pending in &mut run.pending {
            pending.target = Target::This(Arc::clone(node));
        }
        run
    }

    /// A request that was sent already, to this node, and failed so.
    pub(super) fn after(
        driver: &'a Driver,
        request: Request,
        fault: &FredError,
        node: &Node,
    ) -> Self {
        let mut run = Self::new(driver, vec![request]);
        run.rounds = 1;
        for pending in mem::take(&mut run.pending) {
            run.failed(pending, fault, node);
        }
        run
    }

    /// An answer for each request, within the time.
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
            self.watched =
                groups.iter().map(|it| (Arc::clone(&it.link), it.link.replies())).collect();
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

    /// A connection over which nothing at all came back in the time of a call is replaced.
    fn report_stalls(&self) {
        for (link, before) in &self.watched {
            if link.replies() == *before {
                link.report_stall();
            }
        }
    }

    /// How long one round of reads may take that are repeated when it does not end in time.
    fn slice(&self) -> Option<Duration> {
        let is_repeated = !self.is_write && self.repeats_late;
        is_repeated.then(|| self.driver.timeout / ATTEMPTS)
    }

    /// What is to be sent, by connection. What has nowhere to go is answered.
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

    /// The group of those that go the same way, which may be a new one.
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
                let link = Arc::clone(match is_durable {
                    true => node.durable_link(count).await?,
                    false => node.link(count)?,
                });
                groups.push(Group { node, link, is_durable, pending: Vec::new() });
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
                self.driver.topology.look_soon();
                // Whoever is known to have the key may have been replaced: one look tells.
                let is_looked_up = self.rounds == 1
                    && refusal.kind() == ErrorKind::Connection
                    && matches!(self.driver.topology, Topology::Found(_));
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

    /// Where to send on what a node of a Cluster did not execute.
    fn sent_on(&mut self, at: usize, redirect: Redirect) -> Option<Target> {
        let Topology::Found(found) = &self.driver.topology else { return None };
        let track = self.tracks.get_mut(at)?;
        track.redirections += 1;
        match redirect {
            Redirect::TryAgain => {
                // A move lasts as long as it lasts, and may send this to and fro.
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

    /// Where to send again what is lost.
    fn next_target(&self, pending: &Pending, fault: &FredError) -> Option<Target> {
        if error::is_broken_connection(fault) {
            self.driver.topology.look_soon();
        }
        let may_repeat =
            error::is_broken_connection(fault) || self.repeats_late && error::is_timeout(fault);
        let is_repeated = !self.is_write && self.rounds < ATTEMPTS && may_repeat;
        is_repeated.then(|| match (&pending.request.key(), &pending.target) {
            (None, Target::This(node)) => Target::This(Arc::clone(node)),
            _ => Target::Owner,
        })
    }

    /// Waits a while before something is sent again that was not sent on.
    async fn pause(&self) {
        let is_sent_on = |pending: &Pending| !matches!(pending.target, Target::Owner);
        if self.rounds > 0 && !self.pending.iter().all(is_sent_on) {
            sleep((PAUSE * self.rounds).min(LONGEST_PAUSE)).await;
        }
    }
}
