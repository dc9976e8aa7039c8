//! The Redis backend, beside its driver alone.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use fred::clients::Client;
use fred::interfaces::KeysInterface;
use fred::types::{Expiration, Key};
use kv_core::{KeyValueStore, Lifetime, Write};
use kv_redis::{RedisConfig, RedisStore};
use redis::AsyncCommands;

use crate::contest::Plan;
use crate::model::{Settings, Target, Tier};
use crate::server::Bed;
use crate::tasks::at_once;
use crate::work::{Turns, Work};
use crate::{Result, raw};

pub(crate) const SCENARIO: &str = "redis";
const FLOOR: &str = "the driver alone";
const BOXED: &str = "the driver in a box";
const PEER: &str = "redis-rs";
const OURS: &str = "kv-redis";
const VALUE_BYTES: usize = 100;
const KEYS: usize = 10_000;
const LIVES: Duration = Duration::from_secs(600);

/// How many keys a call reads that reads many.
const MANY: usize = 100;

/// A contest for each verb and number of tasks.
pub(crate) fn plans(bed: &Arc<Bed>, settings: &Settings) -> Vec<Plan> {
    let sizes = [(1, 4_000), (64, 80_000), (512, 100_000)];
    let verbs = [
        (Verb::Get, [0.95, 1.1, 2.0]),
        (Verb::GetAbsent, [0.9; 3]),
        (Verb::Exists, [0.95, 1.0, 1.0]),
        (Verb::Set, [0.95, 0.95, 1.0]),
        (Verb::SetLiving, [0.9, 0.95, 1.0]),
    ];
    let mut plans = Vec::new();
    for (verb, least) in verbs {
        plans.extend(
            sizes
                .into_iter()
                .zip(least)
                .map(|((tasks, calls), least)| plan(bed, verb, tasks, settings.size(calls), least)),
        );
    }
    plans.push(plan(bed, Verb::GetLarge, 64, settings.size(20_000), 0.8));
    let sizes = [(1, 200_000), (8, 400_000)];
    plans.extend(
        sizes.map(|(tasks, keys)| plan(bed, Verb::GetMany, tasks, settings.size(keys), 0.9)),
    );
    plans
}

fn plan(bed: &Arc<Bed>, verb: Verb, tasks: usize, times: u64, least: f64) -> Plan {
    let turns = |through| Turns::new(bed, Calls { verb, through, tasks }, times);
    let (what, raw, ours, figure) = match verb {
        Verb::Get => ("GET", "`get`", "`get().await`", "gets/s"),
        Verb::GetLarge => ("GET of large values", "`get`", "`get().await`", "gets/s"),
        Verb::GetAbsent => ("GET of absent keys", "`get`", "`get().await`", "gets/s"),
        Verb::Exists => ("EXISTS", "`exists`", "`exists().await`", "calls/s"),
        Verb::Set => ("SET", "`set`", "`set().await`", "sets/s"),
        Verb::SetLiving => ("SET with a lifetime", "`set`", "`set().await`", "sets/s"),
        Verb::GetMany => ("MGET of 100", "`mget`", "`get_many().await`", "keys/s"),
    };
    let name = format!("{what}, {tasks} at a time");
    let (keys, bytes) = verb.stored();
    let about = format!("One connection, {keys} keys, {bytes} B a value. Tasks: {tasks}.");
    let mut plan = Plan::new(SCENARIO, &name, &about, figure).enter(
        FLOOR,
        Tier::Plain,
        &format!("fred, {raw}"),
        turns(Through::Driver),
    );
    if matches!(verb, Verb::Get | Verb::Set) {
        let about = format!("fred, {raw} as the trait wants it and no more: see `boxed`");
        plan = plan.enter(BOXED, Tier::Plain, &about, turns(Through::Boxed));
    }
    if matches!(verb, Verb::Get | Verb::GetAbsent | Verb::GetLarge | Verb::Set) {
        let about = "one multiplexed connection, typed commands";
        plan = plan.enter(PEER, Tier::Plain, about, turns(Through::Peer));
    }
    let about = format!("`Box<dyn KeyValueStore>`, {ours}");
    let plan = plan
        .enter(OURS, Tier::Plain, &about, turns(Through::Store))
        .floor(FLOOR)
        .target(Target::at_least(least, OURS, FLOOR, figure));
    match (verb, tasks) {
        (Verb::Get, 512) => plan.target(Target::at_least(1.0, OURS, PEER, figure)),
        _ => plan,
    }
}

