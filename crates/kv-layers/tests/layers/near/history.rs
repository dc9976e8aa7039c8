//! Random histories of several clients, each with a near cache, and what no read in them may be.

use std::pin::pin;
use std::sync::{Arc, Mutex};
use std::task::{Context, Waker};

use kv_core::{Bytes, KeyValueStore, Write};
use kv_layers::NearCache;
use tokio::task::{JoinSet, yield_now};

use super::world::{Far, Rank, World, deliver};

const CLIENTS: usize = 4;
const TASKS_A_CLIENT: usize = 3;
const KEYS: usize = 4;

/// What a cache does wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Plant {
    Nothing,
    /// The flush is forgotten where changes may have been missed.
    GapsAreIgnored,
    /// An own write is seen as late as anybody's.
    OwnWritesAreIgnored,
    /// A change that is told before the reply to a read under way does not count.
    RepliesUnderWayAreKept,
}

pub(super) struct History {
    seed: u64,
    plant: Plant,
    world: Arc<Mutex<World>>,
}

#[derive(Clone)]
struct Client {
    far: Far,
    near: Arc<dyn KeyValueStore>,
    plant: Plant,
}

impl History {
    pub(super) fn new(seed: u64, plant: Plant) -> Self {
        Self { seed, plant, world: Arc::new(Mutex::new(World::new(CLIENTS))) }
    }

    /// Runs so many steps of each task; says what was wrong.
    pub(super) fn run(self, steps: usize) -> Option<String> {
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        runtime.block_on(async {
            let mut tasks = JoinSet::new();
            for client in (0..CLIENTS).map(|client| self.client(client)) {
                for task in 0..TASKS_A_CLIENT {
                    tasks.spawn(client.clone().work(task, steps));
                }
                tasks.spawn(client.notices(steps));
            }
            while let Some(done) = tasks.join_next().await {
                if let Some(wrong) = done.unwrap() {
                    return Some(wrong);
                }
            }
            None
        })
    }

    fn client(&self, client: usize) -> Client {
        let random =
            fastrand::Rng::with_seed(self.seed.wrapping_mul(31).wrapping_add(client as u64));
        let random = Arc::new(Mutex::new(random));
        let far = Far { world: Arc::clone(&self.world), client, random };
        // So small that it evicts too.
        let near = NearCache::new().entries(KEYS - 1).on(far.clone()).unwrap();
        Client { far, near: Arc::from(near), plant: self.plant }
    }
}

impl Client {
    fn dice(&self, sides: usize) -> usize {
        self.far.random.lock().unwrap().usize(0..sides)
    }

    async fn work(self, task: usize, steps: usize) -> Option<String> {
        for step in 0..steps {
            let key = format!("k{}", self.dice(KEYS));
            match self.dice(8) {
                0 => self.write(&key, format!("{}.{task}.{step}", self.far.client)).await,
                1 => self.give_up(&key, format!("{}.{task}.{step}", self.far.client)),
                _ => {
                    if let Some(wrong) = self.read(&key).await {
                        return Some(wrong);
                    }
                }
            }
            yield_now().await;
        }
        None
    }

    async fn read(&self, key: &str) -> Option<String> {
        let least = self.least(key);
        let entry = match self.near.get_now(key) {
            Some(entry) => entry.unwrap(),
            None => self.near.get(key).await.unwrap(),
        };
        let world = self.far.world.lock().unwrap();
        let rank = world.rank(key, entry.as_ref().map(|entry| &entry.value));
        let wrong =
            || format!("client {} read state {rank} of {key}, not {least}", self.far.client);
        (rank < least).then(wrong)
    }

    /// The oldest state that a read that begins now may return.
    fn least(&self, key: &str) -> Rank {
        let world = self.far.world.lock().unwrap();
        let line = &world.lines[self.far.client];
        match line.is_lost {
            // Nothing is kept.
            true => world.now(key),
            false => line.floors.get(key).copied().unwrap_or(0),
        }
    }

    async fn write(&self, key: &str, value: String) {
        let value = Bytes::from(value);
        let written = match self.plant {
            Plant::OwnWritesAreIgnored => self.far.set(key, value.clone(), Write::ALWAYS).await,
            _ => self.near.set(key, value.clone(), Write::ALWAYS).await,
        };
        written.unwrap();
        let mut world = self.far.world.lock().unwrap();
        let rank = world.rank(key, Some(&value));
        let floor = world.lines[self.far.client].floors.entry(key.to_owned()).or_default();
        *floor = rank.max(*floor);
    }

    /// A write whose caller does not wait for it.
    fn give_up(&self, key: &str, value: String) {
        let mut write = pin!(self.near.set(key, value.into(), Write::ALWAYS));
        let _ = write.as_mut().poll(&mut Context::from_waker(Waker::noop()));
    }

    /// Lets notices arrive, and cuts the connection now and then.
    async fn notices(self, steps: usize) -> Option<String> {
        for _ in 0..4 * steps {
            match self.dice(60) {
                0 => self.far.world.lock().unwrap().cut_or_mend(self.far.client),
                1..30 => deliver(&self.far.world, self.far.client, self.plant),
                _ => {}
            }
            self.far.takes_its_time().await;
            yield_now().await;
        }
        None
    }
}
