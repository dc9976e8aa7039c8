//! The contract on Redis.

use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use bytes::Bytes;
use futures_util::future::{Either, FutureExt, TryFutureExt, join3, ready};
use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Capabilities, Command, Condition, Durability, Effect, Entry, Error, KeyValueStore,
    Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Version, Watcher,
    Write, async_trait,
};

use crate::coalesce::{Coalescer, Lifetimes, Put, Values, Writes, millis};
use crate::config::RedisConfig;
use crate::driver::{Answer, CallPool, Driver, Durable, Request};
use crate::queue::RedisQueues;
use crate::verbs::{self, KEYS_AT_ONCE, Plan, plan, unexpected};
use crate::watch::Watches;
use crate::{batch, many, scan, stats};

/// A store on one Redis server, on a Cluster, or on the primary that Sentinels name. A clone is
/// another handle of the same connections.
///
/// The store lives on the Tokio runtime on which it was connected, and ends with that runtime.
/// Dropping the last handle, on any thread, ends the connections.
///
/// Three things are special to Redis. A version is the value itself, so a key that changed from A
/// to B and back to A has its first version again. On a key of another type than a string most
/// verbs fail with `WrongType`; an unconditional `set` overwrites it. If
/// [`delete_many`](KeyValueStore::delete_many) or [`set_many`](KeyValueStore::set_many) of more
/// than 1,000 keys or 1 MiB fails, a part may be done.
///
/// # Calls that meet
/// A [`get`](KeyValueStore::get), [`exists`](KeyValueStore::exists), [`ttl`](KeyValueStore::ttl) or
/// unconditional [`set`](KeyValueStore::set) leaves at once if at most one other of its kind is
/// under way. Otherwise it comes into line, and leaves with up to 255 others in one command: an
/// MGET, an MSET, or a script for values with lifetimes and for `exists` and `ttl`. At most two such
/// commands of a kind are under way, on a Cluster two for each slot.
///
/// Each caller is answered as if it were alone. A key of another type, or one that the server
/// denies, is an error for its caller only. A dropped caller takes nobody along, and each has the
/// whole timeout. Replies and requests have about 1 MiB, as below; a value of more than 64 KiB is
/// written alone. If the reply to several writes is lost, the error of each says `MaybeApplied`;
/// so does the error of a write whose time ended in line.
///
/// # Many keys, and large values
/// Other callers of a connection wait for the requests in flight on it. So the store sends a call
/// with many keys or commands in parts, one after another. A part has at most 1 MiB of keys and
/// values, about as many bytes of replies, and the whole configured timeout; a larger value goes
/// alone.
///
/// - [`get_many`](KeyValueStore::get_many) asks for up to 1,000 keys in one MGET if the values seen
///   so far are small enough to fit into one part. Otherwise, and before the first reply, a script
///   returns the values of as many keys as fit, and of at least one. If values are suddenly much
///   larger, one reply may exceed 1 MiB. The store asks for a late part again with half of the
///   bytes; the third late part in a row, which asks for one value, ends the call. MGET skips keys
///   of another type, so a call with missing keys sends one EXISTS more to find them.
/// - [`set_many`](KeyValueStore::set_many) sends an MSET for each part, or with a lifetime a SET
///   for each key. After an error some parts may be written and others not; each value is whole or
///   absent.
/// - [`execute`](KeyValueStore::execute) keeps the order of its commands. If a command gets no
///   reply, the parts after it are not sent; their errors say `NotApplied`.
///
/// # Several servers
/// On a Cluster a request goes to the node that has its key. If that node redirects the request, it
/// has not executed it. The store groups the keys of a call by slot and sends one request for each
/// slot, as many at a time as a part may hold; if `set_many` or `delete_many` fails, a part may be
/// done. A walk goes over all nodes, and goes over them again if slots moved meanwhile, at most
/// four times. While a key is being moved between two nodes, the store asks again until the call's
/// timeout ends. [`stats`](KeyValueStore::stats) are sums, [`ping`](KeyValueStore::ping) asks every
/// node, and [`now`](KeyValueStore::now) any node.
///
/// When a connection is lost, or a server refuses writes because it is now a replica, the store
/// asks the nodes or the Sentinels again within about half a second, and for as long as a server is
/// away. A call for a lost server waits for one such refresh; until the failover has ended, it then
/// fails with a transient error. A failover loses acknowledged writes that no replica had yet;
/// [`set_durable`](KeyValueStore::set_durable) waits until replicas have a write.
///
/// # Queues
/// Queues need Redis 7.0 or later, or Valkey, and a primary. Opening the first queue checks the
/// server. It refuses a replica and a `maxmemory-policy` that evicts any key (`allkeys-*`). It logs
/// a warning for `volatile-*`, for a missing append-only file, for failed writes to disk, and if
/// the server denies INFO.
///
/// A process that waits for jobs uses one more connection; on a Cluster one for each partition,
/// since no command can block on several slots. The store closes such a connection when nobody has
/// waited on it for some seconds.
///
/// # Watching
/// [`watch`](KeyValueStore::watch) uses Redis's client tracking in broadcast mode (Redis 6.0 or later,
/// or Valkey), on one more connection to each server with keys. It tells changes by any client, and
/// also keys of other databases under the same names. A connection without a word is noticed after a
/// second and the configured timeout. It is lost while any server with keys cannot be reached. A
/// server's FLUSHALL is a gap. Each change of a key under the prefix is a notice, of a queue's keys
/// too, which the store drops; so watch a namespace.
///
/// # Access control
/// A user of Redis's access control needs the keys of the prefix and these commands; scripts call
/// some of them:
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
///   +persist +pexpire +rpush +unlink +zadd +zcard +zcount +zlexcount +zrange +zrangebylex
///   +zrangebyscore +zrank +zrem +zremrangebyrank +zscore
/// ```
///
/// And for watching:
///
/// ```text
/// ACL SETUSER worker +client|tracking +subscribe &__redis__:invalidate
/// ```
///
/// And for durable writes, `+wait` or `+waitaof`. And on each node of a Cluster, or on each server
/// that sentinels may name:
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
/// A dropped call may still be executed, once and whole, even later if it waits for the connection
/// to come back.
#[derive(Clone)]
pub struct RedisStore {
    driver: Arc<Driver>,
    calls: Arc<CallPool>,
    values: Arc<Coalescer<Values>>,
    lifetimes: Arc<Coalescer<Lifetimes>>,
    writes: Arc<Coalescer<Writes>>,
    key_prefix: Arc<str>,
    db: u8,
    queues: Arc<RedisQueues>,
    watches: Arc<Watches>,
}

