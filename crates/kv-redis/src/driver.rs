//! Everything that uses fred, the Redis client: no other module names one of its types.
//!
//! fred sends each command once. This module repeats reads, and bounds the time and the number of
//! calls, since fred's own bounds do not cover all of its calls.

mod access;
mod attempt;
mod budget;
mod cluster;
mod connect;
mod connector;
mod dedicated;
mod error;
mod health;
mod loaded;
mod node;
mod pool;
mod probe;
mod redirect;
mod request;
mod send;
mod sizes;
mod slot;
#[cfg(feature = "tls")]
mod tls;
mod topology;
mod tracking;

use std::collections::VecDeque;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;
use fred::error::Error as FredError;
use futures_util::future::join_all;
use kv_core::{Achieved, Effect, Error, ErrorKind, Result};
use tokio::sync::OnceCell;
use tokio::time::{Instant, timeout};

pub(crate) use self::access::Access;
use self::attempt::{Attempt, Moving};
pub(crate) use self::budget::{BUDGET, UNKNOWN, pieces};
pub(crate) use self::cluster::Cluster;
use self::connector::Connector;
pub(crate) use self::dedicated::Dedicated;
pub(crate) use self::pool::CallPool;
use self::redirect::Redirect;
pub(crate) use self::request::{Answer, Durable, Only, Request, SetExpiry, values_sent};
use self::send::SendMode;
pub(crate) use self::send::decimal;
pub(crate) use self::sizes::Sizes;
use self::topology::Topology;
pub(crate) use self::tracking::{Told, Tracking};
use crate::config::{Address, RedisConfig};
use crate::info::Info;

/// The most commands that wait to be written to one connection.
const MOST_WAITING: usize = 10_000;
/// The most commands of one call that are in flight at once on one connection.
const CHUNK: usize = 1_000;

/// The connections of one store.
pub(crate) struct Driver {
    topology: Topology,
    connector: Connector,
    server: String,
    timeout: Duration,
    retry_on_timeout: bool,
    sizes: Sizes,
    /// Whether a check has shown that the servers can wait for their disks.
    waits_for_disks: OnceCell<()>,
}

impl Driver {
    /// [`open`](Self::open) behind a pointer that hides its type: the caller's future stays small, and
    /// the driver is compiled in this crate, and not once more in each crate that connects.
    #[inline(never)]
    pub(crate) fn connect(
        config: RedisConfig,
    ) -> Pin<Box<dyn Future<Output = Result<Self>> + Send>> {
        Box::pin(Self::open(config))
    }

    /// Opens the connections and waits for one answer of the server.
    async fn open(config: RedisConfig) -> Result<Self> {
        let server = config.servers.to_string();
        let open = async {
            let connector = Connector::new(&config)?;
            let driver = Self {
                topology: Topology::open(&config, &connector).await?,
                connector,
                server: server.clone(),
                timeout: config.timeout,
                retry_on_timeout: config.retry_on_timeout,
                sizes: Sizes::default(),
                waits_for_disks: OnceCell::new(),
            };
            match driver.call(Request::Ping).await {
                // A server that cannot save to its disk answers PING with an error, but can be
                // read.
                Err(error) if error.kind() == ErrorKind::ReadOnly => {}
                answer => drop(answer?),
            }
            Ok(driver)
        };
        let driver: Result<Self> = match timeout(config.timeout, open).await {
            Ok(driver) => driver,
            Err(_) => Err(error::timed_out(&server)),
        };
        let driver = driver.map_err(|error| error.operation("connect"))?;
        tracing::info!(%server, connections = config.max_connections, "redis connected");
        Ok(driver)
    }

    /// The servers, as logs and errors show them.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// The estimated size of values.
    pub(crate) fn sizes(&self) -> &Sizes {
        &self.sizes
    }

    /// Whether a late read is sent again unchanged.
    pub(crate) fn repeats_late_reads(&self) -> bool {
        self.retry_on_timeout
    }

    /// An answer that others get, within the time of a call.
    pub(crate) async fn in_time<T>(
        &self,
        answer: impl Future<Output = Result<T>>,
        access: Access,
    ) -> Result<T> {
        match timeout(self.timeout, answer).await {
            Ok(answer) => answer,
            Err(_) => Err(error::late(access, &self.server)),
        }
    }

    /// The error of a call for which nobody can get an answer any more.
    pub(crate) fn no_answer(&self, access: Access) -> Error {
        let error = self.check_open().err().unwrap_or_else(|| error::unreachable(&self.server));
        match access {
            Access::Read => error,
            Access::Write => error.maybe_applied(),
        }
    }

