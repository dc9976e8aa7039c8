//! Abstract steps: a step chooses its jobs and handles when it runs, so any step can be removed.

use std::ops::Range;
use std::time::Duration;

use kv_core::queue::{Claim, GroupLimit, NewJob, Operation, Policy, State};

/// A partition's part of a script.
#[derive(Clone, Debug)]
pub struct Script {
    /// The seed from which the script was drawn.
    pub seed: u64,
    /// The steps, in order.
    pub steps: Vec<Step>,
}

/// One of the items seen so far, by a number modulo their count.
#[derive(Clone, Copy, Debug)]
pub struct Pick(pub usize);

/// How a request uses a session.
#[derive(Clone, Copy, Debug)]
pub enum SessionUse {
    /// The next number.
    Next(usize),
    /// The session's last request again, instead of this one.
    Repeat(usize),
    /// A number below the last one.
    Older(usize),
    /// The last number, although this is another request.
    Reused(usize),
    /// The session's last request again, instead of this one, with this claim.
    Less(usize, Option<Claim>),
}

/// One step of a script, on partition 0 or 1.
#[derive(Clone, Debug)]
pub enum Step {
    /// Time passes.
    Advance(Duration),
    /// A submit.
    Submit(u32, Option<SessionUse>, Vec<NewJob>),
    /// An exchange.
    Exchange(u32, SessionUse, Box<Exchanging>),
    /// A maintenance with its limit.
    Maintain(u32, usize, Policy),
    /// A control.
    Control(u32, Controlling),
    /// An inspect.
    Inspect(u32, Inspecting),
}

/// An exchange: handles are picked from those claimed.
#[derive(Clone, Debug)]
pub struct Exchanging {
    /// The acks.
    pub acks: Vec<PickHandle>,
    /// The operations.
    pub operations: Vec<(PickHandle, Operation)>,
    /// The claim.
    pub claim: Option<Claim>,
    /// The policy.
    pub policy: Policy,
}

/// A handle claimed before, or a handle forged from a claimed key and another claim's token.
#[derive(Clone, Copy, Debug)]
pub struct PickHandle {
    /// Whose key.
    pub key: Pick,
    /// Whose token.
    pub token: Option<Pick>,
}

/// A control: keys are picked from those added.
#[derive(Clone, Debug)]
pub enum Controlling {
    Pause,
    Resume,
    Cancel(Vec<Pick>),
    Discard(Vec<Pick>),
    Redrive(Vec<Pick>, usize),
    Reschedule(Vec<Pick>, Duration),
    Purge,
    LimitGroup(&'static str, Option<GroupLimit>),
    PauseGroup(&'static str, Duration),
}

/// An inspect: the key is picked from those added. The numbers are the limit and the bytes.
#[derive(Clone, Copy, Debug)]
pub enum Inspecting {
    Counts,
    Peek(Option<Pick>, usize, usize),
    Dead(Option<Pick>, usize, usize),
    Groups(Option<&'static str>, usize, GroupLimit),
    Job(Pick, bool, GroupLimit),
    /// The jobs of a state, of all groups or one, from a place that an earlier page ended at.
    List(State, Option<&'static str>, Option<Pick>, usize),
}

impl Step {
    /// How many parts can be removed: jobs, acks, operations, keys.
    pub(super) fn parts(&self) -> usize {
        match self {
            Self::Submit(_, _, jobs) => jobs.len(),
            Self::Exchange(_, _, exchanging) => exchanging.acks.len() + exchanging.operations.len(),
            Self::Control(
                _,
                Controlling::Cancel(keys)
                | Controlling::Discard(keys)
                | Controlling::Redrive(keys, _)
                | Controlling::Reschedule(keys, _),
            ) => keys.len(),
            Self::Advance(_) | Self::Maintain(..) | Self::Control(..) | Self::Inspect(..) => 0,
        }
    }

    /// Removes some parts, counted in their order.
    pub(super) fn leave_out(&mut self, range: Range<usize>) {
        match self {
            Self::Submit(_, _, jobs) => drop(jobs.drain(range)),
            Self::Exchange(_, _, exchanging) => {
                let acks = exchanging.acks.len();
                let operations = range.start.max(acks) - acks..range.end.max(acks) - acks;
                drop(exchanging.operations.drain(operations));
                drop(exchanging.acks.drain(range.start.min(acks)..range.end.min(acks)));
            }
            Self::Control(
                _,
                Controlling::Cancel(keys)
                | Controlling::Discard(keys)
                | Controlling::Redrive(keys, _)
                | Controlling::Reschedule(keys, _),
            ) => drop(keys.drain(range)),
            Self::Advance(_) | Self::Maintain(..) | Self::Control(..) | Self::Inspect(..) => {}
        }
    }
}