/// A future in a box, a key that is its own, and the value once more as its version: what a call
/// through the trait costs around the driver, whatever is behind it.
mod boxed {
    use std::pin::Pin;

    use bytes::Bytes;
    use fred::clients::Client;
    use fred::error::Error;
    use fred::interfaces::KeysInterface;

    type Reply<'a> =
        Pin<Box<dyn Future<Output = Result<Option<(Bytes, Bytes)>, Error>> + Send + 'a>>;

    pub(super) fn get<'a>(client: &'a Client, key: &'a str) -> Reply<'a> {
        Box::pin(async move {
            let key = Bytes::copy_from_slice(key.as_bytes());
            let value: Option<Bytes> = client.get(key).await?;
            Ok(value.map(|value| (value.clone(), value)))
        })
    }

    pub(super) fn set<'a>(client: &'a Client, key: &'a str, value: Bytes) -> Reply<'a> {
        Box::pin(async move {
            let key = Bytes::copy_from_slice(key.as_bytes());
            let done: Option<Bytes> = client.set(key, value.clone(), None, None, false).await?;
            Ok(done.map(|done| (done, value)))
        })
    }
}

#[derive(Clone, Copy)]
enum Verb {
    Get,
    GetAbsent,
    GetLarge,
    Exists,
    Set,
    SetLiving,
    GetMany,
}

impl Verb {
    /// How many keys there are, and how many bytes each value has.
    const fn stored(self) -> (usize, usize) {
        match self {
            Self::GetLarge => (200, 64 << 10),
            _ => (KEYS, VALUE_BYTES),
        }
    }
}

#[derive(Clone, Copy)]
enum Through {
    Driver,
    Boxed,
    Peer,
    Store,
}

/// So many tasks, each of which makes its share of the calls, one after another.
struct Calls {
    verb: Verb,
    through: Through,
    tasks: usize,
}

/// What the tasks share.
struct Shared {
    client: Client,
    peer: redis::aio::MultiplexedConnection,
    store: Box<dyn KeyValueStore>,
    keys: Vec<String>,
    /// The same as the driver takes them at no cost.
    driver_keys: Vec<Key>,
    value: Bytes,
    /// Values that were read or written.
    seen: AtomicU64,
}

#[async_trait]
impl Work for Calls {
    type Ready = (Arc<Shared>, u64);

    fn figure(&self) -> &'static str {
        match self.verb {
            Verb::Get | Verb::GetAbsent | Verb::GetLarge => "gets/s",
            Verb::Exists => "calls/s",
            Verb::Set | Verb::SetLiving => "sets/s",
            Verb::GetMany => "keys/s",
        }
    }

    async fn prepare(&self, bed: &Bed, times: u64) -> Result<(Arc<Shared>, u64)> {
        let (keys, bytes) = self.verb.stored();
        let keys: Vec<String> = (0..keys).map(|key| format!("processed:{key:08}")).collect();
        let driver_keys: Vec<Key> = keys.iter().map(|key| Key::from(key.as_str())).collect();
        let (client, value) = (raw::connect(bed.port()).await?, Bytes::from(vec![b'x'; bytes]));
        let pairs: Vec<(Key, Bytes)> =
            driver_keys.iter().map(|key| (key.clone(), value.clone())).collect();
        if !matches!(self.verb, Verb::GetAbsent) {
            let () = client.mset(pairs).await?;
        }
        let peer = redis::Client::open(bed.url())?.get_multiplexed_async_connection().await?;
        let store = RedisStore::connect(RedisConfig::from_url(&bed.url())?).await?;
        let (store, seen) = (Box::new(store), AtomicU64::new(0));
        Ok((Arc::new(Shared { client, peer, store, keys, driver_keys, value, seen }), times))
    }

    async fn run(&self, ready: &mut (Arc<Shared>, u64)) -> Result<Option<Duration>> {
        let (shared, times) = ready;
        let (verb, through, tasks) = (self.verb, self.through, self.tasks);
        let times = usize::try_from(*times)?;
        at_once(0..tasks, |task| {
            let shared = shared.clone();
            async move {
                match (verb, through) {
                    (Verb::GetMany, _) => {
                        shared.read_many(through, task, tasks, times / MANY).await
                    }
                    _ => shared.call(verb, through, task, tasks, times).await,
                }
            }
        })
        .await?;
        Ok(None)
    }

    async fn check(&self, _: &Bed, ready: (Arc<Shared>, u64), times: u64) -> Result<()> {
        let seen = ready.0.seen.load(Ordering::Relaxed);
        if seen == times { Ok(()) } else { Err(format!("{seen} values of {times}").into()) }
    }
}

