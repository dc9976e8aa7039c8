//! Everything that touches the Redis library: no other module names one of its types.
//!
//! The library sends each command once. Reads are repeated here, and every call is bounded here
//! in time and number: the library's own bounds do not hold for all of its calls.

mod connect;
mod error;
mod health;
mod request;
mod send;

use std::mem;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use fred::error::{Error as FredError, ErrorKind as FredKind};
use futures_util::future::{FutureExt, join_all, maybe_done, try_join_all};
use kv_core::{Effect, Error, ErrorKind, Result};
use tokio::time::{sleep, timeout};

use self::connect::Link;
pub(crate) use self::request::{Access, Answer, Only, Request, SetExpiry};
pub(crate) use self::send::decimal;
use crate::config::RedisConfig;

/// The most commands that wait to be written to one connection.
const MOST_WAITING: usize = 10_000;
/// The most commands of one call that are under way at once.
const CHUNK: usize = 1_000;
/// How often a read is sent at most.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(5);

/// What came back for one request, in the library's terms.
type Outcome = Result<Answer, FredError>;

/// The connections of one store.
pub(crate) struct Driver {
    links: Vec<Link>,
    next: AtomicUsize,
    closed: Arc<AtomicBool>,
    server: String,
    timeout: Duration,
    retry_on_timeout: bool,
}

impl Driver {
    /// Opens the connections and has the server answer once.
    pub(crate) async fn connect(config: RedisConfig) -> Result<Self> {
        let server = config.server();
        let open = async {
            let closed = Arc::new(AtomicBool::new(false));
            let links = (0..config.max_connections).map(|_| Link::open(&config, &closed));
            let links = try_join_all(links).await?;
            let driver = Self {
                links,
                next: AtomicUsize::new(0),
                closed,
                server: server.clone(),
                timeout: config.timeout,
                retry_on_timeout: config.retry_on_timeout,
            };
            match driver.call(Request::Ping).await {
                // A server that cannot save to its disk says so to PING, and can be read.
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

    /// `host:port`.
    pub(crate) fn server(&self) -> &str {
        &self.server
    }

    /// Whether the store was closed.
    pub(crate) fn check_open(&self) -> Result<()> {
        if self.closed.load(Ordering::SeqCst) { Err(Error::closed()) } else { Ok(()) }
    }

    /// Sends one request.
    ///
    /// It does what [`run`](Self::run) does, and has a shorter way to a connection that is ready.
    pub(crate) async fn call(&self, request: Request) -> Result<Answer> {
        self.check_open()?;
        let link = self.link(1)?;
        let access = request.access();
        if !link.is_ready() || access == Access::Read && self.retry_on_timeout {
            return self.call_on(link, request).await;
        }
        let before = link.replies();
        let again = (access == Access::Read).then(|| request.clone());
        let sent = pin!(async {
            match (link.send(request, false).await, again) {
                (Ok(answer), _) => Ok(answer),
                (Err(fault), Some(again)) if self.may_repeat(&fault) => {
                    self.call_on(link, again).await
                }
                (Err(fault), _) => Err(error::convert(&fault, access, &self.server)),
            }
        });
        let answer = timeout(self.timeout, sent).await.unwrap_or_else(|_| {
            let late = error::timed_out(&self.server);
            Err(if access == Access::Write { late.maybe_applied() } else { late })
        });
        let is_late = answer.as_ref().is_err_and(|error| error.kind() == ErrorKind::Timeout);
        if is_late && link.replies() == before {
            link.report_stall();
        }
        if self.check_open().is_ok() { answer } else { answer.map_err(closed) }
    }

    async fn call_on(&self, link: &Link, request: Request) -> Result<Answer> {
        let answer = Box::pin(self.run_on(link, vec![request])).await?.pop();
        answer.unwrap_or(Ok(Answer::Other))
    }

    /// Sends many requests in order, all under way at once; an answer for each, in order.
    pub(crate) async fn run(&self, requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        self.check_open()?;
        if requests.is_empty() {
            return Ok(Vec::new());
        }
        self.run_on(self.link(requests.len())?, requests).await
    }

    async fn run_on(&self, link: &Link, requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        let before = link.replies();
        let mut attempt = Attempt::new(link, requests);
        let answers = match timeout(self.timeout, self.repeat(&mut attempt)).await {
            Ok(answers) => answers,
            Err(_) => Err(attempt.expired(&self.server)),
        };
        if is_late(&answers) && link.replies() == before {
            link.report_stall();
        }
        if self.check_open().is_ok() {
            return answers;
        }
        let answers = answers.map_err(closed)?;
        Ok(answers.into_iter().map(|answer| answer.map_err(closed)).collect())
    }

    /// Lets the commands that are under way finish, and ends all connections.
    pub(crate) async fn close(&self) -> Result<()> {
        if self.closed.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        let quit = join_all(self.links.iter().map(Link::quit));
        let ended = timeout(self.timeout, quit).await;
        self.links.iter().for_each(Link::end);
        tracing::info!(server = %self.server, "redis store closed");
        let ended = ended.map_err(|_| error::timed_out(&self.server))?;
        let fault =
            ended.into_iter().find_map(|quit| quit.err().filter(|fault| !fault.is_canceled()));
        fault.map_or(Ok(()), |fault| Err(error::convert(&fault, Access::Read, &self.server)))
    }

    /// The next connection in turn, if it has room.
    fn link(&self, commands: usize) -> Result<&Link> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.links.len().max(1);
        let link = self.links.get(turn).ok_or_else(|| error::unreachable(&self.server))?;
        if link.waiting() + commands.min(CHUNK) > MOST_WAITING {
            return Err(error::backpressure(&self.server));
        }
        Ok(link)
    }

    async fn repeat(&self, attempt: &mut Attempt<'_>) -> Result<Vec<Result<Answer>>> {
        loop {
            attempt.link.ready().await?;
            let outcomes = self.once(attempt).await;
            let faults = || outcomes.iter().filter_map(|outcome| outcome.as_ref().err());
            if !attempt.is_last() && faults().any(|fault| self.may_repeat(fault)) {
                tracing::debug!(server = %self.server, attempt = attempt.number, "redis read repeated");
                sleep(PAUSE * attempt.number).await;
                continue;
            }
            let answers = outcomes.into_iter().zip(&attempt.accesses).map(|(outcome, access)| {
                outcome.map_err(|fault| error::convert(&fault, *access, &self.server))
            });
            return Ok(answers.collect());
        }
    }

    async fn once(&self, attempt: &mut Attempt<'_>) -> Vec<Outcome> {
        let link = attempt.link;
        let requests = attempt.start();
        if attempt.is_write || !self.retry_on_timeout {
            return send_all(link, requests).await;
        }
        let late = || Err(FredError::new(FredKind::Timeout, "Request timed out."));
        let count = requests.len();
        let sent = timeout(self.timeout / ATTEMPTS, send_all(link, requests)).await;
        sent.unwrap_or_else(|_| std::iter::repeat_with(late).take(count).collect())
    }

    fn may_repeat(&self, fault: &FredError) -> bool {
        error::is_broken_connection(fault) || (self.retry_on_timeout && error::is_timeout(fault))
    }
}

/// What is known of one call while it runs.
struct Attempt<'a> {
    link: &'a Link,
    requests: Vec<Request>,
    accesses: Vec<Access>,
    is_write: bool,
    /// 0 until something was handed over.
    number: u32,
}

impl<'a> Attempt<'a> {
    fn new(link: &'a Link, requests: Vec<Request>) -> Self {
        let accesses: Vec<_> = requests.iter().map(Request::access).collect();
        let is_write = accesses.contains(&Access::Write);
        Self { link, requests, accesses, is_write, number: 0 }
    }

