//! Looking at jobs without taking them.

use kv_core::queue::{Inspect, Inspected, JobKey, MAX_BATCH, Partition, Peeked};
use kv_core::{Error, Pace, Result};
use serde::de::DeserializeOwned;

use super::handle::Queue;
use super::job::JobId;
use super::operate::{no_further, unexpected};

/// What a peek has found so far.
struct Found<T> {
    payloads: Vec<T>,
    /// The first payload that did not decode.
    wrong: Option<Error>,
    pace: Pace,
}

impl<T: DeserializeOwned> Queue<T> {
    /// The payloads of up to `n` ready jobs, in each partition those that a claim would take next.
    /// Takes no job. Leaves out payloads that do not decode.
    ///
    /// Of each partition `peek` looks at no more jobs than were ready when it came there, so it ends
    /// although workers take jobs and others come.
    ///
    /// # Errors
    /// Those of the store; `Serialization` if there are ready jobs and none decodes as a `T`.
    pub async fn peek(&self, n: usize) -> Result<Vec<T>> {
        let mut found = Found { payloads: Vec::new(), wrong: None, pace: Pace::default() };
        for partition in self.outstanding_among(self.partitions()).await {
            if found.payloads.len() >= n {
                break;
            }
            let peeked = self.peek_into(&mut found, partition, n).await;
            peeked.map_err(|error| error.operation("peek"))?;
        }
        match found.wrong {
            Some(error) if found.payloads.is_empty() && n > 0 => Err(error.operation("peek")),
            _ => Ok(found.payloads),
        }
    }

    async fn peek_into(&self, found: &mut Found<T>, partition: &Partition, n: usize) -> Result<()> {
        let (mut after, mut left) = (None, self.counts(partition).await?.ready);
        while left > 0 && found.payloads.len() < n {
            let jobs = self.peek_page(partition, after, n - found.payloads.len()).await?;
            let Some(last) = jobs.last() else { break };
            after = Some(last.key);
            left = left.saturating_sub(jobs.len() as u64);
            for job in jobs {
                found.pace.handled(job.body.len()).await;
                match self.connection().serializer().decode(&job.body) {
                    Ok(payload) => found.payloads.push(payload),
                    Err(error) => {
                        let id = JobId { partition: partition.number, key: job.key };
                        found.wrong.get_or_insert_with(|| error.key(&id.to_string()));
                    }
                }
            }
        }
        Ok(())
    }

    async fn peek_page(
        &self,
        partition: &Partition,
        after: Option<JobKey>,
        limit: usize,
    ) -> Result<Vec<Peeked>> {
        let (limit, bytes) = (limit.min(MAX_BATCH), self.connection().request_bytes());
        let request = Inspect::Peek { after, limit, bytes };
        match self.inspect("peek", partition, request).await? {
            Inspected::Jobs(jobs) => match after {
                Some(key) if jobs.iter().any(|job| job.key == key) => {
                    Err(no_further(JobId { partition: partition.number, key }))
                }
                _ => Ok(jobs),
            },
            _ => Err(unexpected()),
        }
    }
}
