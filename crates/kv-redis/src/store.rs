//! The contract on Redis.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, FutureExt, TryFutureExt, ready};
use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Capabilities, Command, Condition, Durability, Effect, Entry, Error, KeyValueStore,
    Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Write, async_trait,
};

use crate::config::RedisConfig;
use crate::driver::{Answer, CallPool, Driver, Durable, Request};
use crate::queue::RedisQueues;
use crate::verbs::{self, KEYS_AT_ONCE, Plan, plan, unexpected};
use crate::{batch, many, scan, stats};

/// A store on one Redis server, on a Cluster, or on the primary that sentinels name; a clone is
/// another handle of the same connections.
///
/// It lives on the Tokio runtime on which it was connected, and ends with that. The last handle
/// ends the connections; it may be dropped anywhere.
///
/// What is Redis's own: a version is the value itself, so a key that went from A to B and back to
/// A has its first version again; a key that holds another type than a string is `WrongType` to
/// most verbs, and is overwritten by an unconditional `set`; an error of
/// [`delete_many`](KeyValueStore::delete_many)
/// or [`set_many`](KeyValueStore::set_many) of more than 1,000 keys or a MiB may come after a part
/// is done.
///
/// # Many keys, and large values
/// Other callers of a connection wait for what is under way on it. So a call of many keys or
/// commands is sent in parts, one after the other. A part has at most a MiB of keys and values, its
/// replies about as much, and the whole configured time; a value that is larger goes alone.
///
/// - [`get_many`](KeyValueStore::get_many) asks for up to 1,000 keys in one MGET while the values
///   that the store has seen are so small that this fits. Else, and before it has seen any, a
///   script gives the values of as many keys as fit, and of one at least. Where values are much
///   larger than those of before, one reply may be larger than a MiB. A part that is late is asked
///   for again as half as many bytes; the third in a row that is late, for which one value was
///   asked, ends the call. Keys without a value are looked at once more, to tell those of another
///   type, which MGET passes over: one EXISTS for a call that found all of the others.
/// - [`set_many`](KeyValueStore::set_many) is an MSET for each part, and with a lifetime a SET for
///   each key. After an error, parts may be written and others not, each value whole or not at all.
/// - [`execute`](KeyValueStore::execute) keeps the order of its commands. Once no reply came for one,
///   the parts after it are not sent: their errors say `NotApplied`.
///
/// # Several servers
/// On a Cluster a request goes to the node that has its key, and is sent on where that node says
/// so; it was not executed then. Calls of many keys are grouped by slot, a request for each, as many
/// of them under way at once as a part may have; an error of `set_many` or `delete_many` may come
/// after a part is done. A
/// walk goes over all nodes, and again where slots changed hands meanwhile, four times at most.
/// Keys that are on their way between two nodes are asked for until the call's time is over.
/// [`stats`](KeyValueStore::stats) are sums, [`ping`](KeyValueStore::ping) asks every node, and
/// [`now`](KeyValueStore::now) any.
///
/// When a connection is lost, and when a server takes no writes since it is a replica now, the
/// nodes or the sentinels are asked anew, within about half a second and as long as one is away.
/// A call for a lost server waits for one such look; until a failover is over, it fails then with
/// an error that passes.
/// What was acknowledged and not yet copied is lost in a failover, unless it was written with
/// [`set_durable`](KeyValueStore::set_durable) and reached a replica.
///
/// # Queues
/// Queues need Redis 7.0 or later, or Valkey, and a primary. The first one that is opened looks at
/// the server: a `maxmemory-policy` that evicts any key (`allkeys-*`) is refused, as is a replica;
/// `volatile-*`, no append-only file, and writes to disk that failed are told as warnings. Where
/// INFO is refused, that is a warning too.
///
/// A process that waits for jobs has a connection of its own; on a Cluster one for each partition
/// that it waits for, since no command can block on several slots. A connection is closed when
/// nobody has waited on it for some seconds.
///
/// # Access control
/// A user of Redis's access control needs the keys of the prefix and these commands, some of them
/// since scripts call them:
///
/// ```text
/// ACL SETUSER worker on >PASSWORD resetchannels -@all ~data_fetcher:* +client|id +del +eval
///   +evalsha +exists +get +getdel +incrby +info +mget +mset +persist +pexpire +ping +pttl +scan
///   +select +set +strlen +time
/// ```
///
/// And for queues:
///
/// ```text
/// ACL SETUSER worker +blpop +exists +hdel +hexists +hget +hincrby +hmget +hset +hstrlen +llen
///   +persist +pexpire +rpush +unlink +zadd +zcard +zcount +zrange +zrangebyscore +zrank +zrem
///   +zremrangebyrank +zscore
/// ```
///
/// And for durable writes, `+wait` or `+waitaof`. And on each node of a Cluster, or on each server that sentinels may name:
///
/// ```text
/// ACL SETUSER worker +asking +cluster|nodes +cluster|slots
/// ACL SETUSER worker +role
/// ```
///
/// And a user of the sentinels themselves:
///
/// ```text
/// ACL SETUSER finder on >PASSWORD resetchannels -@all +client|id +info +ping
///   +sentinel|get-master-addr-by-name
/// ```
///
/// # Cancel safety
/// A dropped call may still be executed, once and whole, also later when it waits for the
/// connection to come back.
#[derive(Clone)]
pub struct RedisStore {
    driver: Arc<Driver>,
    calls: Arc<CallPool>,
    key_prefix: Arc<str>,
    db: u8,
    queues: Arc<RedisQueues>,
}

