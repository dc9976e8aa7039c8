//! Exchange: checkpoints and what jobs returned first, then the index, then the bodies of the claimed jobs.

use kv_core::queue::check_exchange;
use kv_core::queue::{Claimed, Exchange, Exchanged, Operation, Partition, Policy, SavedProgress};
use kv_core::{Bytes, Result};
use kv_queue_machine::reason;

use super::GenericEngine;
use super::step::{Blobs, Step, bounded};

impl GenericEngine {
    pub(super) async fn exchange_jobs(
        &self,
        partition: &Partition,
        mut request: Exchange,
    ) -> Result<Exchanged> {
        check_exchange(&request)?;
        request.policy = bounded(request.policy);
        let mut blobs = Blobs::new();
        for (_, operation) in &mut request.operations {
            let blob = match operation {
                Operation::Checkpoint { state, .. } => state,
                Operation::Done { value } if request.policy.keep_done > 0 => value,
                _ => continue,
            };
            let name = self.fresh_name(blob.len());
            blobs.push((name.clone(), std::mem::replace(blob, name)));
        }
        let step = |machine: &mut Step<'_>| machine.exchange(&request);
        let mut exchanged = self.step(partition, blobs, step).await?;
        let claimed = std::mem::take(&mut exchanged.claimed);
        let filled = self.fill(partition, claimed, &request.policy).await;
        // The claims are made, so only a repeat on the session brings their bodies.
        exchanged.claimed = filled.map_err(kv_core::Error::maybe_applied)?;
        Ok(exchanged)
    }

    /// Claims with the contents of their blobs. A claim that cannot be read becomes a dead letter
    /// and is left out.
    async fn fill(
        &self,
        partition: &Partition,
        claimed: Vec<Claimed>,
        policy: &Policy,
    ) -> Result<Vec<Claimed>> {
        let states = claimed.iter().filter_map(|one| one.checkpoint.as_ref()).map(|it| &it.state);
        let names = claimed.iter().map(|one| &one.body).chain(states);
        let mut bodies = self.read(partition, names).await?;
        let mut states = bodies.split_off(claimed.len()).into_iter();
        let mut filled = Vec::with_capacity(claimed.len());
        let mut lost = Vec::new();
        for (one, body) in claimed.into_iter().zip(bodies) {
            let handle = one.handle;
            match complete(one, body, &mut states) {
                Ok(complete) => filled.push(complete),
                Err(why) => lost.push((handle, Operation::Fail { reason: why.to_owned() })),
            }
        }
        if !lost.is_empty() {
            let bury = |machine: &mut Step<'_>| {
                lost.iter().try_for_each(|(it, fail)| machine.operate(*it, fail, policy).map(drop))
            };
            self.step(partition, Blobs::new(), bury).await?;
        }
        Ok(filled)
    }
}

/// A claim with its contents, or the missing part.
fn complete(
    claimed: Claimed,
    body: Option<Bytes>,
    states: &mut impl Iterator<Item = Option<Bytes>>,
) -> std::result::Result<Claimed, &'static str> {
    let checkpoint = match claimed.checkpoint {
        None => None,
        Some(saved) => {
            let state = states.next().flatten().ok_or(reason::CHECKPOINT)?;
            Some(SavedProgress { state, ..saved })
        }
    };
    Ok(Claimed { body: body.ok_or(reason::BODY)?, checkpoint, ..claimed })
}