impl Shared {
    async fn call(
        &self,
        verb: Verb,
        through: Through,
        task: usize,
        step: usize,
        times: usize,
    ) -> Result<()> {
        let mut seen = 0;
        for call in 0..share(task, step, times) {
            let at = (call * step + task) % self.keys.len();
            seen += u64::from(self.done(verb, through, at).await?);
        }
        self.seen.fetch_add(seen, Ordering::Relaxed);
        Ok(())
    }

    /// Makes one call. Returns whether its answer was right.
    async fn done(&self, verb: Verb, through: Through, at: usize) -> Result<bool> {
        let both = self.keys.get(at).zip(self.driver_keys.get(at));
        let (key, driver_key) = both.ok_or("no such key")?;
        match verb {
            Verb::Set => self.set(through, key, driver_key).await,
            Verb::SetLiving => self.set_living(through, key, driver_key).await,
            Verb::Exists => match through {
                Through::Store => Ok(self.store.exists(key).await?),
                _ => Ok(self.client.exists::<u64, _>(driver_key.clone()).await? == 1),
            },
            Verb::Get | Verb::GetAbsent | Verb::GetLarge | Verb::GetMany => {
                let found = self.get(through, key, driver_key).await?;
                let is_stored = !matches!(verb, Verb::GetAbsent);
                Ok(found == is_stored.then_some(self.value.len()))
            }
        }
    }

    async fn set(&self, through: Through, key: &str, driver_key: &Key) -> Result<bool> {
        let value = self.value.clone();
        match through {
            Through::Driver => {
                let () = self.client.set(driver_key.clone(), value, None, None, false).await?;
                Ok(true)
            }
            Through::Boxed => Ok(boxed::set(&self.client, key, value).await?.is_some()),
            Through::Peer => {
                let () = self.peer.clone().set(key, value.as_ref()).await?;
                Ok(true)
            }
            Through::Store => Ok(self.store.set(key, value, Write::ALWAYS).await?.is_written()),
        }
    }

    async fn set_living(&self, through: Through, key: &str, driver_key: &Key) -> Result<bool> {
        let value = self.value.clone();
        if matches!(through, Through::Store) {
            let write = Write::ALWAYS.lifetime(Lifetime::In(LIVES));
            return Ok(self.store.set(key, value, write).await?.is_written());
        }
        let expiry = Some(Expiration::PX(i64::try_from(LIVES.as_millis())?));
        let () = self.client.set(driver_key.clone(), value, expiry, None, false).await?;
        Ok(true)
    }

    /// The size of the value that was found.
    async fn get(&self, through: Through, key: &str, driver_key: &Key) -> Result<Option<usize>> {
        Ok(match through {
            Through::Driver => {
                let value: Option<Bytes> = self.client.get(driver_key.clone()).await?;
                value.map(|value| value.len())
            }
            Through::Boxed => boxed::get(&self.client, key).await?.map(|(value, _)| value.len()),
            Through::Peer => {
                let value: Option<Vec<u8>> = self.peer.clone().get(key).await?;
                value.map(|value| value.len())
            }
            Through::Store => self.store.get(key).await?.map(|entry| entry.value.len()),
        })
    }

    async fn read_many(
        &self,
        through: Through,
        task: usize,
        step: usize,
        times: usize,
    ) -> Result<()> {
        let mut seen = 0;
        for call in 0..share(task, step, times) {
            let from = (call * step + task) * MANY % self.keys.len();
            let range = from..from + MANY;
            seen += match through {
                Through::Driver | Through::Boxed | Through::Peer => {
                    let keys = self.driver_keys.get(range).unwrap_or_default().to_vec();
                    let values: Vec<Option<Bytes>> = self.client.mget(keys).await?;
                    values.iter().flatten().count() as u64
                }
                Through::Store => {
                    let keys = self.keys.get(range).unwrap_or_default();
                    let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
                    self.store.get_many(&keys).await?.iter().flatten().count() as u64
                }
            };
        }
        self.seen.fetch_add(seen, Ordering::Relaxed);
        Ok(())
    }
}

/// How many of all calls one of the tasks makes.
const fn share(task: usize, tasks: usize, times: usize) -> usize {
    times / tasks + if task < times % tasks { 1 } else { 0 }
}