    /// Whether what was handed over last must not be repeated.
    fn is_last(&self) -> bool {
        self.is_write || self.number >= ATTEMPTS
    }

    fn start(&mut self) -> Vec<Request> {
        self.number += 1;
        if self.is_last() { mem::take(&mut self.requests) } else { self.requests.clone() }
    }

    /// The error when the call's time is over.
    fn expired(&self, server: &str) -> Error {
        match (self.number, self.is_write) {
            (0, _) => error::unreachable(server),
            (_, true) => error::timed_out(server).maybe_applied(),
            (_, false) => error::timed_out(server),
        }
    }
}

/// Hands all requests over in order, then waits for the replies, which come in that order.
async fn send_all(link: &Link, requests: Vec<Request>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(requests.len());
    let mut rest = requests.into_iter();
    if rest.len() == 1 {
        for request in rest {
            outcomes.push(link.send(request, false).await);
        }
        return outcomes;
    }
    while rest.len() > 0 {
        let mut known = Vec::new();
        let mut under_way = Vec::new();
        for request in rest.by_ref().take(CHUNK) {
            // Sent whole once, a script is known to all that follows, in its place.
            let script = request.script().filter(|script| !known.contains(script));
            known.extend(script);
            let mut reply = Box::pin(maybe_done(link.send(request, script.is_some())));
            let _ = reply.as_mut().now_or_never();
            under_way.push(reply);
        }
        for mut reply in under_way {
            reply.as_mut().await;
            outcomes.extend(reply.as_mut().take_output());
        }
    }
    outcomes
}

fn is_late(answers: &Result<Vec<Result<Answer>>>) -> bool {
    let late = |error: &Error| error.kind() == ErrorKind::Timeout;
    match answers {
        Ok(answers) => answers.iter().any(|answer| answer.as_ref().is_err_and(late)),
        Err(error) => late(error),
    }
}

/// What a broken connection means once the store was closed.
fn closed(error: Error) -> Error {
    match (error.kind(), error.effect()) {
        (ErrorKind::Connection | ErrorKind::Timeout, Effect::NotApplied) => Error::closed(),
        (ErrorKind::Connection | ErrorKind::Timeout, Effect::MaybeApplied) => {
            Error::closed().maybe_applied()
        }
        _ => error,
    }
}
