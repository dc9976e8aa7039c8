//! What is stored of a schedule, and what follows from it at a time. Nothing here reads or writes.

use std::collections::VecDeque;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::queue::NewJob;
use kv_core::{Bytes, Result};
use serde::{Deserialize, Serialize};

use super::cron::Cron;
use crate::queue::JobId;

/// How many firings a schedule remembers.
const MAX_HISTORY: usize = 20;

/// How late a due time is still on time for [`Misfire::Skip`].
const ON_TIME: Duration = Duration::from_secs(60);

/// A due time's unique key is held for as long as a thousand of its periods, but within these times.
const KEY_HELD: (Duration, Duration) =
    (Duration::from_secs(3_600), Duration::from_secs(7 * 86_400));

/// What happens to due times that passed while no scheduler ran.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Misfire {
    /// They are made up for by one job, however many they are.
    #[default]
    Once,
    /// A due time that is more than a minute past is skipped.
    Skip,
    /// Each is made up for by its own job; those that are past by more than this are skipped.
    CatchUp {
        /// How long ago a due time may be.
        within: Duration,
    },
}

/// What happens to a due time while the job of the last firing waits or runs. A dead letter does
/// neither.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[non_exhaustive]
pub enum Overlap {
    /// Its job is enqueued all the same.
    #[default]
    Allow,
    /// It is skipped.
    Skip,
    /// It fires a few seconds after that job has ended. It is late then, and with others that passed
    /// meanwhile it is dealt with as [`Misfire`] says: by default one job makes up for all of them.
    Wait,
}

impl Overlap {
    /// Records without this policy are written as builds write them that do not know it.
    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands in a reference")]
    fn is_default(&self) -> bool {
        *self == Self::default()
    }
}

/// One firing of a schedule, or one due time that was skipped.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Firing {
    /// The due time; `None` if the job was [asked for](super::Schedules::run_now).
    pub due: Option<SystemTime>,
    /// When this was written down, by the store's clock.
    pub at: SystemTime,
    /// The job; `None` if the due time was skipped.
    pub job: Option<JobId>,
}

/// A schedule of a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct ScheduleInfo {
    /// The name, unique in the queue.
    pub name: String,
    /// The times of its jobs.
    pub cron: Cron,
    /// What happens to due times that passed while no scheduler ran.
    pub misfire: Misfire,
    /// What happens to due times while the job of the last firing waits or runs.
    pub overlap: Overlap,
    /// Whether it is paused.
    pub is_paused: bool,
    /// The next due time; `None` if it is paused, or if no later time can be told.
    pub next: Option<SystemTime>,
    /// The last 20 firings and skipped due times, the latest first. The last firing is among them,
    /// however many due times were skipped since.
    pub history: Vec<Firing>,
}

/// What a program says of a schedule. A process that says the same changes nothing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Definition {
    pub(super) expression: String,
    pub(super) zone: String,
    pub(super) misfire: Misfire,
    pub(super) priority: u8,
    pub(super) delay: Duration,
    pub(super) time_to_live: Option<Duration>,
    pub(super) group: Option<String>,
    pub(super) body: Vec<u8>,
    #[serde(default, skip_serializing_if = "Overlap::is_default")]
    pub(super) overlap: Overlap,
}

impl Definition {
    pub(super) fn cron(&self) -> Result<Cron> {
        Cron::new(&self.expression, &self.zone)
    }

    pub(super) fn job(&self) -> NewJob {
        NewJob {
            body: Bytes::from(self.body.clone()),
            priority: self.priority,
            delay: self.delay,
            unique: None,
            time_to_live: self.time_to_live,
            group: self.group.as_deref().map(Into::into),
            note_time: false,
        }
    }
}

/// The stored value. Times are milliseconds since 1970-01-01T00:00:00Z.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Record {
    /// Rises with every write, so that no two stored values are the same.
    pub(super) revision: u64,
    pub(super) definition: Definition,
    pub(super) is_paused: bool,
    /// The first due time that has not been dealt with.
    pub(super) next: Option<u64>,
    history: VecDeque<Event>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Event {
    due: Option<u64>,
    at: u64,
    job: Option<String>,
}

