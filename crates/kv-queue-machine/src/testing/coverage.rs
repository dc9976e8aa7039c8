//! Which cases a run has met: a comparison proves nothing about a case that it never met.

use std::collections::BTreeMap;
use std::fmt;

use kv_core::queue::{
    DelayedBy, GroupBlock, Inspected, JobDetail, Operation, Standing, State, Submitted, Verdict,
};

use super::ask::{Answer, Request};
use crate::reason;

/// How often each kind of answer came.
#[derive(Clone, Default)]
pub struct Coverage(BTreeMap<String, u64>);

impl Coverage {
    /// The cases that enough random scripts meet.
    pub const CASES: [&str; 48] = [
        "added",
        "duplicate",
        "claimed",
        "more to claim",
        "released",
        "restored",
        "promoted",
        "recovered",
        "buried by maintain",
        "forgotten",
        "controlled",
        "more to control",
        "peeked",
        "evicted",
        "cancelled",
        "Applied",
        "Buried",
        "Stale",
        "Cancelled",
        "TooLarge",
        "Conflict",
        reason::EXPIRED,
        reason::CRASHED,
        reason::DELIVERED,
        "timeout",
        "claimed of a group",
        "limited",
        "unblocked",
        "a group without a limit",
        "a full group",
        "a spaced group",
        "a paused group",
        "InvalidKey",
        "a claim with a time",
        "an age",
        "a ready job",
        "a job delayed by Delay",
        "a job delayed by Retry",
        "a job delayed by Snooze",
        "a running job",
        "a dead job",
        "a done job",
        "a job with a value",
        "a job with a time",
        "a job with a past",
        "a blocked job",
        "no such job",
        "a page with a next",
    ];

    /// How often.
    pub fn of(&self, what: &str) -> u64 {
        self.0.get(what).copied().unwrap_or(0)
    }

    /// The sum of two.
    pub fn add(&mut self, other: &Self) {
        other.0.iter().for_each(|(what, times)| *self.0.entry(what.clone()).or_default() += times);
    }

    pub(super) fn count(&mut self, what: &str, times: usize) {
        if times > 0 {
            *self.0.entry(what.to_owned()).or_default() += times as u64;
        }
    }

    pub(super) fn see(&mut self, request: &Request, answer: &Answer) {
        if let (Request::Exchange(exchange), Answer::Exchange(exchanged)) = (request, answer) {
            let done = exchange.operations.iter().zip(&exchanged.operations);
            let released = done.filter(|((_, operation), verdict)| {
                *operation == Operation::Release && **verdict == Verdict::Applied
            });
            self.count("released", released.count());
            let done = exchange.operations.iter().zip(&exchanged.operations);
            let limited = done.filter(|((_, operation), verdict)| {
                matches!(operation, Operation::Limited { .. }) && **verdict == Verdict::Applied
            });
            self.count("limited", limited.count());
        }
        match answer {
            Answer::Submit(replies) => {
                let added = replies.iter().filter(|one| matches!(one, Submitted::Added(_))).count();
                self.count("added", added);
                self.count("duplicate", replies.len() - added);
            }
            Answer::Exchange(exchanged) => {
                let verdicts = exchanged.acks.iter().chain(&exchanged.operations);
                verdicts.for_each(|verdict| self.count(&format!("{verdict:?}"), 1));
                self.count("claimed", exchanged.claimed.len());
                self.count("more to claim", usize::from(exchanged.more));
                let kept = exchanged.claimed.iter().filter(|one| one.checkpoint.is_some());
                self.count("restored", kept.count());
                let grouped = exchanged.claimed.iter().filter(|one| one.group.is_some());
                self.count("claimed of a group", grouped.count());
                let timed = exchanged.claimed.iter().filter(|one| one.enqueued.is_some());
                self.count("a claim with a time", timed.count());
            }
            Answer::Maintain(maintained) => {
                self.count("promoted", maintained.promoted);
                self.count("recovered", maintained.recovered);
                self.count("buried by maintain", maintained.buried);
                self.count("forgotten", maintained.forgotten);
                self.count("unblocked", maintained.unblocked);
            }
            Answer::Control(controlled) => {
                self.count("controlled", controlled.affected);
                self.count("more to control", usize::from(controlled.more));
            }
            Answer::Inspect(Inspected::Dead(letters)) => {
                letters.iter().for_each(|one| self.count(first_words(&one.reason), 1));
            }
            Answer::Inspect(Inspected::Jobs(jobs)) => self.count("peeked", jobs.len()),
            Answer::Inspect(Inspected::Counts(counts)) => {
                self.count("evicted", usize::from(counts.evicted > 0));
                self.count("cancelled", usize::from(counts.cancelled > 0));
                self.count("an age", usize::from(counts.oldest_ready.is_some()));
            }
            Answer::Inspect(Inspected::Groups(groups)) => {
                groups.iter().for_each(|group| self.count(kind_of(group.block), 1));
            }
            Answer::Inspect(Inspected::Job { job: None, .. }) => self.count("no such job", 1),
            Answer::Inspect(Inspected::Job { job: Some(job), .. }) => self.see_job(job),
            Answer::Inspect(Inspected::Unique(holder)) => {
                let what = if holder.is_some() { "a held key" } else { "a free key" };
                self.count(what, 1);
            }
            Answer::Inspect(Inspected::List(page)) => {
                self.count("a page with a next", usize::from(page.next.is_some()));
                page.jobs.iter().for_each(|job| self.count(standing(job.standing), 1));
            }
            Answer::Error(kind) => self.count(&format!("{kind:?}"), 1),
        }
    }
}

impl Coverage {
    fn see_job(&mut self, job: &JobDetail) {
        let is_done = job.view.standing.state() == State::Done;
        self.count("a job with a value", usize::from(is_done && job.bytes.is_some()));
        self.count("a job with a time", usize::from(job.enqueued.is_some()));
        self.count("a job with a past", usize::from(!job.history.is_empty()));
        self.count("a blocked job", usize::from(job.block.is_some()));
    }
}

const fn standing(standing: Standing) -> &'static str {
    match standing {
        Standing::Ready => "a ready job",
        Standing::Delayed { why: DelayedBy::Delay, .. } => "a job delayed by Delay",
        Standing::Delayed { why: DelayedBy::Retry, .. } => "a job delayed by Retry",
        Standing::Delayed { why: DelayedBy::Snooze, .. } => "a job delayed by Snooze",
        Standing::Running { .. } => "a running job",
        Standing::Dead { .. } => "a dead job",
        Standing::Done { .. } => "a done job",
    }
}

const fn kind_of(block: Option<GroupBlock>) -> &'static str {
    match block {
        None => "a group without a limit",
        Some(GroupBlock::Concurrency) => "a full group",
        Some(GroupBlock::Rate(_)) => "a spaced group",
        Some(GroupBlock::Paused(_)) => "a paused group",
    }
}

fn first_words(reason: &str) -> &str {
    reason.split(';').next().filter(|start| start.len() < 60).unwrap_or("long reason")
}

impl fmt::Debug for Coverage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_map().entries(&self.0).finish()
    }
}
