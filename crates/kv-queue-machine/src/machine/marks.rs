//! How long the oldest claimable job has waited.
//!
//! A plain job stores no time, and its submission writes none. Instead a partition keeps marks: the
//! last sequence that was given at a time. A job entered after the last mark without it. A submission makes a
//! mark when it extends its session, which it does once a minute, and maintenance makes one when
//! jobs have entered since the last: both write then anyway. Marks thin out as they age, so their
//! number is bounded.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::JobKey;

use super::Machine;
use crate::member::{self, Place};
use crate::record::{decode, encode};
use crate::tables::{Counter, Map, Member, Set, Tables};
use crate::time;

/// The key of the marks among the records of jobs.
pub(crate) const KEY: &str = "marks";

/// How many marks are kept: enough for a month.
const MAX_MARKS: usize = 128;

/// A mark goes if its neighbours are closer than their age divided by this.
const PART: u64 = 4;

/// How long after a mark maintenance makes the next.
const PERIOD: Duration = Duration::from_secs(1);

/// How many jobs of a priority, and how many groups, are looked at to find the oldest job.
const LOOKED_AT: usize = 32;

/// A time, and the last sequence that was given by then.
pub(crate) type Mark = (u64, u64);

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Nothing if there are none, or if they cannot be read.
    fn marks(&self) -> Result<Vec<Mark>> {
        let stored = self.tables.get(Map::Job, KEY)?;
        Ok(stored.and_then(|stored| decode("marks", &stored).ok()).unwrap_or_default())
    }

    /// Notes that no sequence above this one was given before now.
    pub(super) fn mark(&mut self, sequence: u64) -> Result<()> {
        let marks = marked(self.marks()?, (self.now, sequence));
        self.tables.put(Map::Job, KEY, encode(&marks)?)
    }

    /// Makes a mark if jobs have entered since the last one, which a submission has made.
    pub(super) fn mark_entered(&mut self) -> Result<()> {
        let sequence = self.tables.counter(Counter::Sequence)?;
        let Some((at, last)) = self.marks()?.pop() else { return Ok(()) };
        if sequence == last || self.now < at.saturating_add(time::micros(PERIOD)) {
            return Ok(());
        }
        self.mark(sequence)
    }

    /// How long the oldest claimable job has waited, as far as known. A job that is due, or whose
    /// lease has ended, is claimable although maintenance has not seen it.
    pub(super) fn oldest_ready(&self) -> Result<Option<Duration>> {
        let mut oldest = None;
        for set in [Set::Timed, Set::Leases] {
            let come = self.tables.first_until(set, self.now, 1)?;
            oldest = earlier(oldest, come.first().map(|member| member.score));
        }
        let marks = self.marks()?;
        oldest = earlier(oldest, self.oldest_plain(&marks)?);
        oldest = earlier(oldest, self.oldest_grouped(&marks)?);
        Ok(oldest.map(|since| Duration::from_micros(self.now.saturating_sub(since))))
    }

    /// Since when the oldest job without a group waits.
    ///
    /// Jobs of a priority are in the order in which they began to wait, except for those that were
    /// due late: they stand where they would have without a delay. Behind the first other job there
    /// is none older.
    fn oldest_plain(&self, marks: &[Mark]) -> Result<Option<u64>> {
        let (mut oldest, mut members) = (None, self.tables.first(Set::Ready, LOOKED_AT)?);
        while let Some(first) = members.first() {
            let Ok(key) = member::parse_ready(&first.name) else { break };
            let last = JobKey::new(key.priority(), JobKey::MAX_SEQUENCE);
            for member in members.iter().take_while(|member| member.score <= last.rank()) {
                let Some((since, is_exact)) = began(&member.name, marks) else { continue };
                oldest = earlier(oldest, since);
                if !is_exact {
                    break;
                }
            }
            // Behind all of the priority, also where only names are compared.
            let beyond = Member { score: last.rank(), name: format!("{last}~").into() };
            members = self.tables.first_beyond(Set::Ready, &beyond, LOOKED_AT)?;
        }
        Ok(oldest)
    }

    /// Since when the oldest job waits among the next jobs of the groups whose turns come first.
    fn oldest_grouped(&self, marks: &[Mark]) -> Result<Option<u64>> {
        let mut oldest = None;
        for group in self.tables.first(Set::Ring, LOOKED_AT)? {
            let under = member::under(&group.name);
            let Some(first) = self.tables.first_under(Set::Queued, &under, 1)?.pop() else {
                continue;
            };
            let name = first.name.get(under.len()..).unwrap_or_default();
            oldest = earlier(oldest, began(name, marks).and_then(|(since, _)| since));
        }
        Ok(oldest)
    }
}

