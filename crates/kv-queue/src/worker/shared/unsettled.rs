//! A settle that waits for its verdict.

use std::sync::Arc;

use kv_core::Result;
use kv_core::queue::Verdict;

use super::super::state::State;
use super::super::summary::{Ending, Sent};
use super::Shared;
use crate::queue::Lease;

/// One delivery whose settle was sent to the store. The delivery counts as unsettled until this
/// value is dropped; then as the verdict says, or as lost without a verdict.
pub(super) struct Unsettled {
    shared: Arc<Shared>,
    partition: u32,
    sent: Sent,
    ending: Ending,
}

impl Unsettled {
    pub(super) fn new(shared: &Arc<Shared>, state: &mut State, partition: u32, sent: Sent) -> Self {
        let count =
            if sent == Sent::HandBack { &mut state.handing_back } else { &mut state.settling };
        *count = count.saturating_add(1);
        Self { shared: Arc::clone(shared), partition, sent, ending: sent.ending(None) }
    }

    /// Takes the verdict on a worker's settle.
    pub(super) fn hear(self, lease: &Lease, verdict: Result<Verdict>) {
        let (queue, job, sent) = (self.shared.queue(), lease.id(), self.sent.name());
        let verdict = verdict.map(|verdict| lease.explained(verdict));
        match &verdict {
            Ok(Verdict::Applied) => {}
            Ok(Verdict::Buried) => {
                tracing::debug!(queue, %job, sent, "job went to the dead letters");
            }
            Ok(Verdict::Cancelled) => tracing::info!(queue, %job, "job was cancelled"),
            Ok(Verdict::Stale) => {
                tracing::warn!(queue, %job, sent, "lease was lost before the job was settled");
            }
            // The job is unsettled and comes back when its lease ends.
            Err(error) => {
                tracing::warn!(queue, %job, sent, %error, "delivery could not be settled");
            }
        }
        self.end(verdict.ok());
    }

    /// Ends with or without a verdict.
    pub(super) fn end(mut self, verdict: Option<Verdict>) {
        self.ending = self.sent.ending(verdict);
    }
}

impl Drop for Unsettled {
    fn drop(&mut self) {
        let (number, ending) = (self.partition, self.ending);
        let is_settle = self.sent != Sent::HandBack;
        self.shared.change(|state, now| {
            state.summary.count(ending);
            if is_settle {
                state.settling = state.settling.saturating_sub(1);
                state.scheduler.settled(number, now);
            } else {
                state.handing_back = state.handing_back.saturating_sub(1);
            }
        });
        self.shared.tell([ending]);
    }
}