/// What there is to do for a schedule at a time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing until this time, or until somebody changes the schedule.
    Wait(Option<u64>),
    /// Enqueue the job of this due time.
    Fire(u64),
    /// Pass over this due time: it is too late, or the last job has not ended.
    Skip(u64),
}

impl Record {
    pub(super) fn new(definition: Definition, cron: &Cron, now: u64) -> Self {
        let next = next(cron, now);
        Self { revision: 0, definition, is_paused: false, next, history: VecDeque::new() }
    }

    /// The same schedule with what a program says of it now. Due times that the old expression had
    /// and that have passed are no longer due.
    pub(super) fn redefine(&mut self, definition: Definition, cron: &Cron, now: u64) {
        let old = (&self.definition.expression, &self.definition.zone);
        if old != (&definition.expression, &definition.zone) {
            self.next = next(cron, now);
        }
        self.definition = definition;
    }

    pub(super) fn step(&self, now: u64) -> Step {
        let Some(due) = self.next.filter(|_| !self.is_paused) else { return Step::Wait(None) };
        if due > now {
            return Step::Wait(Some(due));
        }
        let late = Duration::from_millis(now.saturating_sub(due));
        let is_too_late = match self.definition.misfire {
            Misfire::Once => false,
            Misfire::Skip => late > ON_TIME,
            Misfire::CatchUp { within } => late > within,
        };
        if is_too_late { Step::Skip(due) } else { Step::Fire(due) }
    }

    /// Goes on from a due time that was dealt with: to the next one that counts.
    pub(super) fn advance(&mut self, due: u64, job: Option<JobId>, cron: &Cron, now: u64) {
        let before = |time: Duration| now.saturating_sub(millis(time));
        let past = match (self.definition.misfire, job) {
            (Misfire::Once, _) => now,
            (Misfire::Skip | Misfire::CatchUp { .. }, Some(_)) => due,
            // The first time that is no longer too late: a millisecond less than what is.
            (Misfire::Skip, None) => before(ON_TIME).saturating_sub(1),
            (Misfire::CatchUp { within }, None) => before(within).saturating_sub(1),
        };
        self.next = next(cron, past.max(due));
        self.remember(Some(due), job, now);
    }

    /// Ends a pause: what was due meanwhile is not made up for.
    pub(super) fn resume(&mut self, cron: &Cron, now: u64) {
        if self.is_paused {
            self.is_paused = false;
            self.next = next(cron, now);
        }
    }

    pub(super) fn remember(&mut self, due: Option<u64>, job: Option<JobId>, at: u64) {
        self.history.push_front(Event { due, at, job: job.map(|job| job.to_string()) });
        if self.history.len() > MAX_HISTORY {
            let is_last = self.history.iter().take(MAX_HISTORY).all(|event| event.job.is_none());
            // The last firing stays: the overlap policy asks what became of its job.
            self.history.remove(MAX_HISTORY - usize::from(is_last));
        }
    }

    /// The job of the last firing.
    pub(super) fn last_job(&self) -> Result<Option<JobId>> {
        let job = self.history.iter().find_map(|event| event.job.as_deref());
        job.map(str::parse).transpose()
    }

    /// Notes the job of a due time that another scheduler skipped at the same moment. Returns
    /// whether there is such a due time.
    pub(super) fn correct(&mut self, due: u64, job: JobId) -> bool {
        let is_it = |event: &&mut Event| event.due == Some(due) && event.job.is_none();
        let event = self.history.iter_mut().find(is_it);
        event.map(|event| event.job = Some(job.to_string())).is_some()
    }

