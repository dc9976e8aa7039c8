//! How long a caller waits while another one of the same connection moves a gigabyte.
//!
//! A connection carries one thing after the other. What moves much is therefore sent in parts, and
//! whoever asks for a single key, or for a queue's figures, comes in between.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, Expiry, Store, SystemClock};
use kv_queue::Queue;
use tokio::sync::oneshot::{self, Receiver};
use tokio::task::yield_now;

use super::ours::Ours;
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::payload::payload;
use crate::server::Bed;

pub(crate) const SCENARIO: &str = "beside";
const GET: &str = "longest get, ms";
const STATS: &str = "longest stats, ms";
const SECONDS: &str = "seconds";

/// A job or a value: the largest that a queue takes by default.
const BYTES: usize = 1 << 20;

/// What nobody beside is to wait longer for.
const MOST_MS: f64 = 200.0;

const KEY: &str = "beside";

/// The contest.
pub(crate) fn plan(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let items = settings.size(1_000);
    let about = format!(
        "One call moves {items} jobs or values of 1 MiB. Beside it, on the same connection, one \
         task reads a key and another the queue's figures, again and again. Client and server \
         share the machine."
    );
    let mut plan = Plan::new(SCENARIO, "beside a call that moves a gigabyte", &about, GET);
    for (name, verb) in [
        ("enqueue_many", Verb::Enqueue),
        ("dequeue", Verb::Dequeue),
        ("peek", Verb::Peek),
        ("set_many", Verb::Set),
        ("get_many", Verb::Get),
    ] {
        plan = plan
            .enter(name, Tier::Fenced, "one call", Beside { bed: bed.clone(), verb, items })
            .target(Target::at_most(MOST_MS, name, GET))
            .target(Target::at_most(MOST_MS, name, STATS));
    }
    plan.at_most_rounds(3)
}

#[derive(Clone, Copy)]
enum Verb {
    Enqueue,
    Dequeue,
    Peek,
    Set,
    Get,
}

struct Beside {
    bed: Arc<Bed>,
    verb: Verb,
    items: u64,
}

#[async_trait]
impl Contestant for Beside {
    async fn turn(&mut self) -> Result<Sample> {
        self.bed.clear()?;
        let ours = Ours::open(&self.bed.url()).await?;
        ours.store.set(KEY, &1_u8).await?;
        match self.verb {
            Verb::Enqueue | Verb::Set => {}
            Verb::Dequeue | Verb::Peek => self.enqueue(&ours.queue).await?,
            Verb::Get => self.set(&ours.store).await?,
        }
        let (store, queue) = (ours.store.clone(), ours.queue.clone());
        let (gets_over, over) = oneshot::channel();
        let gets = tokio::spawn(longest(over, move || get(store.clone())));
        let (stats_over, over) = oneshot::channel();
        let stats = tokio::spawn(longest(over, move || stats(queue.clone())));
        let clock = SystemClock::new();
        self.run(&ours).await?;
        let seconds = clock.now().as_secs_f64();
        drop((gets_over, stats_over));
        let (gets, stats) = (gets.await??, stats.await??);
        let milliseconds = |longest: Duration| longest.as_secs_f64() * 1_000.0;
        let figures = [(GET, milliseconds(gets)), (STATS, milliseconds(stats)), (SECONDS, seconds)];
        Ok(figures.map(|(name, value)| (name.to_owned(), value)).into())
    }
}

impl Beside {
    async fn run(&self, ours: &Ours) -> Result<()> {
        let items = usize::try_from(self.items)?;
        match self.verb {
            Verb::Enqueue => self.enqueue(&ours.queue).await,
            Verb::Dequeue => {
                let mut taken = 0;
                while taken < items {
                    let deliveries = ours.queue.dequeue(items - taken).await?;
                    taken += deliveries.len();
                    if deliveries.is_empty() {
                        return Err(format!("{taken} of {items} were handed out").into());
                    }
                }
                Ok(())
            }
            Verb::Peek => expect(ours.queue.peek(items).await?.len(), items),
            Verb::Set => self.set(&ours.store).await,
            Verb::Get => {
                let keys: Vec<String> = (0..items).map(|item| item.to_string()).collect();
                let found = ours.store.get_many::<String>(&keys).await?;
                expect(found.iter().flatten().count(), items)
            }
        }
    }

    async fn enqueue(&self, queue: &Queue<String>) -> Result<()> {
        let added = queue.enqueue_many((0..self.items).map(|id| payload(id, BYTES))).await?.added;
        expect(added, usize::try_from(self.items)?)
    }

    async fn set(&self, store: &Store) -> Result<()> {
        let values = (0..self.items).map(|item| (item.to_string(), payload(item, BYTES)));
        Ok(store.set_many(values, Expiry::Never).await?)
    }
}

fn expect(found: usize, items: usize) -> Result<()> {
    if found == items { Ok(()) } else { Err(format!("{found} of {items}").into()) }
}

async fn get(store: Store) -> Result<()> {
    let found: Option<u8> = store.get(KEY).await?;
    found.map(drop).ok_or_else(|| "the key is gone".into())
}

async fn stats(queue: Queue<String>) -> Result<()> {
    Ok(queue.stats().await.map(drop)?)
}

/// How long the longest of these calls took, one after the other until the other side is dropped.
async fn longest<F, Fut>(mut over: Receiver<()>, call: F) -> Result<Duration>
where
    F: Fn() -> Fut,
    Fut: Future<Output = Result<()>>,
{
    let mut longest = Duration::ZERO;
    while matches!(over.try_recv(), Err(oneshot::error::TryRecvError::Empty)) {
        let clock = SystemClock::new();
        call().await?;
        longest = longest.max(clock.now());
        yield_now().await;
    }
    Ok(longest)
}
