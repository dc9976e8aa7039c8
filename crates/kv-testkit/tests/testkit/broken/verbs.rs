//! Every verb of the contract, with the place where each fault sits.

mod scan;

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kv_core::{
    Bytes, Capabilities, Clock, Command, Condition, Entry, Error, ErrorKind, KeyValueStore,
    Lifetime, Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Version, Write,
    add_to_counter, async_trait,
};
use kv_testkit::ManualClock;
use tokio::task::yield_now;

use super::contents::{Contents, Record, huge_is_never};
use super::fault::Fault;

/// A store that brings every method itself, and may have one fault.
pub(crate) struct Broken {
    fault: Option<Fault>,
    clock: ManualClock,
    contents: Arc<Mutex<Contents>>,
    closed: Arc<AtomicBool>,
}

impl Broken {
    pub(super) fn new(fault: Option<Fault>, clock: ManualClock) -> Self {
        let contents = Arc::new(Mutex::new(Contents::new(fault)));
        Self { fault, clock, contents, closed: Arc::default() }
    }

    pub(super) fn another(&self) -> Self {
        let local = self.is(Fault::CloseIsLocal);
        Self {
            fault: self.fault,
            clock: self.clock.clone(),
            contents: Arc::clone(&self.contents),
            closed: if local { Arc::default() } else { Arc::clone(&self.closed) },
        }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    /// The contents at this moment.
    fn contents(&self) -> Result<MutexGuard<'_, Contents>> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        Ok(self.contents_even_closed())
    }

    fn contents_even_closed(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents.lock().unwrap();
        contents.at(self.clock.now());
        contents
    }

    /// The key as this store reads it.
    fn key(&self, key: &str) -> String {
        match self.fault {
            Some(Fault::KeysIgnoreCase) => key.to_lowercase(),
            Some(Fault::KeysCutAtTheColon) => key.rsplit(':').next().unwrap_or(key).to_owned(),
            _ => key.to_owned(),
        }
    }

    fn read(&self, key: &str) -> Result<Option<Entry>> {
        let entry = self.contents()?.alive(&self.key(key)).map(Record::entry);
        match entry {
            None if self.is(Fault::MissingIsEmpty) => {
                Ok(Some(Entry { value: Bytes::new(), version: Version::from_number(0) }))
            }
            Some(entry) if self.is(Fault::EmptyIsMissing) && entry.value.is_empty() => Ok(None),
            entry => Ok(entry),
        }
    }

    /// Whether others run between the check of this condition and the write.
    fn is_in_two_steps(&self, condition: &Condition) -> bool {
        match condition {
            Condition::Absent => self.is(Fault::CreationInTwoSteps),
            Condition::Version(_) => self.is(Fault::SwapInTwoSteps),
            Condition::Always | Condition::Present => false,
        }
    }

    fn write(
        &self,
        contents: &mut Contents,
        key: &str,
        value: Bytes,
        lifetime: Lifetime,
    ) -> Outcome {
        if self.is(Fault::FirstWriteStays) && contents.alive(key).is_some() {
            return Outcome::Written(Version::from_number(0));
        }
        let value = match self.fault {
            Some(Fault::LossyText) => String::from_utf8_lossy(&value).into_owned().into(),
            _ => value,
        };
        let ends = contents.ends(key, lifetime);
        let version = contents.store(key, value, ends);
        let version = version - u64::from(self.is(Fault::SetTellsAnOldVersion));
        Outcome::Written(Version::from_number(version))
    }

