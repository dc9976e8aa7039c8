//! One exchange, and who waits for its answers.

use std::mem::take;
use std::sync::Arc;
use std::time::Duration;

use kv_core::queue::{Exchanged, Handle, JobKey, MAX_BATCH, Operation, Verdict};
use kv_core::{Error, ErrorKind, Result};

use super::super::claimers::{Claims, PendingClaim};
use super::super::connection::Connection;
use super::{Item, Reply, Requests, interrupted};

/// The items of one exchange. If a batch is dropped without an answer, as when its runtime ends, it
/// tells every waiting caller.
pub(super) struct Batch {
    acks: Vec<Handle>,
    operations: Vec<(Handle, Operation)>,
    ack_replies: Vec<Reply>,
    /// Each reply has the delay that its operation gives the job.
    operation_replies: Vec<(Reply, Option<Duration>)>,
    claim: Option<Box<dyn PendingClaim>>,
}

impl Batch {
    pub(super) const fn of(claim: Option<Box<dyn PendingClaim>>) -> Self {
        Self {
            acks: Vec::new(),
            operations: Vec::new(),
            ack_replies: Vec::new(),
            operation_replies: Vec::new(),
            claim,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.settles_nothing() && self.claim.is_none()
    }

    pub(super) fn settles_nothing(&self) -> bool {
        self.acks.is_empty() && self.operations.is_empty()
    }

    pub(super) fn has_room_for(&self, item: &Item) -> bool {
        match item.operation {
            None => self.acks.len() < MAX_BATCH,
            Some(_) => self.operations.len() < MAX_BATCH,
        }
    }

    pub(super) fn extend(&mut self, items: impl IntoIterator<Item = Item>) {
        for Item { handle, operation, reply } in items {
            match operation {
                None => {
                    self.acks.push(handle);
                    self.ack_replies.push(reply);
                }
                Some(operation) => {
                    self.operation_replies.push((reply, delay(&operation)));
                    self.operations.push((handle, operation));
                }
            }
        }
    }

    pub(super) async fn send(mut self, requests: &Requests, number: u32) {
        let settled = self.jobs(&requests.connection);
        let answer = self.exchange(&requests.connection, number).await;
        if let Err(error) = &answer {
            let (queue, waiting) = (
                requests.connection.queue(),
                self.ack_replies.len() + self.operation_replies.len(),
            );
            tracing::debug!(queue, partition = number, %error, waiting, "an exchange failed");
        }
        let due = self.answer(answer);
        requests.watched.settled(number, &settled);
        requests.tell_due(number, due);
    }

    /// The jobs that it may settle, if somebody can wait for them.
    fn jobs(&self, connection: &Connection) -> Vec<JobKey> {
        if connection.settings.policy.keep_done == 0 {
            return Vec::new();
        }
        let operations = self.operations.iter().map(|(handle, _)| handle);
        self.acks.iter().chain(operations).map(|handle| handle.key).collect()
    }

    async fn exchange(&mut self, connection: &Arc<Connection>, number: u32) -> Result<Exchanged> {
        let partition = connection.partition(number)?;
        let (acks, operations) = (take(&mut self.acks), take(&mut self.operations));
        let limit = self.claim.as_ref().map_or(0, |claim| claim.limit());
        connection.exchange(partition, acks, operations, limit).await
    }

    /// Answers every caller, and returns how soon the first delayed job is due.
    fn answer(&mut self, answer: Result<Exchanged>) -> Option<Duration> {
        match answer {
            Ok(answer) => Some(self.succeed(answer)).flatten(),
            Err(error) => {
                self.fail(&error);
                None
            }
        }
    }

    fn succeed(&mut self, answer: Exchanged) -> Option<Duration> {
        if let Some(claim) = self.claim.take() {
            claim.finish(Ok(Claims {
                claimed: answer.claimed,
                more: answer.more,
                next_due: answer.next_due,
            }));
        }
        let mut acks = answer.acks.into_iter();
        for reply in take(&mut self.ack_replies) {
            reply.tell(acks.next().ok_or_else(no_verdict));
        }
        let mut verdicts = answer.operations.into_iter();
        let mut due: Option<Duration> = None;
        for (reply, delay) in take(&mut self.operation_replies) {
            let verdict = verdicts.next();
            if verdict == Some(Verdict::Applied) {
                due = due.into_iter().chain(delay).min();
            }
            reply.tell(verdict.ok_or_else(no_verdict));
        }
        due
    }

    fn fail(&mut self, error: &Error) {
        if let Some(claim) = self.claim.take() {
            claim.finish(Err(error.clone()));
        }
        let operations = take(&mut self.operation_replies).into_iter().map(|(reply, _)| reply);
        for reply in take(&mut self.ack_replies).into_iter().chain(operations) {
            reply.tell(Err(error.clone()));
        }
    }
}

impl Drop for Batch {
    fn drop(&mut self) {
        self.fail(&interrupted().maybe_applied());
    }
}

fn delay(operation: &Operation) -> Option<Duration> {
    match operation {
        Operation::Retry { after, .. }
        | Operation::Snooze { after }
        | Operation::Limited { after } => Some(*after),
        Operation::Release => Some(Duration::ZERO),
        Operation::Done { .. }
        | Operation::Fail { .. }
        | Operation::Extend { .. }
        | Operation::Checkpoint { .. } => None,
    }
}

fn no_verdict() -> Error {
    Error::new(ErrorKind::Backend, "the engine gave no verdict")
}
