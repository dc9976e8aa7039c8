//! Inspect.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{
    Counts, DeadLetter, Inspect, Inspected, JobKey, MAX_BATCH, Peeked, check_inspect,
};

use super::Machine;
use super::budget::Budget;
use crate::member;
use crate::tables::{Counter, Map, Member, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Reads, and changes nothing.
    ///
    /// `Peek` shows the first ready jobs, even during a pause, and leaves out jobs without a body.
    /// It starts from the first job if the job given as start is no longer ready. `Dead` starts
    /// from the oldest letter if the letter given as start is gone: if it was evicted, every older
    /// letter is gone too. A letter whose body is gone has an empty body. A letter with an
    /// unreadable record has only its body and time.
    ///
    /// A page ends at its limit, before an item whose body would exceed its bytes, or after
    /// [`MAX_BATCH`] members were examined. It has at least one item if there was any.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`](kv_core::queue::MAX_BATCH), and those of the
    /// tables.
    pub fn inspect(&self, request: &Inspect) -> Result<Inspected> {
        check_inspect(request)?;
        match request {
            Inspect::Counts => self.counts().map(Inspected::Counts),
            Inspect::Peek { after, limit, bytes } => {
                let page = Page { after: *after, limit: *limit, bytes: *bytes };
                self.peek(page).map(Inspected::Jobs)
            }
            Inspect::Dead { after, limit, bytes } => {
                let page = Page { after: *after, limit: *limit, bytes: *bytes };
                self.dead(page).map(Inspected::Dead)
            }
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

    fn peek(&self, page: Page) -> Result<Vec<Peeked>> {
        let after = page.after.map(|after| self.ready_member(after)).transpose()?;
        let after = after.map(|member| member.name);
        let mut jobs = Vec::new();
        self.look(Set::Ready, after, page, |key, _| {
            if let Some(body) = self.body(key)? {
                jobs.push(Peeked { key, body });
                return Ok(true);
            }
            Ok(false)
        })?;
        Ok(jobs)
    }

    fn dead(&self, page: Page) -> Result<Vec<DeadLetter>> {
        let after = page.after.map(|after| Arc::from(after.to_string()));
        let mut letters = Vec::new();
        self.look(Set::Dead, after, page, |key, member| {
            letters.push(self.letter(key, member)?);
            Ok(true)
        })?;
        Ok(letters)
    }

    /// Shows jobs of a set, up to the limit and the bytes of a page. Only jobs that `show` returns
    /// count.
    fn look(
        &self,
        set: Set,
        mut after: Option<Arc<str>>,
        page: Page,
        mut show: impl FnMut(JobKey, &Member) -> Result<bool>,
    ) -> Result<()> {
        let mut budget = Budget::new(page.bytes);
        let (mut shown, mut left) = (0, MAX_BATCH);
        while shown < page.limit && left > 0 {
            let wanted = left.min(page.limit - shown);
            let members = match &after {
                Some(after) => self.tables.first_after(set, after, wanted)?,
                None => self.tables.first(set, wanted)?,
            };
            let Some(last) = members.last() else { break };
            after = Some(Arc::clone(&last.name));
            left -= members.len();
            for member in &members {
                let Ok(key) = member::job_of(set, &member.name) else { continue };
                let bytes = self.tables.size(Map::Body, &key.to_string())?;
                let is_shown = set == Set::Dead || bytes.is_some();
                if is_shown && !budget.take(bytes.unwrap_or(0)) {
                    return Ok(());
                }
                shown += usize::from(is_shown && show(key, member)?);
            }
        }
        Ok(())
    }

    fn letter(&self, key: JobKey, member: &Member) -> Result<DeadLetter> {
        let record = self.record(key)?.unwrap_or_default();
        let deliveries = record.ended();
        Ok(DeadLetter {
            key,
            body: self.body(key)?.unwrap_or_default(),
            reason: record.reason,
            failures: record.failures,
            crashes: record.crashes,
            deliveries,
            died: Duration::from_micros(member.score),
        })
    }
}

/// Which part of a set to read.
#[derive(Clone, Copy)]
struct Page {
    after: Option<JobKey>,
    limit: usize,
    bytes: usize,
}
