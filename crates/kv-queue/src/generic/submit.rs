//! Submit: bodies first, then the index.

use kv_core::queue::check_submit;
use kv_core::queue::{Partition, Submit, Submitted};
use kv_core::{Error, ErrorKind, Result};
use kv_queue_machine::{Map, Set, Tables};

use super::blobs::NotedTables;
use super::{GenericEngine, MAX_JOBS, MAX_UNIQUE};

impl GenericEngine {
    pub(super) async fn submit_jobs(
        &self,
        partition: &Partition,
        mut request: Submit,
    ) -> Result<Vec<Submitted>> {
        check_submit(&request)?;
        let mut blobs = Vec::with_capacity(request.jobs.len());
        for job in &mut request.jobs {
            let name = self.fresh_name(job.body.len());
            blobs.push((name.clone(), std::mem::replace(&mut job.body, name)));
        }
        let submit = |machine: &mut super::step::Step<'_>| machine.submit(&request);
        self.step_if(partition, blobs, submit, |noted, replies| admit(noted, replies)).await
    }
}

/// Refuses jobs for which an index has no room; duplicates need no room.
fn admit(noted: &NotedTables, replies: &[Submitted]) -> Result<()> {
    let adds = replies.iter().any(|reply| matches!(reply, Submitted::Added(_)));
    if !adds || !noted.tables.is_changed() {
        return Ok(());
    }
    let mut jobs = 0;
    for set in [Set::Ready, Set::Queued, Set::Timed, Set::Leases] {
        jobs += noted.tables.len(set)?;
    }
    if jobs > u64::from(MAX_JOBS) {
        return Err(full(&format!("more than {MAX_JOBS} jobs")));
    }
    if noted.tables.map_len(Map::Unique) > MAX_UNIQUE {
        return Err(full(&format!("more than {MAX_UNIQUE} unique keys")));
    }
    Ok(())
}

fn full(what: &str) -> Error {
    let message = format!("the partition would hold {what}; this store can hold no more");
    Error::new(ErrorKind::Backpressure, message)
}
