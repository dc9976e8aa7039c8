//! Stores that read, then write, where one step is due. The checker must catch each.

use std::sync::Mutex;
use std::thread;

use kv_core::{
    Bytes, Condition, Entry, KeyValueStore, Lifetime, Outcome, Remaining, Result, ScanPage,
    ScanRequest, Write, add_to_counter, async_trait,
};
use kv_memory::MemoryStore;

/// The verb that is not atomic.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Fault {
    Increment,
    Take,
    Absent,
    Version,
    /// Answers a read now and then with the one before it.
    StaleRead,
}

/// A memory store with a fault.
pub(crate) struct Faulty {
    store: MemoryStore,
    fault: Fault,
    last: Mutex<(u32, Option<Entry>)>,
}

impl Faulty {
    pub(crate) fn new(fault: Fault) -> Self {
        Self { store: MemoryStore::new(), fault, last: Mutex::default() }
    }

    async fn holds(&self, key: &str, condition: &Condition) -> Result<bool> {
        let held = self.store.get(key).await?;
        thread::yield_now();
        Ok(match condition {
            Condition::Always => true,
            Condition::Absent => held.is_none(),
            Condition::Present => held.is_some(),
            Condition::Version(version) => held.is_some_and(|entry| entry.version == *version),
        })
    }
}

#[async_trait]
impl KeyValueStore for Faulty {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let fresh = self.store.get(key).await?;
        let mut last = self.last.lock().unwrap();
        last.0 += 1;
        let before = std::mem::replace(&mut last.1, fresh.clone());
        let stale = self.fault == Fault::StaleRead && last.0.is_multiple_of(50);
        Ok(if stale { before } else { fresh })
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let torn = match write.condition {
            Condition::Absent => self.fault == Fault::Absent,
            Condition::Version(_) => self.fault == Fault::Version,
            Condition::Always | Condition::Present => false,
        };
        if !torn {
            return self.store.set(key, value, write).await;
        }
        if !self.holds(key, &write.condition).await? {
            return Ok(Outcome::ConditionFailed);
        }
        self.store.set(key, value, write.condition(Condition::Always)).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.store.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.store.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.store.scan(request).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        if self.fault != Fault::Increment {
            return self.store.increment(key, by, lifetime).await;
        }
        let held = self.store.get(key).await?;
        let sum = held.map_or(Ok(by), |entry| add_to_counter(&entry.value, by))?;
        thread::yield_now();
        self.store.set(key, Bytes::from(sum.to_string()), Write::ALWAYS).await?;
        Ok(sum)
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        if self.fault != Fault::Take {
            return self.store.take(key).await;
        }
        let held = self.store.get(key).await?;
        thread::yield_now();
        self.store.delete(key, Condition::Always).await?;
        Ok(held)
    }
}
