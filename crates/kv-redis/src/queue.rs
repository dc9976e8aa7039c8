//! The queue's engine: each verb one script on the keys of one partition.
//!
//! The scripts do what the machine of `kv-queue-machine` does, in the same order. The top of
//! `queue/head.lua` describes the keys and their contents. Each script reads the server's time
//! once; requests carry durations only.

mod check;
mod decode;
mod describe;
mod encode;
mod keys;
mod look;
mod remove;
mod scripts;
#[cfg(test)]
mod tests;
mod transfer;
mod waits;

use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, RandomState};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Export, Exported, Import, Imported, Inspect,
    Inspected, Maintain, Maintained, Partition, QueueEngine, Submit, Submitted, check_control,
    check_exchange, check_export, check_import, check_inspect, check_maintain, check_partitions,
    check_submit,
};
use kv_core::{Achieved, Durability, Error, ErrorKind, Result, async_trait};

use crate::config::RedisConfig;
use crate::driver::{Access, Answer, CallPool, Driver, Durable, Request};
use crate::scripts::Script;
use keys::{Keys, PartitionKeys};
pub(crate) use scripts::Scripts;
use waits::Waits;

/// What an exchange answers that did nothing, since it must declare the keys of groups.
const NEEDS_GROUPS: i64 = 0;

/// The format in which a queue is stored; a queue in another format is refused untouched.
const FORMAT: &str = "3";

/// All queues of a store.
///
/// A verb on a queue that this store has not opened, or on an unknown partition, fails with
/// `Config`.
///
/// # Cancel safety
/// A dropped verb is executed whole or not at all, even later if it waits for the connection to
/// come back. Its repeat on the same session gets its answer.
pub(crate) struct RedisQueues {
    driver: Arc<Driver>,
    calls: CallPool,
    key_prefix: Arc<str>,
    scripts: Scripts,
    opened: RwLock<HashMap<Arc<str>, Arc<[Keys]>>>,
    /// Whether all servers passed the check.
    checked: AtomicBool,
    waits: Waits,
}

impl fmt::Debug for RedisQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisQueues").field("server", &self.driver.server()).finish_non_exhaustive()
    }
}

impl RedisQueues {
    pub(crate) fn new(driver: Arc<Driver>, config: &RedisConfig) -> Self {
        let scripts = Scripts::new();
        let waits = Waits::new(config, Arc::clone(&driver), scripts, random());
        let key_prefix = config.key_prefix.as_str().into();
        let (opened, checked) = (RwLock::default(), AtomicBool::new(false));
        let calls = CallPool::new(Arc::clone(&driver));
        Self { driver, calls, key_prefix, scripts, opened, checked, waits }
    }

    /// Ends the waits; later waits fail with `Closed`, as the driver's calls do.
    pub(crate) fn close(&self) {
        self.waits.close();
    }

    /// The keys of all partitions of a partition's queue.
    fn queue(&self, partition: &Partition) -> Result<Arc<[Keys]>> {
        let opened = self.opened.read().unwrap_or_else(PoisonError::into_inner);
        opened.get(&partition.queue).cloned().ok_or_else(|| not_open(partition))
    }

    fn keys(&self, partition: &Partition) -> Result<Keys> {
        let number = usize::try_from(partition.number).unwrap_or(usize::MAX);
        self.queue(partition)?.get(number).cloned().ok_or_else(|| not_open(partition))
    }

    /// The request that adds jobs: only jobs with a group need the keys of groups.
    fn submission(&self, partition: &Partition, request: Submit) -> Result<Request> {
        check_submit(&request)?;
        let keys = self.keys(partition)?;
        let (script, keys) = if request.jobs.iter().any(|job| job.group.is_some()) {
            (self.scripts.submit_grouped, keys.without_done())
        } else {
            (self.scripts.submit, keys.without_groups())
        };
        let args = encode::submit(request);
        Ok(Request::Script { script, keys, args })
    }

