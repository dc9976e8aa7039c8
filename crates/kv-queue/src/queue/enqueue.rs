//! Handing jobs in.

use std::collections::BTreeMap;

use kv_core::queue::{JobKey, MAX_BATCH, NewJob, Submitted};
use kv_core::{Achieved, Durability, Error, ErrorKind, Result};
use serde::Serialize;

use super::handle::Queue;
use super::job::{Enqueue, Enqueued, Job, JobId};

impl<T: Serialize> Queue<T> {
    /// Adds a job, or tells which one holds its unique key.
    ///
    /// # Errors
    /// `TooLarge` for a payload beyond the queue's limit or a unique key of over 1,024 bytes,
    /// `Serialization` for one that the serializer cannot hold, `Backpressure` for a full queue.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue(&self, job: impl Into<Job<T>> + Send) -> Result<Enqueue>
    where
        T: Send,
    {
        let (number, job) = self.place(job.into()).map_err(|e| e.operation("enqueue"))?;
        let answers = self.requests().submit(number, vec![job]).await;
        placed(number, &answers.map_err(|error| error.operation("enqueue"))?)
    }

    /// Adds a job as [`enqueue`](Self::enqueue) does, and waits until copies have it, or the job
    /// that holds its unique key: what they had when the time for that was over. Too little is no
    /// error, and the job is there: see [`Achieved::meets`].
    ///
    /// ```
    /// # use kv_core::{Durability, Store};
    /// # use kv_queue::{Job, Queue};
    /// # async fn example(store: Store) -> kv_core::Result<()> {
    /// let queue = Queue::<String>::open(&store, "fetch").await?;
    /// let wanted = Durability::replicas(1);
    /// let (_, achieved) = queue.enqueue_durable("/".to_owned(), wanted).await?;
    /// assert!(achieved.meets(wanted), "no replica has it");
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue); `Unsupported` on a store that declares no durability,
    /// `Config` for one that is to be reached later than a call may take. Nothing is added then.
    ///
    /// # Cancel safety
    /// A dropped future may or may not have added the job.
    pub async fn enqueue_durable(
        &self,
        job: impl Into<Job<T>> + Send,
        durability: Durability,
    ) -> Result<(Enqueue, Achieved)>
    where
        T: Send,
    {
        let operation = |error: Error| error.operation("enqueue_durable");
        let (number, job) = self.place(job.into()).map_err(operation)?;
        let answers = self.requests().submit_durable(number, vec![job], durability).await;
        let (answers, achieved) = answers.map_err(operation)?;
        Ok((placed(number, &answers)?, achieved))
    }

    /// Adds many jobs, in requests of up to 1,000 for each partition.
    ///
    /// # Errors
    /// As [`enqueue`](Self::enqueue). Everything is encoded before anything is sent; an error of
    /// a later request says `MaybeApplied`, since earlier ones were executed.
    ///
    /// # Cancel safety
    /// A dropped future may have added any number of the jobs.
    pub async fn enqueue_many<J>(&self, jobs: J) -> Result<Enqueued>
    where
        J: IntoIterator<Item: Into<Job<T>>> + Send,
        T: Send,
    {
        let batches = self.batches(jobs).map_err(|error| error.operation("enqueue_many"))?;
        let mut enqueued = Enqueued::default();
        for (number, batch) in batches {
            let answers = self.requests().submit(number, batch).await;
            enqueued.count(&answers.map_err(|error| enqueued.blame(error, "enqueue_many"))?);
        }
        Ok(enqueued)
    }

    /// Adds many jobs as [`enqueue_many`](Self::enqueue_many) does, and waits until copies have
    /// them: the least that any of the requests had reached.
    ///
    /// # Errors
    /// As [`enqueue_many`](Self::enqueue_many) and [`enqueue_durable`](Self::enqueue_durable).
    ///
    /// # Cancel safety
    /// A dropped future may have added any number of the jobs.
    pub async fn enqueue_many_durable<J>(
        &self,
        jobs: J,
        durability: Durability,
    ) -> Result<(Enqueued, Achieved)>
    where
        J: IntoIterator<Item: Into<Job<T>>> + Send,
        T: Send,
    {
        let name = "enqueue_many_durable";
        let batches = self.batches(jobs).map_err(|error| error.operation(name))?;
        let (mut enqueued, mut least) = (Enqueued::default(), None::<Achieved>);
        for (number, batch) in batches {
            let answers = self.requests().submit_durable(number, batch, durability).await;
            let (answers, achieved) = answers.map_err(|error| enqueued.blame(error, name))?;
            enqueued.count(&answers);
            least = Some(least.map_or(achieved, |least| least.least(achieved)));
        }
        Ok((enqueued, least.unwrap_or_default()))
    }

    /// Jobs by partition, in requests of a size that an engine takes.
    fn batches<J>(&self, jobs: J) -> Result<Vec<(u32, Vec<NewJob>)>>
    where
        J: IntoIterator<Item: Into<Job<T>>>,
    {
        let mut by_partition: BTreeMap<u32, Vec<NewJob>> = BTreeMap::new();
        for job in jobs {
            let (number, job) = self.place(job.into())?;
            by_partition.entry(number).or_default().push(job);
        }
        let mut batches = Vec::new();
        for (number, mut jobs) in by_partition {
            while !jobs.is_empty() {
                let rest = jobs.split_off(jobs.len().min(MAX_BATCH));
                batches.push((number, jobs));
                jobs = rest;
            }
        }
        Ok(batches)
    }

    /// Encodes a job and finds its partition: by its unique key, which always has the same one,
    /// else in turn.
    fn place(&self, job: Job<T>) -> Result<(u32, NewJob)> {
        self.connection().check_open()?;
        let Job { payload, priority, delay, unique, time_to_live } = job;
        let body = self.connection().serializer().encode(&payload)?;
        let limit = self.connection().settings.max_payload;
        if body.len() > limit {
            let message = format!("a payload of {} bytes; expected at most {limit}", body.len());
            return Err(Error::new(ErrorKind::TooLarge, message));
        }
        let partitions = self.connection().partitions.len().max(1) as u64;
        let spread = match &unique {
            Some(unique) => stable_hash(unique.key.as_bytes()),
            None => self.connection().turn() as u64,
        };
        let number = u32::try_from(spread % partitions).unwrap_or(0);
        Ok((number, NewJob { body, priority, delay, unique, time_to_live }))
    }
}

/// What became of the one job of a request.
fn placed(number: u32, answers: &[Submitted]) -> Result<Enqueue> {
    let id = |key: &JobKey| JobId { partition: number, key: *key };
    match answers.first() {
        Some(Submitted::Added(key)) => Ok(Enqueue::Added(id(key))),
        Some(Submitted::Duplicate(key)) => Ok(Enqueue::Duplicate(id(key))),
        None => Err(Error::new(ErrorKind::Backend, "the engine gave no answer")),
    }
}

/// FNV-1a, which must never change: it says in which partition a unique key is looked for.
/// Source: RFC 9923.
fn stable_hash(bytes: &[u8]) -> u64 {
    bytes.iter().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3)
    })
}

#[cfg(test)]
mod tests {
    use super::stable_hash;

    #[test]
    fn the_hash_of_a_unique_key_is_the_published_one() {
        assert_eq!(stable_hash(b""), 0xcbf2_9ce4_8422_2325);
        assert_eq!(stable_hash(b"a"), 0xaf63_dc4c_8601_ec8c);
        assert_eq!(stable_hash(b"foobar"), 0x8594_4171_f739_67e8);
    }
}