    pub(super) fn info(&self, name: &str) -> Result<ScheduleInfo> {
        let history = self.history.iter().map(Event::firing).collect::<Result<_>>()?;
        Ok(ScheduleInfo {
            name: name.to_owned(),
            cron: self.definition.cron()?,
            misfire: self.definition.misfire,
            overlap: self.definition.overlap,
            is_paused: self.is_paused,
            next: self.next.filter(|_| !self.is_paused).map(date),
            history,
        })
    }
}

impl Event {
    fn firing(&self) -> Result<Firing> {
        let job = self.job.as_deref().map(str::parse).transpose()?;
        Ok(Firing { due: self.due.map(date), at: date(self.at), job })
    }
}

/// The next due time after a time.
pub(super) fn next(cron: &Cron, after: u64) -> Option<u64> {
    cron.next_since_epoch(Duration::from_millis(after)).map(millis)
}

/// For how long the unique key of a due time is held.
pub(super) fn key_held(due: u64, next: Option<u64>) -> Duration {
    let (shortest, longest) = KEY_HELD;
    let period = next.map_or(longest, |next| Duration::from_millis(next.saturating_sub(due)));
    period.saturating_mul(1_000).clamp(shortest, longest)
}

/// Whole milliseconds.
pub(super) fn millis(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}

