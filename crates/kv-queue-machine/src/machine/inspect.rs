//! Inspect.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{
    Counts, DeadLetter, Inspect, Inspected, JobKey, MAX_BATCH, Peeked, check_inspect,
};

use super::Machine;
use super::budget::Budget;
use super::look::Wanted;
use crate::member;
use crate::tables::{Counter, Map, Member, Set, Tables};

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Reads, and changes nothing.
    ///
    /// `Peek` shows the first ready jobs, even during a pause, and leaves out jobs without a body.
    /// Jobs with a group come after all jobs without one, by the name of the group. It starts from the first job if the job given as start is no longer ready. `Dead` starts
    /// from the oldest letter if the letter given as start is gone: if it was evicted, every older
    /// letter is gone too. A letter whose body is gone has an empty body. A letter with an
    /// unreadable record has only its body and time.
    ///
    /// `Groups` shows groups in the order in which they are forgotten, then of their names. It starts
    /// from the first group if the group given as start is gone.
    ///
    /// `Unique` answers the job whose duplicate a submit would be now.
    ///
    /// A page of jobs ends at its limit, before an item whose body would exceed its bytes, or after
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
            Inspect::Groups { after, limit, default } => {
                self.groups(after.as_deref(), *limit, default).map(Inspected::Groups)
            }
            Inspect::Job { key, bytes, default } => self.job(*key, *bytes, default),
            Inspect::Unique { key } => self.find_holder(key).map(Inspected::Unique),
            Inspect::List { state, group, after, limit } => {
                let (state, limit) = (*state, *limit);
                let (group, after) = (group.as_deref(), after.as_ref());
                self.list(&Wanted { state, group, after, limit })
            }
        }
    }

    fn counts(&self) -> Result<Counts> {
        Ok(Counts {
            ready: self.tables.len(Set::Ready)? + self.tables.len(Set::Queued)?,
            timed: self.tables.len(Set::Timed)?,
            leased: self.tables.len(Set::Leases)?,
            dead: self.tables.len(Set::Dead)?,
            entered: self.tables.counter(Counter::Sequence)?,
            done: self.tables.counter(Counter::Done)?,
            cancelled: self.tables.counter(Counter::Cancelled)?,
            evicted: self.tables.counter(Counter::Evicted)?,
            paused: self.is_paused()?,
            oldest_ready: self.oldest_ready()?,
        })
    }

    fn peek(&self, page: Page) -> Result<Vec<Peeked>> {
        let after = page.after.map(|after| self.ready_member(after)).transpose()?;
        let after = match after {
            Some((set, member)) if self.tables.score(set, &member)?.is_some() => {
                (set, Some(member))
            }
            _ => (Set::Ready, None),
        };
        let mut jobs = Vec::new();
        let mut show = |key, _: &Member| {
            if let Some(body) = self.body(key)? {
                jobs.push(Peeked { key, body });
                return Ok(true);
            }
            Ok(false)
        };
        let mut view = View::of(page);
        if after.0 == Set::Ready {
            self.look(Set::Ready, after.1, &mut view, &mut show)?;
            self.look(Set::Queued, None, &mut view, &mut show)?;
        } else {
            self.look(Set::Queued, after.1, &mut view, &mut show)?;
        }
        Ok(jobs)
    }

    fn dead(&self, page: Page) -> Result<Vec<DeadLetter>> {
        let after = page.after.map(|after| Arc::from(after.to_string()));
        let mut letters = Vec::new();
        self.look(Set::Dead, after, &mut View::of(page), |key, member| {
            letters.push(self.letter(key, member)?);
            Ok(true)
        })?;
        Ok(letters)
    }

    /// Shows jobs of a set, up to the limit and the bytes of a view. Only jobs that `show` returns
    /// count.
    fn look(
        &self,
        set: Set,
        mut after: Option<Arc<str>>,
        view: &mut View,
        mut show: impl FnMut(JobKey, &Member) -> Result<bool>,
    ) -> Result<()> {
        while view.shown < view.limit && view.left > 0 {
            let wanted = view.left.min(view.limit - view.shown);
            let members = match &after {
                Some(after) => self.tables.first_after(set, after, wanted)?,
                None => self.tables.first(set, wanted)?,
            };
            let Some(last) = members.last() else { break };
            after = Some(Arc::clone(&last.name));
            view.left -= members.len();
            for member in &members {
                let Ok(key) = member::job_of(set, &member.name) else { continue };
                let bytes = self.tables.size(Map::Body, &key.to_string())?;
                let is_shown = set == Set::Dead || bytes.is_some();
                if is_shown && !view.budget.take(bytes.unwrap_or(0)) {
                    view.left = 0;
                    return Ok(());
                }
                view.shown += usize::from(is_shown && show(key, member)?);
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

/// How much of a page is still to be shown.
struct View {
    limit: usize,
    shown: usize,
    /// How many members may still be examined.
    left: usize,
    budget: Budget,
}

impl View {
    const fn of(page: Page) -> Self {
        Self { limit: page.limit, shown: 0, left: MAX_BATCH, budget: Budget::new(page.bytes) }
    }
}