impl RedisStore {
    /// Connects, authenticates and waits for the server's answer to a first command.
    ///
    /// # Errors
    /// Within the configured timeout: `Connection` or `Timeout` if the server cannot be reached,
    /// `Auth` for wrong credentials, `Config` for a database that does not exist.
    ///
    /// # Cancel safety
    /// A dropped future leaves nothing behind.
    ///
    /// # Panics
    /// Panics outside a Tokio runtime with I/O and time.
    pub async fn connect(config: RedisConfig) -> Result<Self> {
        let driver = Arc::new(Driver::connect(config.clone()).await?);
        let calls = Arc::new(CallPool::new(Arc::clone(&driver)));
        let queues = Arc::new(RedisQueues::new(Arc::clone(&driver), &config));
        let values = Arc::new(Coalescer::new(Values::new(&driver)));
        let lifetimes = Arc::new(Coalescer::new(Lifetimes::new(&driver)));
        let writes = Arc::new(Coalescer::new(Writes::new(&driver)));
        let watches = Arc::new(Watches::new(Arc::clone(&driver)));
        let (key_prefix, db) = (config.key_prefix.into(), config.db);
        Ok(Self { driver, calls, values, lifetimes, writes, key_prefix, db, queues, watches })
    }

    /// The reply to a command on this key.
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

    /// What PTTL answers.
    async fn millis_left(&self, key: &str) -> Result<i64> {
        let alone = |key| async { millis(&self.calls.call(Request::Pttl(key)).await?) };
        self.lifetimes.call(Bytes::copy_from_slice(key.as_bytes()), alone).await
    }

    /// An answer for each request; most calls have one.
    async fn answers(&self, mut requests: Vec<Request>) -> Result<Vec<Result<Answer>>> {
        match (requests.pop(), requests.is_empty()) {
            (Some(request), true) => Ok(vec![self.calls.call(request).await]),
            (last, _) => self.driver.run(requests.into_iter().chain(last).collect()).await,
        }
    }

    /// Writes of one call; once a part is done, an error says `MaybeApplied`.
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
        let alone = |key| async { verbs::entry(self.calls.call(Request::Get(key)).await?) };
        let entry = self.values.call(Bytes::copy_from_slice(key.as_bytes()), alone).await;
        entry.map_err(|error| error.operation("get").key(key))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let told = |error: Error| error.operation("set").key(key);
        if let Some(put) = Put::of(key, &value, &write).map_err(told)? {
            let alone = |put: Put| async move { self.calls.call(put.request()).await.map(drop) };
            self.writes.call(put, alone).await.map_err(told)?;
            return Ok(Outcome::Written(Version::of_value(value)));
        }
        match self.one(key, Command::Set { key: key.into(), value, write }).await? {
            Reply::Outcome(outcome) => Ok(outcome),
            _ => Err(unexpected()),
        }
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        flag(&self.one(key, Command::Delete { key: key.into(), condition }).await?)
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let millis = self.millis_left(key).await;
        millis.map(verbs::remaining).map_err(|error| error.operation("ttl").key(key))
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
            | Capabilities::SHARED
            | Capabilities::WATCH
    }

    fn key_prefix(&self) -> &str {
        &self.key_prefix
    }

    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Native(Arc::clone(&self.queues) as _)
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        let millis = self.millis_left(key).await;
        let remaining = millis.map(verbs::remaining);
        remaining.map(|it| it.is_some()).map_err(|error| error.operation("exists").key(key))
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

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.watches.begin(prefix, watcher)
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
        self.watches.close();
        let calls = async {
            join3(self.values.finish(), self.lifetimes.finish(), self.writes.finish()).await;
        };
        self.driver.close(calls).await.map_err(|error| error.operation("close"))
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
