//! Inspect: the index, then the bodies of the shown jobs.

use kv_core::queue::{DeadLetter, Inspect, Inspected, JobDetail, JobKey, Partition, Peeked};
use kv_core::{Bytes, Result};

use super::GenericEngine;
use super::step::Blobs;

/// How many pages of jobs without a body one inspection skips, so that it ends even if the store
/// has lost all bodies.
const PAGES: usize = 16;

impl GenericEngine {
    pub(super) async fn look(
        &self,
        partition: &Partition,
        mut request: Inspect,
    ) -> Result<Inspected> {
        let mut jobs = Vec::new();
        for _ in 0..PAGES {
            let look = |machine: &mut super::step::Step<'_>| machine.inspect(&request);
            let page = match self.step(partition, Blobs::default(), look).await? {
                Inspected::Counts(counts) => return Ok(Inspected::Counts(counts)),
                Inspected::Dead(letters) => {
                    return Ok(Inspected::Dead(self.letters(partition, letters).await?));
                }
                Inspected::Job { now, job } => {
                    return Ok(Inspected::Job { now, job: self.detail(partition, job).await? });
                }
                other @ (Inspected::Groups(_) | Inspected::Unique(_) | Inspected::List(_)) => {
                    return Ok(other);
                }
                Inspected::Jobs(page) => page,
            };
            // An empty page marks the end.
            let Some(last) = page.last().map(|job| job.key) else { break };
            jobs = self.peeked(partition, page).await?;
            if !jobs.is_empty() {
                break;
            }
            request = behind(request, last);
        }
        Ok(Inspected::Jobs(jobs))
    }

    /// A job whose body is gone is left out.
    async fn peeked(&self, partition: &Partition, jobs: Vec<Peeked>) -> Result<Vec<Peeked>> {
        let bodies = self.read(partition, jobs.iter().map(|job| &job.body)).await?;
        let found = jobs.into_iter().zip(bodies);
        Ok(found.filter_map(|(job, body)| Some(Peeked { body: body?, ..job })).collect())
    }

    /// A job whose bytes are gone is shown without them.
    async fn detail(
        &self,
        partition: &Partition,
        job: Option<Box<JobDetail>>,
    ) -> Result<Option<Box<JobDetail>>> {
        let Some(mut job) = job else { return Ok(None) };
        if let Some(name) = job.bytes.take() {
            job.bytes = self.read(partition, [&name].into_iter()).await?.pop().flatten();
        }
        Ok(Some(job))
    }

    /// A letter whose body is gone is shown without the body.
    async fn letters(
        &self,
        partition: &Partition,
        letters: Vec<DeadLetter>,
    ) -> Result<Vec<DeadLetter>> {
        let bodies = self.read(partition, letters.iter().map(|letter| &letter.body)).await?;
        let found = letters.into_iter().zip(bodies);
        let letter = |(letter, body): (_, Option<Bytes>)| DeadLetter {
            body: body.unwrap_or_default(),
            ..letter
        };
        Ok(found.map(letter).collect())
    }
}

/// The page that begins after a job.
fn behind(request: Inspect, last: JobKey) -> Inspect {
    let after = Some(last);
    match request {
        Inspect::Peek { limit, bytes, .. } => Inspect::Peek { after, limit, bytes },
        Inspect::Dead { limit, bytes, .. } => Inspect::Dead { after, limit, bytes },
        other => other,
    }
}
