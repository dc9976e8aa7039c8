//! The native queue engine: the queue's machine over tables of the file.

mod partition;
mod tables;
#[cfg(test)]
mod tests;
mod wait;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Export, Exported, Import, Imported, Inspect,
    Inspected, Operation, Partition, QueueEngine, Submit, Submitted, Tend, Tended,
    check_partitions,
};
use kv_core::{Achieved, Durability, Error, ErrorKind, Result, async_trait};
use kv_queue_machine::Machine;

use crate::file::Session;
use crate::verbs::check_size;
use crate::workers::Workers;
use tables::SqlTables;

/// All queues of a file.
///
/// Each verb is one step of the committing thread, in its transaction, and the time of the step is
/// the store's. A queue is used after some process opened it; an unknown queue or partition is an
/// error of kind `Config`.
///
/// # Cancel safety
/// A dropped verb happened whole, or not at all. `wait` changes nothing.
pub(crate) struct SqliteQueues(pub(crate) Arc<Workers>);

impl SqliteQueues {
    async fn step<R: Send + 'static>(
        &self,
        partition: &Partition,
        bytes: usize,
        on_disk: bool,
        step: impl Fn(&mut Machine<'_, SqlTables<'_>>) -> Result<R> + Send + Sync + 'static,
    ) -> Result<R> {
        let partition = partition.clone();
        let all = move |session: &Session| {
            session.atomically(|| {
                let found = partition::find(session, &partition)?;
                let mut tables = SqlTables::load(session, found)?;
                let answer = step(&mut Machine::new(&mut tables, session.date()))?;
                tables.store()?;
                Ok(answer)
            })
        };
        self.0.write(bytes, on_disk, all).await
    }

    /// Reads one state of the file, beside the committing thread.
    async fn look<R: Send + 'static>(
        &self,
        partition: &Partition,
        look: impl Fn(&Machine<'_, SqlTables<'_>>) -> Result<R> + Send + Sync + 'static,
    ) -> Result<R> {
        let partition = partition.clone();
        let all = move |session: &Session| {
            session.snapshot(|| {
                let found = partition::find(session, &partition)?;
                let mut tables = SqlTables::load(session, found)?;
                look(&Machine::new(&mut tables, session.date()))
            })
        };
        self.0.read(all).await
    }

    async fn submit_to(
        &self,
        partition: &Partition,
        request: Submit,
        on_disk: bool,
    ) -> Result<Vec<Submitted>> {
        for (index, job) in request.jobs.iter().enumerate() {
            check_size(job.body.len()).map_err(|error| error.at(&format!("job {index}")))?;
        }
        let bytes = request.jobs.iter().map(|job| job.body.len()).sum();
        self.step(partition, bytes, on_disk, move |machine| machine.submit(&request)).await
    }
}

impl fmt::Debug for SqliteQueues {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("SqliteQueues").field(&self.0.path()).finish()
    }
}

/// About how many bytes an exchange brings along.
fn size(request: &Exchange) -> Result<usize> {
    let mut bytes = 0_usize;
    for (_, operation) in &request.operations {
        if let Operation::Checkpoint { state, .. } = operation {
            check_size(state.len())?;
            bytes = bytes.saturating_add(state.len());
        }
    }
    Ok(bytes)
}

#[async_trait]
impl QueueEngine for SqliteQueues {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.0.check_open()?;
        check_partitions(queue, partitions)?;
        let name = queue.to_owned();
        let known = self.0.read(move |session| partition::describe(session, &name)).await?;
        let known = match known {
            Some((_, known)) => known,
            None => {
                let name = queue.to_owned();
                let make = move |session: &Session| partition::make(session, &name, partitions);
                self.0.write(0, false, make).await?
            }
        };
        if known == partitions {
            return Ok(());
        }
        let message = format!("{partitions} partitions; the queue has {known}");
        Err(Error::new(ErrorKind::Config, message).operation("open").key(queue))
    }

    async fn submit(&self, partition: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        self.submit_to(partition, request, false).await
    }

    async fn submit_durable(
        &self,
        partition: &Partition,
        request: Submit,
        durability: Durability,
    ) -> Result<(Vec<Submitted>, Achieved)> {
        durability.check(self.0.timeout())?;
        let on_disk = durability.wants_disk();
        let submitted = self.submit_to(partition, request, on_disk).await?;
        Ok((submitted, Achieved { replicas: 0, on_disk }))
    }

    async fn exchange(&self, partition: &Partition, request: Exchange) -> Result<Exchanged> {
        let bytes = size(&request)?;
        self.step(partition, bytes, false, move |machine| machine.exchange(&request)).await
    }

    async fn tend(&self, partition: &Partition, request: Tend) -> Result<Tended> {
        self.step(partition, 0, false, move |machine| machine.tend(&request)).await
    }

    async fn control(&self, partition: &Partition, request: Control) -> Result<Controlled> {
        self.step(partition, 0, false, move |machine| machine.control(&request)).await
    }

    async fn inspect(&self, partition: &Partition, request: Inspect) -> Result<Inspected> {
        self.look(partition, move |machine| machine.inspect(&request)).await
    }

    async fn export(&self, partition: &Partition, request: Export) -> Result<Exported> {
        self.look(partition, move |machine| machine.export(&request)).await
    }

    async fn import(&self, partition: &Partition, request: Import) -> Result<Imported> {
        let mut bytes = 0_usize;
        for job in &request.jobs {
            let state = job.checkpoint.as_ref().map_or(0, |saved| saved.state.len());
            for part in [job.body.len(), state] {
                check_size(part).map_err(|error| error.at(&format!("job {}", job.key)))?;
                bytes = bytes.saturating_add(part);
            }
        }
        self.step(partition, bytes, false, move |machine| machine.import(&request)).await
    }

    /// Wakes all who wait in this process at once, and those in other processes at their next look,
    /// a few times a second.
    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        wait::until(&self.0, partitions, timeout).await
    }

    /// Takes the queue away in one step; its rows are cleared away by and by.
    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.0.check_open()?;
        check_partitions(queue, partitions).map_err(|error| error.operation("remove"))?;
        let name = queue.to_owned();
        let remove =
            move |session: &Session| session.atomically(|| partition::remove(session, &name));
        self.0.write(0, false, remove).await
    }
}
