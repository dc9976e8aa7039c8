//! Near caches of four clients on a real Redis, whose connections break and whose primary changes.
//!
//! Each key has one writer, who writes rising numbers. What is checked needs no clock:
//! - whoever has written a number reads that number or a later one;
//! - once nobody writes and every notice has arrived, each client reads what the server has.
#![cfg(all(feature = "layers", feature = "redis"))]
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a helper that cannot go on fails its test"
)]

use std::time::Duration;

use kv_config::{Builder, Config};
use kv_core::{Change, Store, Watch};
use kv_testbed::{Proxy, RedisSentinels, RedisServer};
use tokio::task::JoinSet;
use tokio::time::timeout;

const CLIENTS: usize = 4;
const TASKS: usize = 4;

/// Long enough for a loaded machine; no test waits for it unless it fails.
const PATIENCE: Duration = Duration::from_secs(60);

/// How long to wait for a notice before another one is made: a cut may have taken the first.
const ANOTHER: Duration = Duration::from_millis(500);

struct Client {
    store: Store,
    watch: Watch,
    config: Config,
}

impl Client {
    async fn open(builder: Builder) -> Self {
        let config = builder.layers(["near-cache"]).near_cache_entries(40).build().unwrap();
        let store = config.open().await.unwrap();
        let watch = store.watch("").unwrap();
        Self { store, watch, config }
    }

    /// Returns once everything that happened before has been told.
    async fn is_told_everything(&mut self, direct: &Store, round: usize) {
        let told = async {
            for attempt in 0.. {
                let marker = format!("marker:{round}:{attempt}");
                if direct.set(&marker, &0).await.is_ok() && self.is_told(&marker).await {
                    return;
                }
            }
        };
        timeout(PATIENCE, told).await.expect("changes are told again");
    }

    async fn is_told(&mut self, marker: &str) -> bool {
        let told = async {
            loop {
                match self.watch.next().await {
                    Some(Change::Key(key)) if key == marker => return true,
                    Some(_) => {}
                    None => return false,
                }
            }
        };
        timeout(ANOTHER, told).await.unwrap_or(false)
    }
}

fn key(client: usize, task: usize) -> String {
    format!("k{client}.{task}")
}

/// Reads any key and writes its own, many times. Says what was older than an own write.
async fn work(
    (store, direct): (Store, Store),
    (client, task): (usize, usize),
    (mut next, operations): (u64, u64),
    mut random: fastrand::Rng,
) -> Option<String> {
    let (own, mut least) = (key(client, task), 0);
    for _ in 0..operations {
        if random.u8(0..4) == 0 {
            next += 1;
            if store.set(&own, &next).await.is_ok() {
                least = next;
            }
            continue;
        }
        let any = key(random.usize(0..CLIENTS), random.usize(0..TASKS));
        let Ok(value) = store.get::<u64>(&any).await else { continue };
        if any == own && value.unwrap_or(0) < least {
            // A failover, or a write that was given up and came late, is not the cache's fault.
            let there = direct.get::<u64>(&own).await;
            if there.is_ok_and(|there| there != value) {
                return Some(format!("{own} was {value:?} after {least} was written"));
            }
        }
    }
    None
}

struct Trial {
    clients: Vec<Client>,
    direct: Store,
    random: fastrand::Rng,
}

impl Trial {
    async fn round(&mut self, round: usize, operations: u64, disturb: impl AsyncFn()) {
        let mut tasks = JoinSet::new();
        let from = u64::try_from(round).unwrap() * operations;
        for (client, Client { store, .. }) in self.clients.iter().enumerate() {
            for task in 0..TASKS {
                let stores = (store.clone(), self.direct.clone());
                let random = self.random.fork();
                tasks.spawn(work(stores, (client, task), (from, operations), random));
            }
        }
        disturb().await;
        while let Some(wrong) = tasks.join_next().await {
            assert_eq!(wrong.unwrap(), None, "round {round}");
        }
        for client in 0..CLIENTS {
            self.clients[client].is_told_everything(&self.direct, round).await;
            self.compare(client, round).await;
        }
    }

    /// What a client reads and what the server has, while nobody writes.
    async fn compare(&self, client: usize, round: usize) {
        for writer in 0..CLIENTS {
            for task in 0..TASKS {
                let key = key(writer, task);
                let there = self.direct.get::<u64>(&key).await.unwrap();
                let read = self.clients[client].store.get::<u64>(&key).await.unwrap();
                assert_eq!(read, there, "client {client} reads {key} in round {round}");
            }
        }
    }

    /// The caches were used, and emptied.
    fn figures(&self, gaps: u64) {
        for Client { config, .. } in &self.clients {
            let figures = config.near_cache().figures();
            println!("{figures:?}");
            assert!(figures.hits > 0 && figures.invalidations > 0, "{figures:?}");
            assert!(figures.gaps >= gaps, "{figures:?}");
        }
    }
}

fn seeded() -> fastrand::Rng {
    let seed = fastrand::u64(..);
    println!("seed {seed}");
    fastrand::Rng::with_seed(seed)
}

async fn cut_connections(rounds: usize, operations: u64) {
    let server = RedisServer::start().unwrap();
    let (mut proxies, mut clients) = (Vec::new(), Vec::new());
    let to = |port| Config::builder().store_type("redis").redis_host("127.0.0.1").redis_port(port);
    for _ in 0..CLIENTS {
        let proxy = Proxy::start(("127.0.0.1", server.port())).await.unwrap();
        clients.push(Client::open(to(proxy.port())).await);
        proxies.push(proxy);
    }
    let direct = to(server.port()).build().unwrap().open().await.unwrap();
    let mut trial = Trial { clients, direct, random: seeded() };
    for round in 0..rounds {
        let victim = trial.random.usize(0..CLIENTS);
        let bytes = proxies[victim].traffic().request_bytes;
        let wait = trial.random.u64(1..50_000);
        trial
            .round(round, operations, async || {
                // After some traffic, or at once where the round ends before.
                for _ in 0..1_000 {
                    if proxies[victim].traffic().request_bytes > bytes + wait {
                        break;
                    }
                    tokio::task::yield_now().await;
                }
                proxies[victim].reset_connections();
            })
            .await;
    }
    trial.figures(1);
}

async fn failovers(rounds: usize, operations: u64) {
    let servers = RedisSentinels::start().unwrap();
    let nodes = || servers.sentinel_ports().into_iter().map(|port| format!("127.0.0.1:{port}"));
    let config = || {
        let builder = Config::builder().store_type("redis").redis_mode("sentinel");
        builder
            .redis_nodes(nodes().collect::<Vec<_>>())
            .redis_sentinel_master(servers.master_name())
    };
    let mut clients = Vec::new();
    for _ in 0..CLIENTS {
        clients.push(Client::open(config()).await);
    }
    let direct = config().build().unwrap().open().await.unwrap();
    let mut trial = Trial { clients, direct, random: seeded() };
    for round in 0..rounds {
        trial.round(round, operations, async || assert!(servers.failover().is_ok())).await;
    }
    trial.figures(2);
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_older_than_promised_while_connections_are_cut() {
    cut_connections(12, 300).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_read_is_older_than_promised_while_primaries_hand_over() {
    failovers(2, 500).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `cargo xtask soak near` runs it"]
async fn soak() {
    let variable = std::env::var("OC_KV_SOAK_OPERATIONS");
    let operations: u64 = variable.ok().and_then(|it| it.parse().ok()).unwrap_or(1_000_000);
    let of_each = operations / (CLIENTS * TASKS) as u64;
    cut_connections(100, of_each / 125).await;
    failovers(10, of_each / 50).await;
}
