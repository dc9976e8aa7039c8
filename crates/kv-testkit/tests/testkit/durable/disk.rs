//! A store on a disk that is a value: it stays when the store is gone.

use std::collections::BTreeMap;
use std::ops::Bound;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Bytes, Capabilities, Clock, Condition, Cursor, Entry, Error, ErrorKind, KeyValueStore,
    Lifetime, Outcome, Remaining, Result, ScanPage, ScanRequest, Stats, Version, Write,
    async_trait,
};
use kv_testkit::ManualClock;

use super::faults::Fault;
use super::queue::{DiskQueues, Queues};

#[derive(Clone)]
pub(super) struct Record {
    value: Bytes,
    version: u64,
    /// Nanoseconds since 1970.
    ends: Option<u128>,
}

/// What is written down.
#[derive(Clone, Default)]
pub(super) struct Disk {
    records: BTreeMap<String, Record>,
    writes: u64,
    /// The latest time that was seen: the date of the next process may be an earlier one.
    pub(super) mark: Duration,
    pub(super) queues: Queues,
}

/// The store's time: from the date at its start, or the mark, on by the time since then.
pub(super) struct Time {
    clock: ManualClock,
    base: Duration,
    fault: Option<Fault>,
}

impl Time {
    pub(super) fn now(&self, mark: Duration) -> Duration {
        match self.fault {
            Some(Fault::DeadlinesByNow) => self.clock.now(),
            Some(Fault::DeadlinesByTheDate) => self.clock.wall(),
            Some(Fault::TimeStandsStill) => self.clock.wall().max(mark),
            Some(Fault::CutsMilliseconds) => cut(self.base + self.clock.now()),
            _ => self.base + self.clock.now(),
        }
    }
}

fn cut(time: Duration) -> Duration {
    Duration::from_millis(u64::try_from(time.as_millis()).unwrap())
}

pub(crate) struct DurableStore {
    disk: Arc<Mutex<Disk>>,
    /// What this process knows; all of it is on the disk too, but for a fault.
    known: Arc<Mutex<Disk>>,
    time: Arc<Time>,
    fault: Option<Fault>,
    closed: Arc<AtomicBool>,
}

impl DurableStore {
    pub(super) fn open(disk: Arc<Mutex<Disk>>, clock: ManualClock, fault: Option<Fault>) -> Self {
        let mut known = disk.lock().unwrap().clone();
        let base = match fault {
            Some(Fault::MarkIgnored) => clock.wall(),
            Some(Fault::ClosedTimeDoesNotCount) if !known.mark.is_zero() => known.mark,
            _ => clock.wall().max(known.mark),
        };
        known.spoil(fault, base);
        let time = Arc::new(Time { clock, base, fault });
        let known = Arc::new(Mutex::new(known));
        Self { disk, known, time, fault, closed: Arc::default() }
    }

    fn is(&self, fault: Fault) -> bool {
        self.fault == Some(fault)
    }

    fn known(&self) -> Result<(MutexGuard<'_, Disk>, u128)> {
        if self.closed.load(Ordering::Acquire) {
            return Err(Error::closed());
        }
        let known = self.known.lock().unwrap();
        let now = self.time.now(known.mark).as_nanos();
        Ok((known, now))
    }

    /// What every write of a key does before it is answered, unless the fault delays it to the
    /// close.
    fn write_down(&self, known: &mut Disk, key: &str, delayed: bool) {
        known.mark = known.mark.max(self.time.now(known.mark));
        if delayed || self.is(Fault::WrittenOnClose) {
            return;
        }
        let mut disk = self.disk.lock().unwrap();
        (disk.mark, disk.writes) = (known.mark, known.writes);
        match known.records.get(key) {
            Some(record) => drop(disk.records.insert(key.to_owned(), record.clone())),
            None => drop(disk.records.remove(key)),
        }
    }

    fn version(&self, record: &Record) -> Version {
        // As where numbers are mixed with something that each process draws anew.
        let start = u64::from(self.is(Fault::VersionsOfThisProcess)) * self.time.base.as_secs();
        Version::from_number(record.version + start * 1_000)
    }

    fn meets(&self, record: Option<&Record>, condition: &Condition) -> bool {
        match condition {
            Condition::Always => true,
            Condition::Absent => record.is_none(),
            Condition::Present => record.is_some(),
            Condition::Version(version) => {
                record.is_some_and(|record| self.version(record) == *version)
            }
        }
    }
}

impl Record {
    fn is_live(&self, now: u128) -> bool {
        self.ends.is_none_or(|ends| now < ends)
    }
}

impl Disk {
    fn live(&self, key: &str, now: u128) -> Option<&Record> {
        self.records.get(key).filter(|record| record.is_live(now))
    }

