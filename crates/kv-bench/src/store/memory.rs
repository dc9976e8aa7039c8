//! Reading from the memory backend, beside a bare map.

use std::hint::black_box;
use std::time::Duration;

use ahash::RandomState;
use async_trait::async_trait;
use bytes::Bytes;
use dashmap::DashMap;
use futures_executor::block_on;
use kv_core::{Clock, KeyValueStore, Lifetime, Serializer, Store, SystemClock, Write};
use kv_layers::NearCache;
use kv_memory::MemoryStore;
use serde::{Deserialize, Serialize};

use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::statistics::count;

pub(crate) const SCENARIO: &str = "memory";
const FIGURE: &str = "gets/s";
const FLOOR: &str = "DashMap";
const NOW: &str = "kv-memory, get_now";
const NEAR: &str = "near cache, get_now";
const BOXED: &str = "kv-memory, get";
const VALUE_BYTES: usize = 100;
const LIFETIME: Duration = Duration::from_secs(3_600);

/// A contest for each number of keys and of threads.
pub(crate) fn plans(settings: &Settings) -> Vec<Plan> {
    let sizes = [1_000, 10_000, 100_000].into_iter();
    sizes.flat_map(|keys| [1, 2].map(|threads| plan(keys, threads, settings))).collect()
}

fn plan(keys: usize, threads: usize, settings: &Settings) -> Plan {
    let gets = usize::try_from(settings.size(500_000)).unwrap_or(usize::MAX);
    let reads = |how| Reads { how, keys, threads, gets };
    let name = format!("get from memory, {keys} keys, {threads} at a time");
    let about = format!(
        "All keys in random order, {VALUE_BYTES} B a value, each with a time to live in kv-memory, \
         none in the map. Threads: {threads}."
    );
    Plan::new(SCENARIO, &name, &about, FIGURE)
        .enter(
            FLOOR,
            Tier::Plain,
            "`DashMap<String, Bytes>` with ahash, `get`, a clone of the value",
            reads(How::Map),
        )
        .enter(
            NOW,
            Tier::Plain,
            "`Box<dyn KeyValueStore>`, `get_now`, which `Store` uses",
            reads(How::Now),
        )
        .enter(
            NEAR,
            Tier::Plain,
            "the layer `near-cache` around kv-memory, `get_now` of what is kept",
            reads(How::Near),
        )
        .enter(BOXED, Tier::Plain, "`Box<dyn KeyValueStore>`, `get().await`", reads(How::Boxed))
        .enter(
            "Store, JSON",
            Tier::Plain,
            "`Store::get` of a struct of five fields",
            reads(How::Typed(Serializer::Json)),
        )
        .enter(
            "Store, MessagePack",
            Tier::Plain,
            "the same in MessagePack",
            reads(How::Typed(Serializer::MessagePack)),
        )
        .floor(FLOOR)
        .target(Target::at_least(0.85, NOW, FLOOR, FIGURE))
        .target(Target::at_least(0.7, NEAR, NOW, FIGURE))
        .target(Target::at_least(0.6, BOXED, FLOOR, FIGURE))
}

/// Through what is read.
enum How {
    Map,
    Now,
    Near,
    Boxed,
    Typed(Serializer),
}

/// Reads all keys in random order, each thread in one of its own.
struct Reads {
    how: How,
    keys: usize,
    threads: usize,
    /// By each thread.
    gets: usize,
}

/// A value that has to be decoded.
#[derive(Serialize, Deserialize)]
struct Page {
    url: String,
    status: u16,
    bytes: u64,
    title: String,
    links: Vec<u32>,
}

impl Page {
    fn new(number: usize) -> Self {
        Self {
            url: format!("https://example.test/{number}"),
            status: 200,
            bytes: 12_345,
            title: "a page".to_owned(),
            links: vec![1, 2, 3],
        }
    }
}

#[async_trait]
impl Contestant for Reads {
    async fn turn(&mut self) -> Result<Sample> {
        let rate = self.rate(self.gets).await?;
        Ok(Sample::from([(FIGURE.to_owned(), rate)]))
    }

    async fn prove(&mut self) -> Result<()> {
        self.rate(self.keys.min(self.gets)).await.map(drop)
    }
}