fn earlier(one: Option<u64>, other: Option<u64>) -> Option<u64> {
    one.into_iter().chain(other).min()
}

/// Since when the job of a member waits, and whether it may stand before older ones; `None` if the
/// member names no job.
fn began(member: &str, marks: &[Mark]) -> Option<(Option<u64>, bool)> {
    let key = member::parse_ready(member).ok()?;
    Some(match member::place_of(member) {
        Some(Place { sequence, since }) => (Some(since), sequence <= key.sequence()),
        None => (entered(marks, key.sequence()), false),
    })
}

/// When a job entered at the earliest: at the last mark that was made without its sequence. One that all
/// marks have entered before the first.
fn entered(marks: &[Mark], sequence: u64) -> Option<u64> {
    let before = marks.iter().rev().find(|(_, last)| *last < sequence);
    before.or_else(|| marks.first()).map(|(at, _)| *at)
}

/// Marks with another one, thinned out. Marks after the new one are of a clock that went back.
fn marked(marks: Vec<Mark>, new: Mark) -> Vec<Mark> {
    let (now, sequence) = new;
    let is_past = |(at, last): &Mark| *at <= now && *last < sequence;
    let mut old = marks.into_iter().filter(is_past).chain([new]).peekable();
    let mut kept: Vec<Mark> = Vec::new();
    while let Some(mark) = old.next() {
        if let (Some((before, _)), Some((after, _))) = (kept.last(), old.peek())
            && after.saturating_sub(*before) <= now.saturating_sub(*after) / PART
        {
            continue;
        }
        kept.push(mark);
    }
    let surplus = kept.len().saturating_sub(MAX_MARKS);
    kept.drain(..surplus);
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000;

    #[test]
    fn a_month_of_marks_tells_an_age_to_a_quarter() {
        let (month, step) = (30 * 24 * 3_600, 7);
        let mut marks = Vec::new();
        for at in (0..month).step_by(step) {
            marks = marked(marks, (at * SECOND, at));
        }
        assert!(marks.len() <= MAX_MARKS, "{} marks", marks.len());
        let now = marks.last().unwrap().0;
        for job in (1..now / SECOND).step_by(997) {
            let (age, told) = (now - job * SECOND, now - entered(&marks, job).unwrap());
            assert!(age <= told && told - age <= age / 4 + step as u64 * SECOND, "{told} of {age}");
        }
    }

    #[test]
    fn a_job_entered_after_the_last_mark_without_it() {
        let marks = [(10, 4), (20, 6)];
        let entries = [4, 5, 6, 7].map(|job| entered(&marks, job));
        assert_eq!(entries, [Some(10), Some(10), Some(10), Some(20)]);
        assert_eq!(entered(&[], 1), None);
    }

    #[test]
    fn a_mark_replaces_those_that_say_less_or_are_later() {
        assert_eq!(marked(vec![(10, 4), (20, 6)], (30, 6)), [(10, 4), (30, 6)]);
        assert_eq!(marked(vec![(10, 4), (20, 6)], (15, 7)), [(10, 4), (15, 7)]);
    }
}
