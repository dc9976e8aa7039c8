//! The contract on statements.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, QueueSupport, Submit, Submitted,
};
use kv_core::{
    Achieved, Bytes, Capabilities, Clock, Command, Condition, Durability, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats,
    Version, Write, async_trait,
};
use tokio::task::yield_now;

use super::Sql;
use crate::broken::slip::{By, Slip};

fn get(key: &str) -> Command {
    Command::Get { key: key.to_owned() }
}

fn delete(key: &str) -> Command {
    Command::Delete { key: key.to_owned(), condition: Condition::Always }
}

fn entry(reply: Reply) -> Option<Entry> {
    if let Reply::Entry(entry) = reply { entry } else { None }
}

impl Sql {
    /// How many of so many the slips about sizes let through.
    fn most(&self, by: By, count: usize) -> Result<usize> {
        match self.slip {
            Some(Slip::ManyAreCut(route, most)) if route == by => Ok(most.min(count)),
            Some(Slip::ManyFail(route, most)) if route == by && count > most => {
                Err(Error::new(ErrorKind::Backend, "too many variables in one statement"))
            }
            _ => Ok(count),
        }
    }

    fn caches(&self) -> bool {
        matches!(self.slip, Some(Slip::CacheMisses(..) | Slip::ExistsFromCache))
    }
}

