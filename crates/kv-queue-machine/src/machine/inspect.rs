//! Inspect.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{Counts, DeadLetter, Inspect, Inspected, JobKey, Peeked, check_inspect};

use super::Machine;
use crate::member;
use crate::tables::{Counter, Member, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Looks, and changes nothing.
    ///
    /// `Peek` shows the first ready jobs, also while paused. `Dead` starts from the oldest when
    /// the letter to start behind is no dead letter any more: where it was evicted, every older
    /// one is gone too.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`](kv_core::queue::MAX_BATCH), and those of the
    /// tables.
    pub fn inspect(&self, request: &Inspect) -> Result<Inspected> {
        check_inspect(request)?;
        match request {
            Inspect::Counts => self.counts().map(Inspected::Counts),
            Inspect::Peek { limit, .. } => self.peek(*limit).map(Inspected::Jobs),
            Inspect::Dead { after, limit, .. } => self.dead(*after, *limit).map(Inspected::Dead),
        }
    }

    fn counts(&self) -> Result<Counts> {
        Ok(Counts {
            ready: self.tables.len(Set::Ready)?,
            timed: self.tables.len(Set::Timed)?,
            leased: self.tables.len(Set::Leases)?,
            dead: self.tables.len(Set::Dead)?,
            entered: self.tables.counter(Counter::Sequence)?,
            done: self.tables.counter(Counter::Done)?,
            cancelled: self.tables.counter(Counter::Cancelled)?,
            evicted: self.tables.counter(Counter::Evicted)?,
            paused: self.is_paused()?,
        })
    }

    fn peek(&self, limit: usize) -> Result<Vec<Peeked>> {
        let peeked = |member: &Member| {
            let key = member::parse_key(&member.name)?;
            Ok(Peeked { key, body: self.body(key)? })
        };
        self.tables.first(Set::Ready, limit)?.iter().map(peeked).collect()
    }

    fn dead(&self, after: Option<JobKey>, limit: usize) -> Result<Vec<DeadLetter>> {
        let letters = match after {
            Some(after) => self.tables.first_after(Set::Dead, &after.to_string(), limit)?,
            None => self.tables.first(Set::Dead, limit)?,
        };
        letters.iter().map(|member| self.letter(member)).collect()
    }

    fn letter(&self, member: &Member) -> Result<DeadLetter> {
        let key = member::parse_key(&member.name)?;
        let record = self.record(key)?;
        let deliveries = record.ended();
        Ok(DeadLetter {
            key,
            body: self.body(key)?,
            reason: record.reason,
            failures: record.failures,
            crashes: record.crashes,
            deliveries,
            died: Duration::from_micros(member.score),
        })
    }
}
