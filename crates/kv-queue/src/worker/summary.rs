//! How the deliveries of a worker ended.

use std::fmt;

use kv_core::queue::{Operation, Verdict};

use crate::queue::{Settle, Settled};

/// What a worker did. Each delivery counts in exactly one field.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct WorkerSummary {
    /// Jobs that the worker or their handler acked.
    pub done: u64,
    /// Jobs that failed and will be tried again.
    pub retried: u64,
    /// Jobs that their handler snoozed.
    pub snoozed: u64,
    /// Jobs that their handler handed back because their group is limited.
    pub limited: u64,
    /// Jobs that became dead letters because a budget was spent or their handler said so.
    pub buried: u64,
    /// Jobs whose payload did not decode.
    pub undecodable: u64,
    /// Jobs that were cancelled during their delivery.
    pub cancelled: u64,
    /// Deliveries that lost their lease, or got no verdict from the store.
    pub lost: u64,
    /// Deliveries that the worker handed back at its stop.
    pub handed_back: u64,
}

impl WorkerSummary {
    /// All deliveries.
    pub const fn deliveries(&self) -> u64 {
        let settled = self.done + self.retried + self.snoozed + self.buried + self.undecodable;
        settled + self.limited + self.cancelled + self.lost + self.handed_back
    }

    pub(super) const fn count(&mut self, ending: Ending) {
        let field = match ending {
            Ending::Done => &mut self.done,
            Ending::Retried => &mut self.retried,
            Ending::Snoozed => &mut self.snoozed,
            Ending::Limited => &mut self.limited,
            Ending::Buried => &mut self.buried,
            Ending::Undecodable => &mut self.undecodable,
            Ending::Cancelled => &mut self.cancelled,
            Ending::Lost => &mut self.lost,
            Ending::HandedBack => &mut self.handed_back,
        };
        *field = field.saturating_add(1);
    }
}

impl fmt::Display for WorkerSummary {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { done, retried, snoozed, limited, buried, .. } = self;
        let Self { undecodable, cancelled, lost, handed_back, .. } = self;
        write!(
            f,
            "{done} done, {retried} retried, {snoozed} snoozed, {limited} limited, {buried} buried, \
             {undecodable} undecodable, {cancelled} cancelled, {lost} lost, {handed_back} handed back"
        )
    }
}

/// How one delivery ended: each is a field of the [`WorkerSummary`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Ending {
    /// The worker or the handler acked the job.
    Done,
    /// The job failed and will be tried again.
    Retried,
    /// The handler snoozed the job.
    Snoozed,
    /// The handler put the job back because its group is limited.
    Limited,
    /// The job became a dead letter.
    Buried,
    /// The payload did not decode.
    Undecodable,
    /// The job was cancelled.
    Cancelled,
    /// The lease was lost, or the store gave no verdict.
    Lost,
    /// The worker handed the job back at its stop.
    HandedBack,
}

impl Ending {
    /// A short name for a label, such as `done` or `handed_back`.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Retried => "retried",
            Self::Snoozed => "snoozed",
            Self::Limited => "limited",
            Self::Buried => "buried",
            Self::Undecodable => "undecodable",
            Self::Cancelled => "cancelled",
            Self::Lost => "lost",
            Self::HandedBack => "handed_back",
        }
    }
}

/// The request that ends a delivery.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Sent {
    Settle(Settle),
    /// The payload does not decode.
    SetAside,
    HandBack,
}

impl Sent {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Settle(verb) => verb.name(),
            Self::SetAside => "set aside",
            Self::HandBack => "hand back",
        }
    }

    /// How the delivery ended, by the store's verdict, or as lost without one.
    pub(super) const fn ending(self, verdict: Option<Verdict>) -> Ending {
        match (self, verdict) {
            (Self::SetAside, _) => Ending::Undecodable,
            (_, None | Some(Verdict::Stale)) => Ending::Lost,
            (_, Some(Verdict::Cancelled)) => Ending::Cancelled,
            (_, Some(Verdict::Buried)) | (Self::Settle(Settle::Fail), _) => Ending::Buried,
            (Self::Settle(Settle::Ack), _) => Ending::Done,
            (Self::Settle(Settle::Retry), _) => Ending::Retried,
            (Self::Settle(Settle::Snooze), _) => Ending::Snoozed,
            (Self::Settle(Settle::Limited), _) => Ending::Limited,
            (Self::HandBack, _) => Ending::HandedBack,
        }
    }
}

impl From<Settled> for Ending {
    fn from(settled: Settled) -> Self {
        Sent::Settle(settled.by).ending(Some(settled.verdict))
    }
}
/// What remains to do for a delivery after its handler.
pub(super) enum Outcome {
    /// Send the ack or the operation that settles the delivery.
    ToSend(Option<Operation>, Sent),
    /// Nothing: the delivery has ended.
    Ended(Ending),
}
