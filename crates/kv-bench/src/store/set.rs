//! Writing typed values to memory, beside a format that looks at nothing.

use async_trait::async_trait;
use bytes::Bytes;
use kv_core::{Clock, KeyValueStore, Store, SystemClock, Write};
use kv_memory::MemoryStore;

use super::memory::Page;
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::statistics::count;

pub(crate) const SCENARIO: &str = "set";
const FIGURE: &str = "sets/s";
const FLOOR: &str = "serde_json, kv-memory";
const TYPED: &str = "Store, JSON";
const KEYS: usize = 1_000;

/// What it costs that a write refuses what would not read back.
pub(crate) fn plans(settings: &Settings) -> Vec<Plan> {
    let sets = usize::try_from(settings.size(500_000)).unwrap_or(usize::MAX);
    let about =
        format!("A struct of five fields under each of {KEYS} keys in turn, one at a time.");
    let plan = Plan::new(SCENARIO, "set in memory", &about, FIGURE)
        .enter(
            FLOOR,
            Tier::Plain,
            "`serde_json::to_vec`, then `set` of `Box<dyn KeyValueStore>`",
            Sets { is_typed: false, sets },
        )
        .enter(
            TYPED,
            Tier::Plain,
            "`Store::set`, which refuses what would not read back equal",
            Sets { is_typed: true, sets },
        )
        .floor(FLOOR);
    vec![plan.target(Target::at_least(0.9, TYPED, FLOOR, FIGURE))]
}

struct Sets {
    is_typed: bool,
    sets: usize,
}

#[async_trait]
impl Contestant for Sets {
    async fn turn(&mut self) -> Result<Sample> {
        let rate = self.rate(self.sets).await?;
        Ok(Sample::from([(FIGURE.to_owned(), rate)]))
    }

    async fn prove(&mut self) -> Result<()> {
        self.rate(KEYS.min(self.sets)).await.map(drop)
    }
}

impl Sets {
    async fn rate(&self, sets: usize) -> Result<f64> {
        let pages: Vec<(String, Page)> =
            (0..KEYS).map(|number| (format!("processed:{number:08}"), Page::new(number))).collect();
        let plain: Box<dyn KeyValueStore> = Box::new(MemoryStore::new());
        let typed = Store::new(MemoryStore::new());
        let clock = SystemClock::new();
        for (key, page) in pages.iter().cycle().take(sets) {
            if self.is_typed {
                typed.set(key, page).await?;
            } else {
                let value = Bytes::from(serde_json::to_vec(page)?);
                plain.set(key, value, Write::ALWAYS).await?;
            }
        }
        let took = clock.now();
        let stats = if self.is_typed { typed.stats().await? } else { plain.stats().await? };
        if stats.keys == Some(count_of(sets)) {
            return Ok(count(sets) / took.as_secs_f64());
        }
        Err(format!("{:?} keys after {sets} sets", stats.keys).into())
    }
}

fn count_of(sets: usize) -> u64 {
    u64::try_from(sets.min(KEYS)).unwrap_or(u64::MAX)
}