    async fn run<R>(
        &self,
        (keys, script): (Arc<[Bytes]>, &'static Script),
        args: Vec<Bytes>,
        decode: impl FnOnce(Answer) -> Result<R>,
    ) -> Result<R> {
        let answer = self.calls.call(Request::Script { script, keys, args }).await?;
        decode(answer).map_err(|error| match script.access {
            Access::Read => error,
            Access::Write => error.maybe_applied(),
        })
    }
}

#[async_trait]
impl QueueEngine for RedisQueues {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        check_partitions(queue, partitions)?;
        let described = async {
            if !self.checked.load(Ordering::Relaxed) && check::check(&self.driver).await? {
                self.checked.store(true, Ordering::Relaxed);
            }
            self.describe(queue, partitions).await
        };
        described.await.map_err(|error| error.operation("open").key(queue))?;
        let keys =
            (0..partitions).map(|it| Arc::new(PartitionKeys::new(&self.key_prefix, queue, it)));
        let mut opened = self.opened.write().unwrap_or_else(PoisonError::into_inner);
        opened.entry(queue.into()).or_insert_with(|| keys.collect());
        Ok(())
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        let write = self.submission(partition, request)?;
        let answer = self.calls.call(write).await?;
        decode::submitted(answer).map_err(Error::maybe_applied)
    }

    async fn submit_durable(
        &self,
        partition: &Partition,
        request: Submit,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        let write = self.submission(partition, request)?;
        // A repeat that only gets the first answer writes nothing itself.
        let marker = Some(keys::marker(&self.key_prefix, &partition.queue, partition.number));
        let durable = Durable { write, marker, durability };
        let (answer, achieved) = self.driver.call_durably(durable).await?;
        let submitted = decode::submitted(answer).map_err(Error::maybe_applied)?;
        Ok((submitted, achieved))
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        check_exchange(&request)?;
        let keys = self.keys(partition)?;
        let call = |script, keys| {
            let args = encode::exchange(&request);
            self.calls.call(Request::Script { script, keys, args })
        };
        let mut answer = Answer::Int(NEEDS_GROUPS);
        if request.policy.keep_done > 0 {
            answer = call(self.scripts.exchange_keeping, keys.all()).await?;
        } else if !keys.has_groups() {
            answer = call(self.scripts.exchange, keys.without_groups()).await?;
        }
        if matches!(answer, Answer::Int(NEEDS_GROUPS)) {
            keys.learn_of_groups();
            answer = call(self.scripts.exchange_grouped, keys.without_done()).await?;
        }
        decode::exchanged(answer).map_err(Error::maybe_applied)
    }

    async fn maintain(&self, partition: &Partition, request: Maintain) -> Result<Maintained> {
        check_maintain(&request)?;
        let args = encode::maintain(&request);
        let keys = self.keys(partition)?;
        let keys = match request.policy.keep_done {
            0 => keys.without_done(),
            _ => keys.all(),
        };
        self.run((keys, self.scripts.maintain), args, decode::maintained).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        check_control(&request)?;
        let args = encode::control(&request);
        let keys = self.keys(partition)?.all();
        self.run((keys, self.scripts.control), args, decode::controlled).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        check_inspect(&request)?;
        let args = encode::inspect(request.clone());
        let decode = |answer| match &request {
            Inspect::Job { .. } => look::job(answer),
            Inspect::List { state, .. } => look::list(*state, answer),
            _ => decode::inspected(&request, answer),
        };
        let keys = self.keys(partition)?;
        let keys = match request {
            Inspect::Job { .. } | Inspect::List { .. } => keys.all(),
            _ => keys.without_done(),
        };
        self.run((keys, self.scripts.inspect), args, decode).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        let Some(first) = partitions.first() else { return Ok(Vec::new()) };
        let keys = self.queue(first)?;
        self.waits.wait(partitions, keys, timeout).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        let removed = self.remove_queue(queue, partitions).await;
        removed.map_err(|error| error.operation("remove").key(queue))
    }

    async fn export(&self, partition: &Partition, request: Export) -> Result<Exported> {
        check_export(&request)?;
        let place = transfer::Place::of(&request)?;
        let args = place.arguments(&request);
        let keys = self.keys(partition)?.without_done();
        self.run((keys, self.scripts.export), args, |answer| place.exported(answer)).await
    }

    async fn import(&self, partition: &Partition, request: Import) -> Result<Imported> {
        check_import(&request)?;
        let args = transfer::import(request);
        let keys = self.keys(partition)?.without_done();
        self.run((keys, self.scripts.import), args, transfer::imported).await
    }
}

/// A random number, so that hardly another process has it.
fn random() -> u64 {
    RandomState::new().hash_one("waits")
}

fn not_open(partition: &Partition) -> Error {
    let message = format!("partition {} is not open in this store", partition.number);
    Error::new(ErrorKind::Config, message).key(&partition.queue)
}