impl RedisStore {
    /// Connects, authenticates and has the server answer a first command.
    ///
    /// # Errors
    /// Within the configured time: `Connection` or `Timeout` where the server cannot be reached,
    /// `Auth` for wrong credentials, `Config` for a database that does not exist.
    ///
    /// # Cancel safety
    /// A dropped future leaves nothing behind.
    ///
    /// # Panics
    /// Outside of a Tokio runtime with I/O and time.
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        // Behind a pointer, so that the caller's own future stays small.
        let connecting: Pin<Box<dyn Future<Output = Result<Driver>> + Send>> =
            Box::pin(Driver::connect(config.clone()));
        let driver = Arc::new(connecting.await?);
        let calls = Arc::new(CallPool::new(Arc::clone(&driver)));
        let queues = Arc::new(RedisQueues::new(Arc::clone(&driver), &config));
        Ok(Self { driver, calls, key_prefix: config.key_prefix.into(), db: config.db, queues })
    }

    /// The reply to a command, which is about this key.
    fn one<'a>(
        &'a self,
        key: &'a str,
        command: Command,
    ) -> impl Future<Output = Result<Reply>> + Send + 'a {
        let name = command.name();
        let told = move |error: Error| error.operation(name).key(key);
        match self.driver.check_open().and_then(|()| plan(command)) {
            Ok(Plan::Known(reply)) => Either::Left(ready(Ok(reply))),
            Ok(Plan::Ask(request, decode)) => {
                let answer = self.calls.call(request);
                let reply = answer.map(move |answer| answer.and_then(|it| decode.reply(it)));
                Either::Right(reply.map_err(told))
            }
            Err(error) => Either::Left(ready(Err(told(error)))),
        }
    }

    /// An answer for each request; most calls have one.
    async fn answers(&self, mut requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        match (requests.pop(), requests.is_empty()) {
            (Some(request), true) => Ok(vec![self.calls.call(request).await]),
            (last, _) => self.driver.run(requests.into_iter().chain(last).collect()).await,
        }
    }

    /// Writes that belong to one call; once a part is done, an error is no longer "not applied".
    async fn write_all(&self, requests: Vec<Request>) -> Result<Vec<Answer>> {
        let outcomes = self.answers(requests).await?;
        let may_be_done = |outcome: &Result<Answer>| match outcome {
            Ok(_) => true,
            Err(error) => error.effect() == Effect::MaybeApplied,
        };
        let is_partly_done = outcomes.iter().any(may_be_done);
        let answers: Result<Vec<_>> = outcomes.into_iter().collect();
        answers.map_err(|error| if is_partly_done { error.maybe_applied() } else { error })
    }
}

impl fmt::Debug for RedisStore {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisStore")
            .field("server", &self.driver.server())
            .field("key_prefix", &self.key_prefix)
            .finish()
    }
}

