//! One verb of one partition: the machine.

mod budget;
mod claim;
mod control;
mod done;
mod exchange;
mod group;
mod history;
mod inspect;
mod job;
mod look;
mod maintain;
pub(crate) mod marks;
pub mod reason;
mod session;
mod settle;
mod submit;
mod transfer;
mod turns;

use std::time::Duration;

use kv_core::queue::JobKey;
use kv_core::{Bytes, Result};

pub use session::{PAST_AT_ONCE, SESSION_LIFETIME, SESSION_SLACK};

use crate::tables::{Counter, Map, Member, Set, Tables};
use crate::time;

/// Executes one step, at one time, on the tables of a partition.
///
/// ```
/// use std::time::Duration;
/// use kv_core::queue::{Inspect, Inspected, NewJob, Submit};
/// use kv_queue_machine::{Machine, MemTables};
///
/// let mut tables = MemTables::default();
/// let job = NewJob {
///     body: "payload".into(),
///     priority: 8,
///     delay: Duration::ZERO,
///     unique: None,
///     time_to_live: None,
///     group: None,
///     note_time: false,
/// };
/// let mut machine = Machine::new(&mut tables, Duration::from_secs(1_700_000_000));
/// machine.submit(&Submit { session: None, jobs: vec![job] })?;
/// let Inspected::Counts(counts) = machine.inspect(&Inspect::Counts)? else { panic!() };
/// assert_eq!(counts.ready, 1);
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Debug)]
pub struct Machine<'a, T: ?Sized> {
    tables: &'a mut T,
    now: u64,
}

impl<'a, T: Tables + ?Sized> Machine<'a, T> {
    /// A step at this time of the store's clock: since 1970-01-01T00:00:00Z.
    pub fn new(tables: &'a mut T, now: Duration) -> Self {
        Self { tables, now: time::stamp(now) }
    }

    fn is_paused(&self) -> Result<bool> {
        Ok(self.tables.counter(Counter::Paused)? != 0)
    }

    fn count(&mut self, counter: Counter) -> Result<()> {
        let value = self.tables.counter(counter)?;
        self.tables.set_counter(counter, value.saturating_add(1))
    }

    fn body(&self, key: JobKey) -> Result<Option<Bytes>> {
        self.tables.get(Map::Body, &key.to_string())
    }

    /// The stamp at which the next job is due, the next lease ends, or the next blocked group may
    /// start a job.
    fn next_due(&self) -> Result<Option<u64>> {
        let mut next = None;
        for set in [Set::Timed, Set::Leases, Set::Blocked] {
            // Without its length, a set of a store would be searched each time.
            if self.tables.len(set)? > 0 {
                let first = self.tables.first(set, 1)?;
                let due = first.first().map(|member: &Member| member.score);
                next = next.into_iter().chain(due).min();
            }
        }
        Ok(next)
    }

    fn until(&self, due: Option<u64>) -> Option<Duration> {
        due.map(|due| time::until(self.now, due))
    }
}
