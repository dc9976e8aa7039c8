//! Waiting for microseconds without giving the processor away.
//!
//! To park a thread and to wake it takes several times as long as a small read. So one caller and
//! one thread that serves it wait for each other by looking, within a bound, as long as that pays.
//! Where it does not pay, on a busy machine or with many callers, they wait as others do.

use std::hint;
use std::sync::atomic::{AtomicU32, AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use kv_core::{Clock, SystemClock};

/// The longest spin of a caller, on the thread that polls it: about three small reads.
const CALLER: Duration = Duration::from_micros(20);

/// The longest spin of a thread that waits for calls: a caller that has to be woken is back by then.
pub(crate) const SERVER: Duration = Duration::from_micros(100);

/// How many calls are woken before one spins, after one that met another caller.
const SHORT_REST: u32 = 8;

/// And after spins were in vain too often: the machine has other work.
const LONG_REST: u32 = 256;

/// For the last of them, the thread that serves them spins: it is on a core when the caller does.
const LEAD: u32 = 4;

/// How often a spin may be in vain: each costs so much of what the others earn one by one.
const COST: u32 = 8;
const MOST_CREDIT: u32 = 4 * COST;

/// Every so many spins, a call does not: other tasks of its thread then come up, and show
/// themselves to be callers too.
const PROBE: u32 = 128;

/// Whether two threads can run at once.
pub(crate) fn can_pay() -> bool {
    thread::available_parallelism().is_ok_and(|cores| cores.get() > 1)
}

/// Looks until something is so, within a bound; whether it is.
pub(crate) fn until(clock: &SystemClock, bound: Duration, is_so: impl Fn() -> bool) -> bool {
    let end = clock.now().saturating_add(bound);
    while !is_so() {
        if clock.now() >= end {
            return is_so();
        }
        hint::spin_loop();
    }
    true
}

/// How a caller waits for its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Patience {
    /// It is one of several, and is woken.
    Shared,
    /// It is woken, and will soon be back: nobody else calls.
    Alone,
    /// It looks for the answer.
    Spins,
}

/// The callers that wait at this moment, and whether it pays that one spins.
#[derive(Debug)]
pub(crate) struct Callers {
    can_pay: bool,
    waiting: AtomicUsize,
    /// How many calls are woken before one spins.
    rest: AtomicU32,
    credit: AtomicU32,
    spins: AtomicU32,
}

impl Callers {
    pub(crate) fn new(can_pay: bool) -> Self {
        Self {
            can_pay,
            waiting: AtomicUsize::new(0),
            rest: AtomicU32::new(SHORT_REST),
            credit: AtomicU32::new(COST),
            spins: AtomicU32::new(0),
        }
    }

    /// Another caller waits, until what is returned is dropped.
    ///
    /// Callers that come at once may miscount; that costs time only.
    pub(crate) fn enter(&self) -> Waiting<'_> {
        let others = self.waiting.fetch_add(1, Ordering::AcqRel);
        if others > 0 || !self.can_pay {
            self.rest.store(SHORT_REST, Ordering::Relaxed);
            return Waiting { callers: self, patience: Patience::Shared };
        }
        let rest = self.rest.load(Ordering::Relaxed);
        self.rest.store(rest.saturating_sub(1), Ordering::Relaxed);
        let patience = match rest {
            0 if !self.is_probe() => Patience::Spins,
            0..=LEAD => Patience::Alone,
            _ => Patience::Shared,
        };
        Waiting { callers: self, patience }
    }

    fn is_probe(&self) -> bool {
        self.spins.fetch_add(1, Ordering::Relaxed) % PROBE == PROBE - 1
    }

    /// Notes whether a spin was worth it.
    fn note(&self, answered: bool) {
        let credit = self.credit.load(Ordering::Relaxed);
        let left = if answered { credit + 1 } else { credit.saturating_sub(COST) };
        self.credit.store(left.clamp(COST, MOST_CREDIT), Ordering::Relaxed);
        if left < COST {
            self.rest.store(LONG_REST, Ordering::Relaxed);
        }
    }
}

/// A caller that waits.
#[derive(Debug)]
pub(crate) struct Waiting<'a> {
    callers: &'a Callers,
    pub(crate) patience: Patience,
}

impl Waiting<'_> {
    /// Looks for the answer, if the caller is to; whether that was in vain.
    pub(crate) fn spins_in_vain(
        &self,
        clock: &SystemClock,
        is_answered: impl Fn() -> bool,
    ) -> bool {
        if self.patience != Patience::Spins {
            return false;
        }
        let answered = until(clock, CALLER, is_answered);
        self.callers.note(answered);
        !answered
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.callers.waiting.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many calls, one after the other, spin.
    fn spins(callers: &Callers, calls: u32) -> u32 {
        (0..calls).map(|_| u32::from(callers.enter().patience == Patience::Spins)).sum()
    }

    /// A call whose spin ends so.
    fn spin(callers: &Callers, answered: bool) {
        let clock = SystemClock::new();
        assert_ne!(callers.enter().spins_in_vain(&clock, || answered), answered);
    }

    #[test]
    fn a_caller_spins_when_the_last_calls_found_nobody_else_and_its_server_before_it() {
        let callers = Callers::new(true);
        let first: Vec<_> = (0..SHORT_REST).map(|_| callers.enter().patience).collect();
        assert_eq!(first, [[Patience::Shared; 4], [Patience::Alone; 4]].concat());
        assert_eq!(spins(&callers, 50), 50);
    }

    #[test]
    fn another_caller_ends_it_for_both() {
        let callers = Callers::new(true);
        spins(&callers, SHORT_REST);
        let first = callers.enter();
        assert_eq!(first.patience, Patience::Spins);
        assert_eq!(callers.enter().patience, Patience::Shared);
        drop(first);
        assert_eq!(spins(&callers, SHORT_REST), 0);
        assert_eq!(spins(&callers, 5), 5);
    }

    #[test]
    fn now_and_then_a_call_does_not_spin_so_that_others_of_its_thread_come_up() {
        let callers = Callers::new(true);
        spins(&callers, SHORT_REST);
        assert_eq!(spins(&callers, 10 * PROBE), 10 * (PROBE - 1));
    }

    #[test]
    fn spins_in_vain_end_it_for_long_unless_most_are_not() {
        let callers = Callers::new(true);
        spins(&callers, SHORT_REST);
        spin(&callers, false);
        assert_eq!(spins(&callers, LONG_REST), 0, "the first one was");
        (0..100).for_each(|_| spin(&callers, true));
        (0..3).for_each(|_| spin(&callers, false));
        assert_eq!(spins(&callers, 5), 5, "three of a hundred were");
        spin(&callers, false);
        assert_eq!(spins(&callers, LONG_REST), 0);
    }

    #[test]
    fn with_one_core_nobody_spins() {
        let callers = Callers::new(false);
        assert!((0..1_000).all(|_| callers.enter().patience == Patience::Shared));
    }
}