fn date(millis: u64) -> SystemTime {
    UNIX_EPOCH.checked_add(Duration::from_millis(millis)).unwrap_or(UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOUR: u64 = 3_600_000;

    fn record(misfire: Misfire) -> (Record, Cron) {
        let definition = Definition {
            expression: "0 * * * *".to_owned(),
            zone: "UTC".to_owned(),
            misfire,
            priority: 8,
            delay: Duration::ZERO,
            time_to_live: None,
            group: None,
            body: Vec::new(),
            overlap: Overlap::Allow,
        };
        let cron = definition.cron().unwrap();
        (Record::new(definition, &cron, 0), cron)
    }

    /// What a schedule of every hour does from this time on: which hours it fires and skips.
    fn run(misfire: Misfire, now: u64) -> (Vec<u64>, Vec<u64>, Option<u64>) {
        let (mut record, cron) = record(misfire);
        let (mut fired, mut skipped) = (Vec::new(), Vec::new());
        for _ in 0..100 {
            match record.step(now) {
                Step::Wait(next) => return (fired, skipped, next.map(|next| next / HOUR)),
                Step::Fire(due) => {
                    fired.push(due / HOUR);
                    record.advance(due, "0-80000000000001".parse().ok(), &cron, now);
                }
                Step::Skip(due) => {
                    skipped.push(due / HOUR);
                    record.advance(due, None, &cron, now);
                }
            }
        }
        panic!("no end");
    }

    #[test]
    fn what_is_not_due_waits_until_exactly_then() {
        let (record, _) = record(Misfire::Once);
        assert_eq!(record.step(HOUR - 1), Step::Wait(Some(HOUR)));
        assert_eq!(record.step(HOUR), Step::Fire(HOUR));
    }

    #[test]
    fn missed_due_times_are_made_up_for_by_one_job() {
        assert_eq!(run(Misfire::Once, 5 * HOUR + 1), (vec![1], vec![], Some(6)));
    }

    #[test]
    fn a_missed_due_time_is_skipped_and_one_of_the_last_minute_fires() {
        let minute = 60_000;
        assert_eq!(run(Misfire::Skip, 5 * HOUR + minute), (vec![5], vec![1], Some(6)));
        assert_eq!(run(Misfire::Skip, 5 * HOUR + minute + 1), (vec![], vec![1], Some(6)));
    }

    #[test]
    fn missed_due_times_are_caught_up_with_one_by_one_within_a_time() {
        let misfire = Misfire::CatchUp { within: Duration::from_secs(2 * 3_600) };
        assert_eq!(run(misfire, 5 * HOUR), (vec![3, 4, 5], vec![1], Some(6)));
        assert_eq!(run(misfire, 5 * HOUR + 1), (vec![4, 5], vec![1], Some(6)));
    }

    #[test]
    fn what_is_due_in_a_pause_is_not_made_up_for() {
        let (mut record, cron) = record(Misfire::Once);
        record.is_paused = true;
        assert_eq!(record.step(9 * HOUR), Step::Wait(None));
        record.resume(&cron, 9 * HOUR);
        assert_eq!(record.step(9 * HOUR), Step::Wait(Some(10 * HOUR)));
    }

    #[test]
    fn a_changed_expression_counts_from_now_and_a_changed_job_keeps_the_due_time() {
        let (mut record, cron) = record(Misfire::Once);
        let job = Definition { body: vec![1], ..record.definition.clone() };
        record.redefine(job.clone(), &cron, 2 * HOUR);
        assert_eq!(record.step(2 * HOUR), Step::Fire(HOUR));
        let half = Definition { expression: "30 * * * *".to_owned(), ..job };
        let cron = half.cron().unwrap();
        record.redefine(half, &cron, 2 * HOUR);
        assert_eq!(record.step(2 * HOUR), Step::Wait(Some(2 * HOUR + HOUR / 2)));
    }

    #[test]
    fn a_key_is_held_for_a_thousand_periods_within_an_hour_and_a_week() {
        for (period, held) in [(1_000, 3_600), (60_000, 60_000), (HOUR, 7 * 86_400)] {
            assert_eq!(key_held(5, Some(5 + period)), Duration::from_secs(held));
        }
        assert_eq!(key_held(5, None), Duration::from_secs(7 * 86_400));
    }

    #[test]
    fn the_history_has_the_last_twenty_the_latest_first() {
        let (mut record, cron) = record(Misfire::CatchUp { within: Duration::MAX });
        for hour in 1..=30 {
            record.advance(hour * HOUR, None, &cron, hour * HOUR);
        }
        let history = record.info("hourly").unwrap().history;
        assert_eq!((history.len(), history[0].at), (20, date(30 * HOUR)));
    }

    #[test]
    fn the_last_firing_is_remembered_however_many_due_times_are_skipped() {
        let (mut record, cron) = record(Misfire::Once);
        let job: JobId = "0-80000000000001".parse().unwrap();
        record.advance(HOUR, Some(job), &cron, HOUR);
        for hour in 2..=90 {
            record.advance(hour * HOUR, None, &cron, hour * HOUR);
        }
        assert_eq!(record.last_job().unwrap(), Some(job));
        let history = record.info("hourly").unwrap().history;
        assert_eq!((history.len(), history[0].at), (20, date(90 * HOUR)));
        assert_eq!((history[18].at, history[19].at), (date(72 * HOUR), date(HOUR)));
    }

    #[test]
    fn a_due_time_that_was_skipped_and_fired_at_one_moment_was_fired() {
        let (mut record, cron) = record(Misfire::Once);
        let job: JobId = "0-80000000000001".parse().unwrap();
        record.advance(HOUR, None, &cron, HOUR);
        assert!(record.correct(HOUR, job) && !record.correct(HOUR, job));
        assert!(!record.correct(2 * HOUR, job), "nobody has dealt with it");
        assert_eq!(record.last_job().unwrap(), Some(job));
    }

    #[test]
    fn a_schedule_without_an_overlap_policy_is_stored_as_before_there_was_one() {
        let (record, _) = record(Misfire::Once);
        let stored = |overlap| {
            let definition = Definition { overlap, ..record.definition.clone() };
            kv_core::Serializer::MessagePack.encode(&definition).unwrap()
        };
        let has_it = |stored: &[u8]| stored.windows(4).any(|part| part == b"Skip");
        assert!(!has_it(&stored(Overlap::Allow)) && has_it(&stored(Overlap::Skip)));
        for overlap in [Overlap::Allow, Overlap::Skip, Overlap::Wait] {
            let read: Definition =
                kv_core::Serializer::MessagePack.decode(&stored(overlap)).unwrap();
            assert_eq!(read.overlap, overlap);
        }
    }
}