#[async_trait]
impl KeyValueStore for RedisStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let answer = self.calls.call(Request::Get(Bytes::copy_from_slice(key.as_bytes()))).await;
        answer.and_then(verbs::entry).map_err(|error| error.operation("get").key(key))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        match self.one(key, Command::Set { key: key.into(), value, write }).await? {
            Reply::Outcome(outcome) => Ok(outcome),
            _ => Err(unexpected()),
        }
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        flag(&self.one(key, Command::Delete { key: key.into(), condition }).await?)
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        match self.one(key, Command::Ttl { key: key.into() }).await? {
            Reply::Remaining(remaining) => Ok(remaining),
            _ => Err(unexpected()),
        }
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let page = async {
            match self.driver.cluster() {
                None => scan::page(&self.driver, request).await,
                Some(cluster) => scan::page_of_cluster(&cluster, request).await,
            }
        };
        page.await.map_err(|error| error.operation("scan"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL
            | Capabilities::CONDITIONS
            | Capabilities::COUNTERS
            | Capabilities::DURABILITY
    }

    fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::clone(&self.queues) as _)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        flag(&self.one(key, Command::Exists { key: key.into() }).await?)
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let entries = many::get_many(&self.driver, &self.calls, keys).await;
        entries.map_err(|error: Error| error.operation("get_many"))
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let stored = async {
            let command = Command::Set { key: key.into(), value, write };
            let (request, decode) = match plan(command)? {
                Plan::Ask(request, decode) => (request, decode),
                Plan::Known(reply) => return Ok((reply, Achieved::default())),
            };
            let durable = Durable { write: request, marker: None, durability };
            let (answer, achieved) = self.driver.call_durably(durable).await?;
            Ok((decode.reply(answer)?, achieved))
        };
        let stored: Result<(Reply, Achieved)> = stored.await;
        match stored.map_err(|error| error.operation("set_durable").key(key))? {
            (Reply::Outcome(Outcome::ConditionFailed), _) => {
                Ok((Outcome::ConditionFailed, Achieved::default()))
            }
            (Reply::Outcome(outcome), achieved) => Ok((outcome, achieved)),
            _ => Err(unexpected()),
        }
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let written = async {
            let requests =
                verbs::set_many(entries, lifetime, |keys| self.driver.together(keys, KEYS_AT_ONCE));
            self.write_all(requests?).await
        };
        written.await.map(drop).map_err(|error| error.operation("set_many"))
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        let keys = verbs::keys(keys);
        let together = self.driver.together(&keys, KEYS_AT_ONCE);
        let requests = together.iter().map(|places| Request::Del(chosen(&keys, places))).collect();
        let removed = async {
            self.write_all(requests).await?.into_iter().try_fold(0, |sum, answer| match answer {
                Answer::Int(count) => Ok(sum + count.unsigned_abs()),
                _ => Err(unexpected()),
            })
        };
        removed.await.map_err(|error| error.operation("delete_many"))
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        match self.one(key, Command::Increment { key: key.into(), by, lifetime }).await? {
            Reply::Number(sum) => Ok(sum),
            _ => Err(unexpected()),
        }
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        entry(self.one(key, Command::Take { key: key.into() }).await?)
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        flag(&self.one(key, Command::Touch { key: key.into(), lifetime }).await?)
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let (requests, expected) = batch::prepare(commands);
        let answers = self.driver.run(requests).await;
        answers.map(|answers| batch::replies(answers, expected)).map_err(|e| e.operation("execute"))
    }

    async fn now(&self) -> Result<Duration> {
        let answer = self.driver.call(Request::Time).await;
        answer.and_then(verbs::time).map_err(|error| error.operation("now"))
    }

    async fn ping(&self) -> Result<()> {
        let answers = self.driver.call_each(Request::Ping).await;
        let answers = answers.and_then(|answers| answers.into_iter().collect::<Result<Vec<_>>>());
        answers.map(drop).map_err(|error| error.operation("ping"))
    }

    async fn stats(&self) -> Result<Stats> {
        let figures = async {
            let answers = self.driver.call_each(Request::Info).await?;
            let answers = answers.into_iter().map(|answer| stats::read(answer?, self.db));
            Ok(stats::sum(&answers.collect::<Result<Vec<_>>>()?))
        };
        figures.await.map_err(|error: Error| error.operation("stats"))
    }

    async fn close(&self) -> Result<()> {
        self.queues.close();
        self.driver.close().await.map_err(|error| error.operation("close"))
    }
}

fn entry(reply: Reply) -> Result<Option<Entry>> {
    match reply {
        Reply::Entry(entry) => Ok(entry),
        _ => Err(unexpected()),
    }
}

fn flag(reply: &Reply) -> Result<bool> {
    match reply {
        Reply::Flag(flag) => Ok(*flag),
        _ => Err(unexpected()),
    }
}

fn chosen(keys: &[Bytes], places: &[usize]) -> Vec<Bytes> {
    places.iter().filter_map(|place| keys.get(*place)).cloned().collect()
}
