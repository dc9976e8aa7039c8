//! From the books to a verdict: what was lost and what came twice, and which fault allows it.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::{Books, Declared, Pages, Run, Window};
use crate::bench::SECOND;

/// How long before a fault a write may have been acknowledged that no replica had, and how long
/// after it that may still show. A replica follows within milliseconds where it gets its turn.
const LAG: Duration = SECOND;

/// What one fault did.
#[derive(Clone, Copy, Debug, Default)]
pub(in crate::failover) struct Toll {
    /// Jobs that their primary had acknowledged.
    pub(in crate::failover) lost: usize,
    /// Jobs that were run once more.
    pub(in crate::failover) repeated: usize,
    /// Calls that told an error.
    pub(in crate::failover) errors: usize,
}

/// What all faults did.
pub(in crate::failover) struct Audit {
    pub(in crate::failover) acknowledged: usize,
    /// Those of them that replicas had.
    pub(in crate::failover) replicated: usize,
    pub(in crate::failover) tolls: Vec<(Window, Toll)>,
    /// Which calls told which errors how often.
    pub(in crate::failover) errors: BTreeMap<String, usize>,
    /// Those among them that came while nothing was done to the servers.
    pub(in crate::failover) stray_errors: usize,
    pub(in crate::failover) wrong: Vec<String>,
}

impl Window {
    /// Whether what was acknowledged then may be gone.
    pub(in crate::failover) fn may_have_lost(&self, acknowledged: Instant) -> bool {
        self.may_lose && self.from - LAG <= acknowledged && acknowledged <= self.to + LAG
    }

    /// Whether it allows that a job comes again: it fell between the two runs, and if the first
    /// one was settled, that may have been lost.
    fn allows(&self, first: &Run, again: &Run) -> bool {
        let between = first.came <= self.to + LAG && self.from <= again.came;
        between && first.settled.is_none_or(|settled| self.may_have_lost(settled))
    }
}

impl Books {
    /// Of a queue that is drained, with what was done to its servers.
    pub(in crate::failover) fn audit(&self, windows: &[Window]) -> Audit {
        let pages = self.pages();
        let tolls = windows.iter().map(|window| (*window, Toll::default())).collect();
        let is_replicated =
            |(declared, _): &&(Declared, Instant)| *declared == Declared::Replicated;
        let mut audit = Audit {
            acknowledged: pages.acknowledged.len(),
            replicated: pages.acknowledged.values().filter(is_replicated).count(),
            tolls,
            errors: BTreeMap::new(),
            stray_errors: 0,
            wrong: pages.wrong.clone(),
        };
        audit.find_lost(&pages);
        audit.find_repeated(&pages);
        audit.sort_errors(&pages);
        audit
    }
}

impl Audit {
    /// What all faults did together, and the errors beside them.
    pub(in crate::failover) fn sum(&self) -> Toll {
        let start = Toll { errors: self.stray_errors, ..Toll::default() };
        self.tolls.iter().fold(start, |sum, (_, toll)| Toll {
            lost: sum.lost + toll.lost,
            repeated: sum.repeated + toll.repeated,
            errors: sum.errors + toll.errors,
        })
    }

    /// The toll of the fault that is first to allow something.
    fn toll(&mut self, allows: impl Fn(&Window) -> bool) -> Option<&mut Toll> {
        self.tolls.iter_mut().find(|(window, _)| allows(window)).map(|(_, toll)| toll)
    }

    fn find_lost(&mut self, pages: &Pages) {
        for (payload, (declared, at)) in &pages.acknowledged {
            if pages.runs.contains_key(payload) {
                continue;
            }
            let may_be_lost = *declared == Declared::OnPrimary;
            match self.toll(|window| may_be_lost && window.may_have_lost(*at)) {
                Some(toll) => toll.lost += 1,
                None => self.wrong.push(format!("{payload}, {declared:?}, never came")),
            }
        }
    }

    fn find_repeated(&mut self, pages: &Pages) {
        for (payload, runs) in &pages.runs {
            for pair in runs.windows(2) {
                match self.toll(|window| window.allows(&pair[0], &pair[1])) {
                    Some(toll) => toll.repeated += 1,
                    None => self.wrong.push(format!("{payload} came again: {pair:?}")),
                }
            }
        }
    }

    fn sort_errors(&mut self, pages: &Pages) {
        for (at, verb, kind) in &pages.errors {
            let begun = self.tolls.iter_mut().rfind(|(window, _)| window.from <= *at);
            match begun.filter(|(window, _)| *at <= window.to + LAG) {
                Some((_, toll)) => toll.errors += 1,
                None => self.stray_errors += 1,
            }
            *self.errors.entry(format!("{verb}: {kind:?}")).or_default() += 1;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::{Declared, Fault};
    use super::*;

    /// A minute after the beginning, a fault of a second.
    fn window(start: Instant, may_lose: bool) -> Window {
        let from = start + 60 * SECOND;
        Window { fault: Fault::Kill, from, to: from + SECOND, may_lose }
    }

    /// How many things are wrong with books that are filled so.
    fn wrong(window: Window, fill: impl FnOnce(&mut Pages)) -> usize {
        let books = Books::default();
        fill(&mut books.pages());
        books.audit(&[window]).wrong.len()
    }

    #[test]
    fn a_job_that_never_came_is_wrong_unless_a_fault_may_have_lost_it() {
        let start = Instant::now();
        let lost = |may_lose, declared, seconds| {
            let at = start + seconds * SECOND;
            wrong(window(start, may_lose), |pages| {
                pages.acknowledged.insert(7, (declared, at));
            })
        };
        assert_eq!(lost(true, Declared::OnPrimary, 60), 0);
        assert_eq!(lost(true, Declared::Replicated, 60), 1);
        assert_eq!(lost(false, Declared::OnPrimary, 60), 1);
        assert_eq!(
            (lost(true, Declared::OnPrimary, 50), lost(true, Declared::OnPrimary, 70)),
            (1, 1)
        );
    }

    #[test]
    fn a_job_that_came_again_is_wrong_unless_a_fault_lay_between_and_may_have_lost_its_end() {
        let start = Instant::now();
        let again = |may_lose, came, settled: Option<u32>, again| {
            let run = |came, settled| Run { token: 1, came: start + came * SECOND, settled };
            let settled = settled.map(|settled| start + settled * SECOND);
            let runs = vec![run(came, settled), run(again, None)];
            wrong(window(start, may_lose), |pages| drop(pages.runs.insert(7, runs)))
        };
        assert_eq!(again(false, 59, None, 65), 0);
        assert_eq!(again(true, 59, Some(60), 65), 0);
        assert_eq!(again(false, 59, Some(60), 65), 1);
        assert_eq!(again(true, 40, Some(50), 65), 1);
        assert_eq!((again(true, 40, None, 50), again(true, 70, None, 75)), (1, 1));
    }
}