    /// The sum, and when the counter ends.
    fn add(
        &self,
        contents: &Contents,
        key: &str,
        by: i64,
        lifetime: Lifetime,
    ) -> Result<(i64, Option<u64>)> {
        let lifetime = huge_is_never(lifetime, self.is(Fault::IncrementHugeIsNever));
        let created = contents.ends(key, lifetime);
        let Some(old) = contents.alive_or(Fault::IncrementRevives, key) else {
            return Ok((by, created));
        };
        let text = String::from_utf8_lossy(&old.value).into_owned();
        let sum = match self.fault {
            Some(Fault::IncrementLosesTheSign) => {
                add_to_counter(text.trim_matches('-').as_bytes(), by)?
            }
            Some(Fault::TextCountsAsZero) => add_to_counter(text.as_bytes(), by).unwrap_or(by),
            Some(Fault::OverflowWraps) => text.parse::<i64>().unwrap_or(0).wrapping_add(by),
            _ => add_to_counter(text.as_bytes(), by)?,
        };
        let renewed = self.is(Fault::IncrementRenews);
        Ok((sum, if renewed { created } else { old.ends }))
    }

    fn store_sum(&self, contents: &mut Contents, key: &str, (sum, ends): (i64, Option<u64>)) {
        let text =
            if self.is(Fault::CountersAreHex) { format!("{sum:x}") } else { sum.to_string() };
        let kept = contents.alive(key).map(|old| old.version);
        contents.store(key, text.into(), ends);
        if let (Some(kept), true) = (kept, self.is(Fault::IncrementKeepsTheVersion)) {
            contents.records.entry(key.to_owned()).and_modify(|record| record.version = kept);
        }
    }

    /// One command of a batch.
    async fn run(&self, command: Command) -> Result<Reply> {
        let always = self.is(Fault::BatchIgnoresConditions);
        Ok(match command {
            Command::Get { key } => Reply::Entry(self.get(&key).await?),
            Command::Set { key, value, write } => {
                let write = if always { write.condition(Condition::Always) } else { write };
                Reply::Outcome(self.set(&key, value, write).await?)
            }
            Command::Delete { key, condition } => Reply::Flag(self.delete(&key, condition).await?),
            Command::Exists { key } if self.is(Fault::BatchSeesExpired) => {
                Reply::Flag(self.contents()?.records.contains_key(&key))
            }
            Command::Exists { key } => Reply::Flag(self.exists(&key).await?),
            Command::Ttl { key } => Reply::Remaining(self.ttl(&key).await?),
            Command::Touch { .. } if self.is(Fault::BatchSkipsTouch) => Reply::Flag(true),
            Command::Touch { key, lifetime } => Reply::Flag(self.touch(&key, lifetime).await?),
            Command::Take { key } => Reply::Entry(self.take(&key).await?),
            Command::Increment { key, by, lifetime } => {
                let sum = self.increment(&key, by, lifetime).await?;
                if self.is(Fault::BatchRenewsCounters) {
                    self.touch(&key, lifetime).await?;
                }
                Reply::Number(sum)
            }
            _ => return Err(Error::unsupported("this command")),
        })
    }
}

/// Repeats an increment whose future is dropped, as a client does that sends again.
struct Repeat<'s>(&'s Broken, &'s str, bool);

impl Drop for Repeat<'_> {
    fn drop(&mut self) {
        let Self(store, key, dropped) = self;
        let mut contents = store.contents_even_closed();
        if let (true, Ok(sum)) = (*dropped, store.add(&contents, key, 1, Lifetime::Never)) {
            store.store_sum(&mut contents, key, sum);
        }
    }
}