#[async_trait]
impl KeyValueStore for Sql {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        if self.caches() {
            self.open()?;
            return Ok(self.read_cached(key));
        }
        let found = self.statement(By::Single, get(key)).await.map(entry)?;
        let mut table = self.table();
        *(if found.is_some() { &mut table.hits } else { &mut table.misses }) += 1;
        Ok(found)
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let set = Command::Set { key: key.to_owned(), value, write };
        match self.statement(By::Single, set).await? {
            Reply::Outcome(outcome) => Ok(outcome),
            _ => Ok(Outcome::ConditionFailed),
        }
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let delete = Command::Delete { key: key.to_owned(), condition };
        Ok(self.statement(By::Single, delete).await? == Reply::Flag(true))
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        match self.statement(By::Single, Command::Ttl { key: key.to_owned() }).await? {
            Reply::Remaining(left) => Ok(left),
            _ => Ok(None),
        }
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.page(request)
    }

    fn capabilities(&self) -> Capabilities {
        let all = Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS;
        match self.slip {
            Some(Slip::DurableForgets | Slip::DurableIgnoresConditions) => {
                all | Capabilities::DURABILITY
            }
            Some(Slip::CountsUndeclaredInTwoSteps) => Capabilities::TTL | Capabilities::CONDITIONS,
            Some(Slip::LivesUndeclaredInIncrements) => Capabilities::COUNTERS,
            _ => all,
        }
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        let at_hand = || Some(Ok(self.read_cached(key)));
        match self.slip {
            Some(Slip::FastPathMisses(..)) if self.open().is_ok() => at_hand(),
            Some(Slip::AtHandWhenClosed) => at_hand(),
            Some(Slip::FastPathOutlives) if self.open().is_ok() => {
                let table = self.table();
                Some(Ok(table.rows.get(key).map(|row| table.entry(row, None))))
            }
            Some(Slip::FastPathTellsAnotherVersion) if self.open().is_ok() => {
                let read = self.read_cached(key);
                let other = |entry| Entry { version: Version::from_number(0), ..entry };
                Some(Ok(read.map(other)))
            }
            _ => None,
        }
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        if self.is(Slip::ExistsFromCache) {
            self.open()?;
            let cache = self.cache.lock().unwrap().get(key).cloned();
            if let Some(read) = cache {
                return Ok(read.is_some());
            }
        }
        let exists = Command::Exists { key: key.to_owned() };
        Ok(self.statement(By::Single, exists).await? == Reply::Flag(true))
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let most = self.most(By::Many, keys.len())?;
        let mut keys = keys[..most].to_vec();
        match self.slip {
            Some(Slip::ReadsSorted) => keys.sort_unstable(),
            Some(Slip::ReadsEachOnce) => {
                keys.sort_unstable();
                keys.dedup();
            }
            _ => {}
        }
        let mut entries = Vec::new();
        for key in keys {
            entries.push(entry(self.statement(By::Many, get(key)).await?));
        }
        Ok(entries)
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        _: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let write = match self.slip {
            Some(Slip::DurableInSilence) => write,
            Some(Slip::DurableIgnoresConditions) => write.condition(Condition::Always),
            Some(Slip::DurableForgets) => {
                return Ok((Outcome::Written(Version::from_number(1)), Achieved::default()));
            }
            _ => return Err(Error::unsupported("durable writes")),
        };
        Ok((self.set(key, value, write).await?, Achieved::default()))
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        if lifetime != Lifetime::In(Duration::ZERO) {
            lifetime.as_millis()?;
        }
        let most = self.most(By::Many, entries.len())?;
        for (key, value) in entries.into_iter().take(most) {
            let set = Command::Set { key, value, write: Write::ALWAYS.lifetime(lifetime) };
            self.statement(By::Many, set).await?;
        }
        Ok(())
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        let most = self.most(By::Many, keys.len())?;
        if self.is(Slip::CountsWhatWasAsked) || self.is(Slip::CountsBeforeItDeletes) {
            self.open()?;
            let mut known = keys.to_vec();
            known.sort_unstable();
            known.dedup();
            known.retain(|key| self.table().alive(key).is_some());
            yield_now().await;
            for key in &known {
                self.statement(By::Many, delete(key)).await?;
            }
            let asked = self.is(Slip::CountsWhatWasAsked) && !known.is_empty();
            return Ok(if asked { keys.len() } else { known.len() } as u64);
        }
        let mut deleted = 0;
        for key in &keys[..most] {
            let removed = self.statement(By::Many, delete(key)).await? == Reply::Flag(true);
            deleted += u64::from(removed);
        }
        Ok(deleted)
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let add = Command::Increment { key: key.to_owned(), by, lifetime };
        if self.is(Slip::CountsUndeclaredInTwoSteps) {
            let found = self.get(key).await?.map_or_else(|| "0".into(), |entry| entry.value);
            let sum = kv_core::add_to_counter(&found, by)?;
            yield_now().await;
            self.set(key, sum.to_string().into(), Write::ALWAYS.lifetime(lifetime)).await?;
            return Ok(sum);
        }
        match self.statement(By::Single, add).await? {
            Reply::Number(sum) => Ok(sum),
            _ => Ok(0),
        }
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        Ok(entry(self.statement(By::Single, Command::Take { key: key.to_owned() }).await?))
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let touch = Command::Touch { key: key.to_owned(), lifetime };
        Ok(self.statement(By::Single, touch).await? == Reply::Flag(true))
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let most = self.most(By::Batch, commands.len())?;
        let before = self.table().rows.clone();
        let mut replies = Vec::new();
        for command in commands.into_iter().take(most) {
            let reads = matches!(command, Command::Get { .. } | Command::Exists { .. });
            let early = if reads && self.is(Slip::BatchReadsFirst) {
                let row = before.get(command.key());
                Some(Reply::Entry(row.map(|row| self.table().entry(row, None))))
            } else {
                None
            };
            let reply = match early {
                Some(early) => Ok(early),
                None => self.statement(By::Batch, command).await,
            };
            if reply.is_err() && self.is(Slip::BatchRollsBack) {
                self.table().rows.clone_from(&before);
            }
            let stop = reply.is_err() && self.is(Slip::BatchStopsAtAnError);
            replies.push(reply);
            if stop {
                break;
            }
        }
        Ok(replies)
    }

    async fn now(&self) -> Result<Duration> {
        if !self.is(Slip::TimeWhenClosed) {
            self.open()?;
        }
        Ok(match self.slip {
            Some(Slip::TimeSinceTheStart) => self.clock.now(),
            Some(Slip::TimeInSeconds) => Duration::from_secs(self.clock.wall().as_secs()),
            _ => self.clock.wall(),
        })
    }

    async fn ping(&self) -> Result<()> {
        if self.is(Slip::PingsWhenClosed) { Ok(()) } else { self.open() }
    }

    async fn stats(&self) -> Result<Stats> {
        if !self.is(Slip::FiguresWhenClosed) {
            self.open()?;
        }
        let table = self.table();
        let mut stats = Stats::default();
        let keys = u64::try_from(table.rows.len()).unwrap();
        stats.keys = Some(match self.slip {
            Some(Slip::FiguresCountWrites) => table.writes,
            Some(Slip::FiguresOfEachHandle) => self.writes.load(Ordering::Acquire),
            _ => keys,
        });
        stats.hits = Some(if self.is(Slip::HitsStand) { 0 } else { table.hits });
        stats.misses = Some(table.misses);
        Ok(stats)
    }

    async fn close(&self) -> Result<()> {
        self.closed.store(true, Ordering::Release);
        Ok(())
    }

    fn queue_engine(&self) -> QueueSupport {
        if self.is(Slip::QueuesWhenClosed) {
            return QueueSupport::Native(Arc::new(Endless));
        }
        QueueSupport::Generic
    }
}

/// An engine that knows nothing of its store's end.
struct Endless;

#[async_trait]
impl QueueEngine for Endless {
    async fn open(&self, _: &str, _: u32) -> Result<()> {
        Ok(())
    }

    async fn submit(&self, _: &Partition, _: Submit) -> Result<Vec<Submitted>> {
        Ok(Vec::new())
    }

    async fn exchange(&self, _: &Partition, _: Exchange) -> Result<Exchanged> {
        Err(Error::unsupported("claims"))
    }

    async fn maintain(&self, _: &Partition, _: Maintain) -> Result<Maintained> {
        Ok(Maintained::default())
    }

    async fn control(&self, _: &Partition, _: Control) -> Result<Controlled> {
        Ok(Controlled::default())
    }

    async fn inspect(&self, _: &Partition, _: Inspect) -> Result<Inspected> {
        Ok(Inspected::Counts(kv_core::queue::Counts::default()))
    }

    async fn wait(&self, _: &[Partition], _: Duration) -> Result<Vec<u32>> {
        Ok(Vec::new())
    }
}
