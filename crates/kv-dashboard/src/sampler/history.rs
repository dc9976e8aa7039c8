//! From counts to rates and lines.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use kv_queue::QueueStats;

use super::count::Counted;

/// How many counts of a queue are kept: two minutes at the usual period.
const POINTS: usize = 60;

/// After how long without counts a line begins anew.
const GAP: Duration = Duration::from_secs(60);

/// What viewers are shown: the queues at one time.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct Snapshot {
    /// When the queues were counted, by the clock that never goes back.
    pub taken: Duration,
    /// The same as a date: time since 1970-01-01T00:00:00Z.
    pub date: Duration,
    /// How many queues the store lists; more than are shown here, if there are very many.
    pub listed: usize,
    /// The queues, by name.
    pub queues: Vec<QueueSample>,
    /// Why the queues are those of an earlier count.
    pub failed: Option<String>,
}

/// One queue.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct QueueSample {
    /// The queue's name.
    pub name: String,
    /// The number of its partitions.
    pub partitions: u32,
    /// The counts, or why there are none.
    pub stats: Result<QueueStats, String>,
    /// Jobs that were done in a second, as the last two counts tell.
    pub done_per_second: Option<f64>,
    /// Jobs that were added in a second, likewise.
    pub added_per_second: Option<f64>,
    /// Jobs that waited at each count, the oldest first.
    pub waiting: Vec<f64>,
    /// Jobs that were done in a second before each count.
    pub done: Vec<f64>,
}

impl QueueSample {
    /// A queue that was counted by itself, without a history.
    pub(crate) fn alone(name: &str, partitions: u32, stats: QueueStats) -> Self {
        sample(name.to_owned(), partitions, Ok(stats), &VecDeque::new())
    }
}

/// The last counts of each queue.
#[derive(Default)]
pub(crate) struct History {
    queues: BTreeMap<String, VecDeque<(Duration, QueueStats)>>,
    last: Snapshot,
}

impl History {
    /// Adds a count, and returns what viewers are shown now.
    pub(crate) fn add(
        &mut self,
        counted: Result<Counted, String>,
        taken: Duration,
        date: Duration,
    ) -> Snapshot {
        let snapshot = match counted {
            Ok(counted) => {
                let listed = counted.listed;
                let queues = self.counted(counted, taken);
                Snapshot { taken, date, listed, queues, failed: None }
            }
            Err(failed) => Snapshot { taken, failed: Some(failed), ..self.last.clone() },
        };
        self.last = snapshot.clone();
        snapshot
    }

    fn counted(&mut self, counted: Counted, taken: Duration) -> Vec<QueueSample> {
        let mut before = std::mem::take(&mut self.queues);
        let mut samples = Vec::with_capacity(counted.queues.len());
        for (name, partitions, stats) in counted.queues {
            let mut points = before.remove(&name).unwrap_or_default();
            if points.back().is_some_and(|(last, _)| taken.saturating_sub(*last) > GAP) {
                points.clear();
            }
            if let Ok(stats) = &stats {
                points.push_back((taken, *stats));
            }
            while points.len() > POINTS {
                points.pop_front();
            }
            samples.push(sample(name.clone(), partitions, stats, &points));
            self.queues.insert(name, points);
        }
        samples
    }
}

fn sample(
    name: String,
    partitions: u32,
    stats: Result<QueueStats, String>,
    points: &VecDeque<(Duration, QueueStats)>,
) -> QueueSample {
    let rates = |count: fn(&QueueStats) -> u64| -> Vec<f64> {
        let steps = points.iter().zip(points.iter().skip(1));
        steps.map(|(before, after)| per_second(before, after, count)).collect()
    };
    let done = rates(|stats| stats.done);
    QueueSample {
        name,
        partitions,
        stats,
        done_per_second: done.last().copied(),
        added_per_second: rates(|stats| stats.entered).last().copied(),
        waiting: points.iter().map(|(_, stats)| as_f64(stats.ready + stats.timed)).collect(),
        done,
    }
}

fn per_second(
    before: &(Duration, QueueStats),
    after: &(Duration, QueueStats),
    count: fn(&QueueStats) -> u64,
) -> f64 {
    let time = after.0.saturating_sub(before.0).as_secs_f64();
    // A queue that was made anew counts from zero.
    let jobs = count(&after.1).saturating_sub(count(&before.1));
    if time > 0.0 { as_f64(jobs) / time } else { 0.0 }
}

#[expect(clippy::cast_precision_loss, reason = "for a line of a few pixels")]
pub(crate) fn as_f64(number: u64) -> f64 {
    number as f64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counted(done: u64, ready: u64) -> Result<Counted, String> {
        let mut stats = QueueStats::default();
        (stats.done, stats.ready) = (done, ready);
        Ok(Counted { listed: 1, queues: vec![("mails".to_owned(), 1, Ok(stats))] })
    }

    fn seconds(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn two_counts_make_a_rate() {
        let mut history = History::default();
        let first = history.add(counted(10, 5), seconds(1), seconds(100));
        assert_eq!(first.queues[0].done_per_second, None);
        let second = history.add(counted(30, 4), seconds(5), seconds(104));
        assert_eq!(second.queues[0].done_per_second, Some(5.0));
        assert_eq!(second.queues[0].waiting, [5.0, 4.0]);
    }

    #[test]
    fn a_line_is_bounded_and_begins_anew_after_a_gap() {
        let mut history = History::default();
        for at in 0..200 {
            history.add(counted(at, at), seconds(at), seconds(at));
        }
        assert_eq!(
            history.add(counted(0, 0), seconds(200), seconds(0)).queues[0].waiting.len(),
            POINTS
        );
        let after = history.add(counted(0, 0), seconds(300), seconds(0));
        assert_eq!(after.queues[0].waiting, [0.0]);
    }

    #[test]
    fn a_count_that_failed_shows_the_last_figures_and_their_date() {
        let mut history = History::default();
        history.add(counted(1, 2), seconds(1), seconds(100));
        let failed = history.add(Err("away".to_owned()), seconds(3), seconds(102));
        assert_eq!((failed.queues.len(), failed.date), (1, seconds(100)));
        assert_eq!(failed.failed.as_deref(), Some("away"));
    }

    #[test]
    fn a_queue_that_is_gone_is_forgotten() {
        let mut history = History::default();
        history.add(counted(1, 2), seconds(1), seconds(1));
        let none = Ok(Counted { listed: 0, queues: Vec::new() });
        assert!(history.add(none, seconds(2), seconds(2)).queues.is_empty());
        assert!(history.queues.is_empty());
    }
}