#[async_trait]
impl KeyValueStore for Broken {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        if self.is(Fault::DroppedGetJams) {
            let jammed = std::mem::replace(&mut self.contents()?.jammed, true);
            yield_now().await;
            self.contents()?.jammed = jammed;
            if jammed {
                return Err(Error::new(ErrorKind::Backend, "busy"));
            }
        }
        let Some(mut entry) = self.read(key)? else { return Ok(None) };
        if self.is(Fault::GetInTwoSteps) {
            yield_now().await;
            entry.version = self.read(key)?.map_or(entry.version, |later| later.version);
        }
        Ok(Some(entry))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let key = self.key(key);
        let zero = write.lifetime == Lifetime::In(Duration::ZERO);
        if zero && self.is(Fault::ZeroDeletes) {
            self.contents()?.records.remove(&key);
            return Ok(Outcome::Written(Version::from_number(0)));
        }
        write.lifetime.as_millis()?;
        if self.is_in_two_steps(&write.condition) {
            if !self.contents()?.meets(&key, &write.condition) {
                return Ok(Outcome::ConditionFailed);
            }
            yield_now().await;
            return Ok(self.write(&mut *self.contents()?, &key, value, write.lifetime));
        }
        if self.is(Fault::TornWrites) {
            let half = value.slice(..value.len() / 2);
            self.write(&mut *self.contents()?, &key, half, write.lifetime);
            yield_now().await;
        }
        let mut contents = self.contents()?;
        if !contents.meets(&key, &write.condition) {
            if self.is(Fault::FailedSetClears) {
                contents.records.entry(key).and_modify(|record| record.ends = None);
            }
            return Ok(Outcome::ConditionFailed);
        }
        Ok(self.write(&mut contents, &key, value, write.lifetime))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let key = self.key(key);
        let met = |contents: &Contents| {
            self.is(Fault::DeleteIgnoresConditions) || contents.meets(&key, &condition)
        };
        if matches!(condition, Condition::Version(_)) && self.is(Fault::DeleteInTwoSteps) {
            let met = met(&*self.contents()?);
            yield_now().await;
            self.contents()?.remove(&key);
            return Ok(met);
        }
        let mut contents = self.contents()?;
        Ok(met(&contents) && contents.remove(&key))
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let contents = self.contents()?;
        let ends = contents.alive(&self.key(key)).map(|record| record.ends);
        let seconds = |ms: u64| if self.is(Fault::TtlInSeconds) { ms / 1_000 * 1_000 } else { ms };
        let left = |ends: u64| Duration::from_millis(seconds(ends - contents.now));
        Ok(ends.map(|ends| ends.map_or(Remaining::Forever, |at| Remaining::Expires(left(at)))))
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        scan::page(self, request)
    }

    fn capabilities(&self) -> Capabilities {
        if self.is(Fault::UndeclaredIsAccepted) {
            return Capabilities::NONE;
        }
        Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        if self.is(Fault::StaleFastPath) {
            return Some(Ok(None));
        }
        // A fault that needs a gap can show in the slow path alone.
        self.fault.is_none().then(|| self.read(key))
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        if self.is(Fault::ExistsAfterClose) {
            return Ok(self.contents_even_closed().alive(key).is_some());
        }
        Ok(self.contents()?.alive_or(Fault::ExistsSeesExpired, &self.key(key)).is_some())
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        drop(self.contents()?);
        let mut entries = Vec::new();
        for key in keys {
            entries.push(self.read(key)?);
        }
        if self.is(Fault::GetManySkipsHoles) {
            entries.retain(Option::is_some);
        }
        Ok(entries)
    }

    async fn set_many(&self, mut entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        if !self.is(Fault::SetManyChecksLate) {
            lifetime.as_millis()?;
        }
        if self.is(Fault::SetManyBackwards) {
            entries.reverse();
        }
        let lifetime = match (self.fault, lifetime) {
            (Some(Fault::SetManyForgetsTheLifetime), Lifetime::In(_)) => Lifetime::Never,
            (Some(Fault::SetManyKeeps), Lifetime::Never) => Lifetime::Keep,
            (_, lifetime) => lifetime,
        };
        for (key, value) in entries {
            let late = self.is(Fault::SetManyChecksLate) && lifetime.as_millis().is_err();
            let lifetime = if late { Lifetime::Never } else { lifetime };
            self.write(&mut *self.contents()?, &self.key(&key), value, lifetime);
        }
        lifetime.as_millis().map(drop)
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        drop(self.contents()?);
        let mut deleted = 0;
        for key in keys {
            let removed = self.contents()?.remove(&self.key(key));
            deleted += u64::from(removed || self.is(Fault::DeleteManyCountsAll));
        }
        Ok(deleted)
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let key = &self.key(key);
        let zero = lifetime.as_millis().is_err() && self.is(Fault::IncrementTakesZero);
        let lifetime = if zero { Lifetime::Never } else { lifetime };
        lifetime.as_millis()?;
        if self.is(Fault::IncrementInTwoSteps) {
            let sum = self.add(&*self.contents()?, key, by, lifetime)?;
            yield_now().await;
            self.store_sum(&mut *self.contents()?, key, sum);
            return Ok(sum.0);
        }
        let sum = {
            let mut contents = self.contents()?;
            let sum = self.add(&contents, key, by, lifetime)?;
            self.store_sum(&mut contents, key, sum);
            sum
        };
        if self.is(Fault::DroppedIncrementRepeats) {
            let mut repeat = Repeat(self, key, true);
            yield_now().await;
            repeat.2 = false;
        }
        Ok(sum.0)
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        let key = self.key(key);
        if self.is(Fault::TakeInTwoSteps) {
            let entry = self.read(&key)?;
            yield_now().await;
            self.contents()?.remove(&key);
            return Ok(entry);
        }
        let mut contents = self.contents()?;
        let entry = contents.alive_or(Fault::TakeSeesExpired, &key).map(Record::entry);
        if !self.is(Fault::TakeLeaves) {
            contents.remove(&key);
        }
        Ok(entry)
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let key = self.key(key);
        let zero = lifetime.as_millis().is_err() && self.is(Fault::TouchTakesZero);
        let lifetime = if zero { Lifetime::Never } else { lifetime };
        lifetime.as_millis()?;
        let mut contents = self.contents()?;
        let Some(old) = contents.alive_or(Fault::TouchRevives, &key).cloned() else {
            return Ok(self.is(Fault::TouchSaysTrue));
        };
        let cleared = lifetime == Lifetime::Keep && self.is(Fault::TouchKeepClears);
        let lifetime = if cleared { Lifetime::Never } else { lifetime };
        let lifetime = huge_is_never(lifetime, self.is(Fault::TouchHugeIsNever));
        let ends = contents.ends(&key, lifetime);
        if !self.is(Fault::TouchDoesNothing) {
            contents.records.insert(key, Record { ends, ..old });
        }
        Ok(true)
    }

    async fn execute(&self, mut commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        drop(self.contents()?);
        let mut replies = Vec::new();
        if commands.is_empty() && self.is(Fault::EmptyBatchFails) {
            return Err(Error::new(ErrorKind::Backend, "nothing to do"));
        }
        if self.is(Fault::BatchBackwards) {
            commands.reverse();
        }
        let most = if self.is(Fault::BatchIsCut) { 512 } else { usize::MAX };
        for command in commands.into_iter().take(most) {
            let reply = self.run(command).await;
            if reply.is_err() && self.is(Fault::BatchStopsAtAnError) {
                reply?;
            } else {
                replies.push(reply);
            }
        }
        if self.is(Fault::BatchBackwards) {
            replies.reverse();
        }
        Ok(replies)
    }

    async fn now(&self) -> Result<Duration> {
        drop(self.contents()?);
        Ok(if self.is(Fault::ClockStands) { Duration::ZERO } else { self.clock.wall() })
    }

    async fn ping(&self) -> Result<()> {
        let mut contents = self.contents()?;
        if self.is(Fault::PingWrites) {
            self.write(&mut contents, "ping", Bytes::new(), Lifetime::Never);
        }
        Ok(())
    }

    async fn stats(&self) -> Result<Stats> {
        let keys = u64::try_from(self.contents()?.records.len()).unwrap();
        let mut stats = Stats::default();
        stats.keys = Some(if self.is(Fault::StatsCountTwice) { 2 * keys } else { keys });
        Ok(stats)
    }

    async fn close(&self) -> Result<()> {
        let again = self.closed.swap(true, Ordering::AcqRel);
        if again && self.is(Fault::SecondCloseFails) {
            return Err(Error::closed());
        }
        Ok(())
    }
}