    /// What a faulty store loses when it reads its disk.
    fn spoil(&mut self, fault: Option<Fault>, now: Duration) {
        let highest = self.records.values().map(|record| record.version).max().unwrap_or(0);
        match fault {
            Some(Fault::VersionsRestart) => self.writes = 0,
            Some(Fault::VersionsGoOnFromTheHighest) => self.writes = highest,
            Some(Fault::CountersRestart) => {
                let is_text = |value: &[u8]| {
                    std::str::from_utf8(value).is_ok_and(|v| v.parse::<i64>().is_err())
                };
                self.records.retain(|_, record| is_text(&record.value));
            }
            Some(Fault::QueueLost) => self.queues.clear(),
            Some(Fault::LeasesEnd | Fault::DeadLettersLost) => {
                self.queues.spoil(fault, now + Duration::from_secs(40));
            }
            _ => {}
        }
        let (now, mark) = (now.as_nanos(), self.mark.as_nanos());
        for (number, record) in (1..).zip(self.records.values_mut()) {
            match fault {
                Some(Fault::LifetimesLost) => record.ends = None,
                Some(Fault::LifetimesAnew) => {
                    record.ends = record.ends.map(|ends| ends + now - mark);
                }
                Some(Fault::ExpiredComeBack) => {
                    record.ends = record.ends.filter(|ends| *ends > now);
                }
                Some(Fault::VersionsRenumbered) => record.version = number,
                _ => {}
            }
        }
    }
}

#[async_trait]
impl KeyValueStore for DurableStore {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        let (known, now) = self.known()?;
        let entry =
            |record: &Record| Entry { value: record.value.clone(), version: self.version(record) };
        Ok(known.live(key, now).map(entry))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let lifetime = write.lifetime.as_millis()?;
        let (mut known, now) = self.known()?;
        let old = known.live(key, now);
        if !self.meets(old, &write.condition) {
            return Ok(Outcome::ConditionFailed);
        }
        let ends = match write.lifetime {
            Lifetime::Keep => old.and_then(|record| record.ends),
            _ => lifetime.map(|ms| now + u128::from(ms) * 1_000_000),
        };
        known.writes += 1;
        let record = Record { value, version: known.writes, ends };
        let version = self.version(&record);
        known.records.insert(key.to_owned(), record);
        let conditional = !matches!(write.condition, Condition::Always);
        self.write_down(&mut known, key, conditional && self.is(Fault::ConditionsOnClose));
        Ok(Outcome::Written(version))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let (mut known, now) = self.known()?;
        let found = known.live(key, now);
        let wanted = found.is_some() && self.meets(found, &condition);
        if wanted {
            known.records.remove(key);
            self.write_down(&mut known, key, self.is(Fault::DeletesOnClose));
        }
        Ok(wanted)
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let (known, now) = self.known()?;
        let left = |ends: u128| {
            let ms = (ends - now).div_ceil(1_000_000);
            Remaining::Expires(Duration::from_millis(u64::try_from(ms).unwrap()))
        };
        let ends = known.live(key, now).map(|record| record.ends);
        Ok(ends.map(|ends| ends.map_or(Remaining::Forever, left)))
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let after = match request.cursor.map(|cursor| cursor.as_str().strip_prefix("after ")) {
            None => Bound::Unbounded,
            Some(Some(key)) => Bound::Excluded(key.to_owned()),
            Some(None) => return Err(Error::new(ErrorKind::InvalidKey, "a foreign cursor")),
        };
        let (known, now) = self.known()?;
        let mut rest = known.records.range((after, Bound::Unbounded));
        let page: Vec<_> = rest.by_ref().take(request.limit.max(1)).collect();
        let last = page.last().filter(|_| rest.next().is_some());
        let next = last.map(|(key, _)| Cursor::new(format!("after {key}")));
        let live = page.into_iter().filter(|(_, record)| record.is_live(now));
        let matching = live.map(|(key, _)| key).filter(|key| request.pattern.matches(key));
        Ok(ScanPage { keys: matching.cloned().collect(), next })
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS
    }

    async fn now(&self) -> Result<Duration> {
        let (known, _) = self.known()?;
        let since_the_start = self.is(Fault::NowSinceTheStart);
        Ok(if since_the_start { self.time.clock.now() } else { self.time.now(known.mark) })
    }

    async fn stats(&self) -> Result<Stats> {
        self.known().map(|_| Stats::default())
    }

    async fn close(&self) -> Result<()> {
        if !self.closed.swap(true, Ordering::AcqRel) {
            *self.disk.lock().unwrap() = self.known.lock().unwrap().clone();
        }
        Ok(())
    }

    fn queue_engine(&self) -> QueueSupport {
        let (disk, known) = (Arc::clone(&self.disk), Arc::clone(&self.known));
        let (time, closed) = (Arc::clone(&self.time), Arc::clone(&self.closed));
        QueueSupport::Native(Arc::new(DiskQueues { disk, known, time, closed, fault: self.fault }))
    }
}
