//! Which workers run the jobs of a queue: one value beside the queue, which each worker renews.

use std::collections::BTreeMap;
use std::time::Duration;

use kv_core::{
    Capabilities, Condition, Entry, Error, ErrorKind, Lifetime, Result, Serializer, Store, Write,
};
use serde::{Deserialize, Serialize};

use super::handle::Queue;
use super::job::JobId;
use crate::requests::Connection;

/// How often a worker says that it is there.
pub(crate) const BEAT: Duration = Duration::from_secs(10);

/// After this time without a word a worker counts as gone.
const FADED: Duration = Duration::from_secs(35);

/// The most workers that are written down.
const MAX_WORKERS: usize = 1_000;

/// The most running jobs that a worker names.
pub(crate) const MAX_NAMED: usize = 64;

/// How often a change is tried again when others change the value at the same time.
const ATTEMPTS: usize = 16;

/// A worker of a queue, from [`Queue::workers`]. Dates are by the store's clock, since
/// 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub struct WorkerInfo {
    /// What the program [calls](crate::Worker::name) the worker; host and process by default.
    pub name: String,
    /// The machine's name; empty if the system does not tell it.
    pub host: String,
    /// The number of the process.
    pub pid: u32,
    /// The version that the program [gave](crate::Worker::version); of this crate by default.
    pub version: String,
    /// How many jobs it runs at a time at most.
    pub concurrency: usize,
    /// When it first said that it is there.
    pub since: Duration,
    /// When it last said so.
    pub seen: Duration,
    /// How many jobs it ran then.
    pub busy: usize,
    /// Up to 64 of the jobs that it ran then.
    pub running: Vec<JobId>,
}

type Workers = BTreeMap<String, WorkerInfo>;

impl<T> Queue<T> {
    /// The workers that run jobs of the queue in all processes, by name.
    ///
    /// A worker says that it is there when it begins, and every 10 seconds; so what it is said to
    /// run may be 10 seconds old. A worker that ended is gone from the list at once, one whose
    /// process died within 35 seconds. Up to 1,000 workers are listed.
    ///
    /// # Errors
    /// Those of the store; `Config` if the list was written by a version that this one cannot read.
    pub async fn workers(&self) -> Result<Vec<WorkerInfo>> {
        let connection = self.connection();
        let listed = async {
            connection.check_open()?;
            let key = key(connection.store(), connection.queue())?;
            let entry = connection.read(|| connection.store().inner().get(&key)).await?;
            let now = connection.now().await?;
            Ok((entry.map_or_else(|| Ok(Workers::new()), |it| decode(&it))?, now))
        };
        let (mut workers, now) = listed.await.map_err(|error: Error| error.operation("workers"))?;
        fade(&mut workers, now);
        let mut workers: Vec<_> = workers.into_values().collect();
        workers.sort_by(|one, other| one.name.cmp(&other.name));
        Ok(workers)
    }

    /// Which worker runs a job, if one says so.
    pub(super) async fn worker_of(&self, id: JobId) -> Option<String> {
        let workers = self.workers().await.ok()?;
        let found = workers.into_iter().find(|worker| worker.running.contains(&id));
        found.map(|worker| worker.name)
    }
}

/// Writes down that a worker is there, and strikes out those that are not.
pub(crate) async fn beat(connection: &Connection, id: &str, worker: &WorkerInfo) -> Result<()> {
    let now = connection.now().await?;
    change(connection, |workers| {
        fade(workers, now);
        let since = workers.get(id).map_or(now, |known| known.since);
        if workers.len() < MAX_WORKERS || workers.contains_key(id) {
            workers.insert(id.to_owned(), WorkerInfo { since, seen: now, ..worker.clone() });
        }
    })
    .await
}

/// Strikes a worker out.
pub(crate) async fn leave(connection: &Connection, id: &str) -> Result<()> {
    change(connection, |workers| drop(workers.remove(id))).await
}

/// Removes the list of a deleted queue.
pub(super) async fn forget(store: &Store, queue: &str) -> Result<()> {
    store.inner().delete(&key(store, queue)?, Condition::Always).await.map(drop)
}

fn fade(workers: &mut Workers, now: Duration) {
    workers.retain(|_, worker| now.saturating_sub(worker.seen) < FADED);
}

async fn change(connection: &Connection, edit: impl Fn(&mut Workers)) -> Result<()> {
    let store = connection.store();
    let key = key(store, connection.queue())?;
    for _ in 0..ATTEMPTS {
        let entry = store.inner().get(&key).await?;
        // A list of another version is that of its workers.
        let mut workers = entry.as_ref().map_or_else(|| Ok(Workers::new()), decode)?;
        edit(&mut workers);
        let condition = entry.map_or(Condition::Absent, |it| Condition::Version(it.version));
        if write(store, &key, &workers, condition).await? {
            return Ok(());
        }
    }
    let message = format!("others changed the list of workers during each of {ATTEMPTS} attempts");
    Err(Error::new(ErrorKind::Conflict, message).key(&key))
}

/// Stores the list for as long as one of its workers may be there; whether the condition held.
async fn write(store: &Store, key: &str, workers: &Workers, condition: Condition) -> Result<bool> {
    if workers.is_empty() {
        let is_there = condition != Condition::Absent;
        return if is_there { store.inner().delete(key, condition).await } else { Ok(true) };
    }
    let expires = store.inner().capabilities().contains(Capabilities::TTL);
    let lifetime = if expires { Lifetime::In(2 * FADED) } else { Lifetime::Never };
    let write = Write { lifetime, ..Write::ALWAYS }.condition(condition);
    let outcome = store.inner().set(key, Serializer::Json.encode(workers)?, write).await?;
    Ok(outcome.is_written())
}

fn decode(entry: &Entry) -> Result<Workers> {
    Serializer::Json.decode(&entry.value).map_err(|error| {
        let message = "the list of workers is in a format that this version does not know";
        Error::new(ErrorKind::Config, message).because(error)
    })
}

fn key(store: &Store, queue: &str) -> Result<String> {
    store.reserved_key("queue-workers", queue)
}