    /// Whether the store was closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.connector.is_closed() { Err(Error::closed()) } else { Ok(()) }
    }

    /// The slot of a key, if keys of different slots cannot be in one request.
    pub(crate) fn slot_of(&self, key: &[u8]) -> Option<u16> {
        self.cluster().map(|_| slot::slot(key))
    }

    /// The places of keys, grouped by request: at most this many keys in one request, and on a
    /// Cluster only keys of one slot.
    pub(crate) fn together(&self, keys: &[Bytes], most: usize) -> Vec<Vec<usize>> {
        let mut places: Vec<_> = keys.iter().map(|key| self.slot_of(key)).zip(0..).collect();
        places.sort_unstable();
        let by_slot = places.chunk_by(|(one, _), (other, _)| one == other);
        by_slot
            .flat_map(|places| places.chunks(most.max(1)))
            .map(|places| places.iter().map(|(_, at)| *at).collect())
            .collect()
    }

    /// Sends one request.
    ///
    /// Does the same as [`run`](Self::run), with a shorter path to a connection that is ready.
    pub(crate) fn call(&self, request: Request) -> impl Future<Output = Result<Answer>> + Send {
        self.send(request, Moving::Wait)
    }

    /// Sends one request on several keys of one slot. While the slot is being moved, the request
    /// fails, since each key can be asked for alone.
    pub(crate) async fn call_together(&self, request: Request) -> Result<Answer> {
        Box::pin(self.send(request, Moving::Fail)).await
    }

    async fn send(&self, request: Request, moving: Moving) -> Result<Answer> {
        self.check_open()?;
        self.sizes.saw(request.largest_value());
        let (access, values) = (request.access(), request.values());
        let node = self.topology.node_for(&request)?;
        let connection = node.connection(1)?;
        if !connection.is_ready() || access == Access::Read && self.retry_on_timeout {
            return self.one(Attempt::new(self, vec![request]).when(moving), self.timeout).await;
        }
        let may_be_sent_again = access == Access::Read || self.is_sent_on();
        let again = may_be_sent_again.then(|| (request.clone(), Instant::now()));
        let before = connection.replies();
        // fred bounds its time.
        let answer = match connection.send(request, SendMode::Plain).await {
            Ok(answer) => {
                if values == 1 {
                    self.sizes.saw(answer.bytes().unwrap_or(0));
                }
                Ok(answer)
            }
            Err(fault) => {
                if error::is_timeout(&fault) && connection.replies() == before {
                    connection.report_stall();
                }
                if let Some((request, begin)) = again {
                    let attempt = Attempt::new(self, vec![request]).when(moving);
                    let attempt = attempt.after(&fault, &node);
                    return self.one(attempt, self.timeout.saturating_sub(begin.elapsed())).await;
                }
                Err(error::convert(&fault, access, &node.server))
            }
        };
        self.unless_closed(answer)
    }

    /// Whether a server may redirect a request to another server.
    fn is_sent_on(&self) -> bool {
        matches!(self.topology, Topology::Discovered(_))
    }

    /// Sends one request to each server that has keys, and returns each answer.
    pub(crate) async fn call_each(&self, request: Request) -> Result<Vec<Result<Answer>>> {
        self.check_open()?;
        let (nodes, missing) = self.topology.nodes();
        let calls = nodes
            .iter()
            .map(|node| self.one(Attempt::to(self, request.clone(), node), self.timeout));
        let mut answers = join_all(calls).await;
        let missing = missing.iter().map(ToString::to_string);
        answers.extend(missing.map(|server| Err(error::unreachable(&server))));
        Ok(answers)
    }

    /// Sends a write, and waits until copies have it. Returns the reply, and which copies have the
    /// write.
    ///
    /// # Errors
    /// `MaybeApplied` if the write was done but its copies are unknown.
    pub(crate) async fn call_durably(&self, durable: Durable) -> Result<(Answer, Achieved)> {
        self.check_open()?;
        durable.durability.check(self.timeout)?;
        if durable.durability.wants_disk() {
            self.check_disks().await?;
        }
        let attempt = Attempt::new(self, vec![Request::Durable(Box::new(durable))]);
        let Answer::List(parts) = self.one(attempt, self.timeout).await? else {
            return Err(unconfirmed());
        };
        let Ok([written, reached]) = <[Answer; 2]>::try_from(parts) else {
            return Err(unconfirmed());
        };
        Ok((written, achieved(&reached).ok_or_else(unconfirmed)?))
    }

    /// A server without WAITAOF, or without an append-only file, would write first and refuse
    /// afterwards.
    async fn check_disks(&self) -> Result<()> {
        let asked = async || {
            for answer in self.call_each(Request::Info).await? {
                // A server that does not say may still support it; if not, the error says that the
                // write may be done.
                if let Ok(Answer::Data(info)) = answer {
                    Info(&String::from_utf8_lossy(&info)).check_disk()?;
                }
            }
            Ok(())
        };
        self.waits_for_disks.get_or_try_init(asked).await.copied()
    }

    /// The Cluster, if there is one.
    pub(crate) fn cluster(&self) -> Option<Cluster<'_>> {
        match &self.topology {
            Topology::Discovered(found) if cfg!(feature = "cluster") && found.is_cluster() => {
                Some(Cluster { driver: self, found })
            }
            Topology::Discovered(_) | Topology::Fixed(_) => None,
        }
    }

    async fn one(&self, attempt: Attempt<'_>, time: Duration) -> Result<Answer> {
        let answer = Box::pin(attempt.finish(time)).await.pop().unwrap_or(Ok(Answer::Other));
        self.unless_closed(answer)
    }

    /// Sends many requests in order. Returns an answer for each, in order.
    ///
    /// As many requests are in flight at once as the budget of bytes allows; each such part has the
    /// timeout of a call. If a part is lost, later parts are not sent.
    pub(crate) async fn run(&self, requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        self.check_open()?;
        let mut answers = Vec::with_capacity(requests.len());
        let mut rest = VecDeque::from(requests);
        while !rest.is_empty() {
            let part = budget::first_part(&mut rest, &self.sizes);
            let reads_values = part.iter().any(|request| request.values() > 0);
            let begin = Instant::now();
            let answered = self.at_once(Attempt::new(self, part)).await;
            if reads_values {
                let sizes = answered.iter().flatten().filter_map(Answer::bytes);
                self.sizes.learn(sizes.max().unwrap_or(0));
            }
            let is_lost =
                answered.iter().flat_map(|answer| answer.as_ref().err()).any(error::is_lost);
            answers.extend(answered);
            if is_lost || begin.elapsed() >= self.timeout {
                break;
            }
        }
        answers.extend(rest.iter().map(|_| Err(error::not_sent(&self.server))));
        Ok(answers)
    }

    /// Sends many reads, all at once, and repeats no late read. Returns an answer for each, in
    /// order.
    pub(crate) async fn read_once(&self, requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        self.check_open()?;
        Ok(self.at_once(Attempt::new(self, requests).without_late_repeats()).await)
    }

    async fn at_once(&self, attempt: Attempt<'_>) -> Vec<Result<Answer>> {
        let answers = attempt.finish(self.timeout).await;
        answers.into_iter().map(|answer| self.unless_closed(answer)).collect()
    }

    /// If the store was closed meanwhile, a broken connection means `Closed`.
    fn unless_closed(&self, answer: Result<Answer>) -> Result<Answer> {
        answer.map_err(|error| if self.connector.is_closed() { closed(error) } else { error })
    }

    /// Lets the calls and then the commands in flight finish, and ends all connections.
    pub(crate) async fn close(&self, calls: impl Future<Output = ()>) -> Result<()> {
        let begin = Instant::now();
        let _ = timeout(self.timeout, calls).await;
        if self.connector.close() {
            return Ok(());
        }
        let (nodes, _) = self.topology.nodes();
        let quit = join_all(nodes.iter().map(|node| node.quit()));
        let ended = timeout(self.timeout.saturating_sub(begin.elapsed()), quit).await;
        nodes.iter().for_each(|node| node.end());
        tracing::info!(server = %self.server, "redis store closed");
        let ended = ended.map_err(|_| error::timed_out(&self.server))?;
        ended.into_iter().collect()
    }

    /// Where a node of a Cluster redirects a request.
    fn redirect(&self, fault: &FredError, asked: &Address) -> Option<Redirect> {
        self.cluster().and_then(|_| Redirect::of(fault, asked))
    }
}

/// Reads the answers of WAIT and WAITAOF.
fn achieved(reached: &Answer) -> Option<Achieved> {
    let count = |answer: &Answer| match answer {
        Answer::Int(count) => u32::try_from(*count).ok(),
        _ => None,
    };
    match reached {
        Answer::List(parts) => match parts.as_slice() {
            [local, replicas] => {
                Some(Achieved { replicas: count(replicas)?, on_disk: count(local)? > 0 })
            }
            _ => None,
        },
        replicas => Some(Achieved { replicas: count(replicas)?, on_disk: false }),
    }
}

fn unconfirmed() -> Error {
    let message = "the write was done, and the server does not tell how many copies there are";
    Error::new(ErrorKind::Backend, message).maybe_applied()
}

/// The error of a broken connection after the store was closed.
fn closed(error: Error) -> Error {
    match (error.kind(), error.effect()) {
        (ErrorKind::Connection | ErrorKind::Timeout, Effect::NotApplied) => Error::closed(),
        (ErrorKind::Connection | ErrorKind::Timeout, Effect::MaybeApplied) => {
            Error::closed().maybe_applied()
        }
        _ => error,
    }
}