impl Reads {
    async fn rate(&self, gets: usize) -> Result<f64> {
        let keys: Vec<String> = (0..self.keys).map(|key| format!("processed:{key:08}")).collect();
        let value = |key: &str| Bytes::from(format!("{key:x<VALUE_BYTES$}"));
        let took = match &self.how {
            How::Map => {
                let map = DashMap::with_capacity_and_hasher(keys.len(), RandomState::new());
                for key in &keys {
                    map.insert(key.clone(), value(key));
                }
                self.time(
                    &keys,
                    gets,
                    |key| map.get(key).map(|value| value.clone()),
                    Option::is_some,
                )
            }
            How::Now | How::Near | How::Boxed => {
                let store = self.store()?;
                for key in &keys {
                    let write = Write { lifetime: Lifetime::In(LIFETIME), ..Write::ALWAYS };
                    store.set(key, value(key), write).await?;
                }
                if matches!(self.how, How::Near) {
                    for key in &keys {
                        store.get(key).await?;
                    }
                }
                if matches!(self.how, How::Now | How::Near) {
                    let get = |key: &str| store.get_now(key);
                    self.time(&keys, gets, get, |got| matches!(got, Some(Ok(Some(_)))))
                } else {
                    let get = async |key: &str| store.get(key).await;
                    self.time_async(&keys, gets, get, |got| matches!(got, Ok(Some(_))))
                }
            }
            How::Typed(serializer) => {
                let store = Store::new(MemoryStore::new()).with_default_ttl(LIFETIME);
                let store = store.with_serializer(serializer.clone());
                for (number, key) in keys.iter().enumerate() {
                    store.set(key, &Page::new(number)).await?;
                }
                let get = async |key: &str| store.get::<Page>(key).await;
                self.time_async(&keys, gets, get, |got| matches!(got, Ok(Some(_))))
            }
        };
        Ok(count(gets * self.threads) / took?.as_secs_f64())
    }

    fn store(&self) -> Result<Box<dyn KeyValueStore>> {
        // With room for more, since no shard has exactly its part of the keys.
        let near = || NearCache::new().entries(4 * self.keys).on(MemoryStore::new());
        Ok(if matches!(self.how, How::Near) { near()? } else { Box::new(MemoryStore::new()) })
    }

    /// How long it takes to look up so many keys on each thread. What a look-up returns is taken as
    /// it is: to turn it into something else first would cost as much as a third of it.
    fn time<T>(
        &self,
        keys: &[String],
        gets: usize,
        get: impl Fn(&str) -> T + Sync,
        is_found: impl Fn(&T) -> bool + Sync,
    ) -> Result<Duration> {
        self.on_threads(keys, gets, |order| {
            order.iter().filter(|key| is_found(&black_box(get(key)))).count()
        })
    }

    /// The same where a look-up is a future; each thread runs one that does all.
    fn time_async<T>(
        &self,
        keys: &[String],
        gets: usize,
        get: impl AsyncFn(&str) -> T + Sync,
        is_found: impl Fn(&T) -> bool + Sync,
    ) -> Result<Duration> {
        self.on_threads(keys, gets, |order| {
            block_on(async {
                let mut found = 0;
                for key in order {
                    found += usize::from(is_found(&black_box(get(key).await)));
                }
                found
            })
        })
    }

    fn on_threads(
        &self,
        keys: &[String],
        gets: usize,
        read: impl Fn(&[&str]) -> usize + Sync,
    ) -> Result<Duration> {
        let orders: Vec<Vec<&str>> = (0..self.threads).map(|_| shuffled(keys, gets)).collect();
        let clock = SystemClock::new();
        let found = std::thread::scope(|scope| {
            let reads: Vec<_> = orders.iter().map(|order| scope.spawn(|| read(order))).collect();
            reads.into_iter().map(|read| read.join().unwrap_or(0)).sum::<usize>()
        });
        let took = clock.now();
        if found == gets * self.threads {
            return Ok(took);
        }
        Err(format!("{found} of {} reads found a value", gets * self.threads).into())
    }
}

/// So many keys in random order, each as often as the others, as far as the number allows.
fn shuffled(keys: &[String], gets: usize) -> Vec<&str> {
    let mut order: Vec<&str> = keys.iter().map(String::as_str).cycle().take(gets).collect();
    fastrand::shuffle(&mut order);
    order
}
