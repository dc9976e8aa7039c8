//! Counting hits and misses exactly, at no cost to speak of.
//!
//! One counter for all threads would cost as much as the rest of a read. So each thread counts in a
//! stripe of its own, which no other thread writes, and adds without a locked instruction.

use std::cell::{Cell, OnceCell};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

/// How many threads of the process have stripes of their own.
const OWNED: usize = 48;

/// How many stripes the other threads share.
const SHARED: usize = 16;

/// The number of a thread that has not asked for one yet.
const UNKNOWN: usize = usize::MAX;

/// The number of a thread that ends: it counts in a shared stripe.
const ENDING: usize = OWNED;

/// Hits and misses, in stripes by the number of the thread.
pub(crate) struct Reads(Box<[Stripe]>);

#[derive(Default)]
#[repr(align(128))]
struct Stripe {
    hits: AtomicU64,
    misses: AtomicU64,
}

impl Reads {
    pub(crate) fn new() -> Self {
        Self((0..OWNED + SHARED).map(|_| Stripe::default()).collect())
    }

    #[inline]
    pub(crate) fn count_hit(&self) {
        self.count(|stripe| &stripe.hits);
    }

    #[inline]
    pub(crate) fn count_miss(&self) {
        self.count(|stripe| &stripe.misses);
    }

    #[inline]
    fn count(&self, counter: impl Fn(&Stripe) -> &AtomicU64) {
        let mut number = NUMBER.get();
        if number == UNKNOWN {
            number = take_number();
        }
        if number < OWNED {
            let counter = counter(&self.0[number]);
            // No other thread writes here: whoever had the number before gave it back.
            counter.store(counter.load(Ordering::Relaxed).wrapping_add(1), Ordering::Relaxed);
        } else {
            counter(&self.0[OWNED + number % SHARED]).fetch_add(1, Ordering::Relaxed);
        }
    }

    /// All hits and all misses.
    pub(crate) fn sums(&self) -> (u64, u64) {
        self.0.iter().fold((0, 0), |(hits, misses), stripe| {
            let hits = stripe.hits.load(Ordering::Relaxed).wrapping_add(hits);
            (hits, stripe.misses.load(Ordering::Relaxed).wrapping_add(misses))
        })
    }
}

thread_local! {
    /// The number of this thread. It has no destructor, so that reading it is one instruction.
    static NUMBER: Cell<usize> = const { Cell::new(UNKNOWN) };
    /// Gives the number back when the thread ends.
    static LEASE: OnceCell<Lease> = const { OnceCell::new() };
}

static NUMBERS: Mutex<Numbers> = Mutex::new(Numbers { free: Vec::new(), next: 0 });

/// The numbers that no thread has: some that were given back, and all from `next` on.
struct Numbers {
    free: Vec<usize>,
    next: usize,
}

/// A thread's right to its number.
struct Lease(usize);

impl Lease {
    fn take() -> Self {
        let mut numbers = NUMBERS.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(number) = numbers.free.pop() {
            return Self(number);
        }
        let number = numbers.next;
        numbers.next = number.wrapping_add(1);
        Self(number)
    }
}

impl Drop for Lease {
    fn drop(&mut self) {
        // A later destructor of this thread may still read from a store.
        NUMBER.set(ENDING);
        // Only numbers with a stripe of their own are scarce.
        if self.0 < OWNED {
            NUMBERS.lock().unwrap_or_else(PoisonError::into_inner).free.push(self.0);
        }
    }
}

#[cold]
fn take_number() -> usize {
    let number = LEASE.try_with(|lease| lease.get_or_init(Lease::take).0).unwrap_or(ENDING);
    NUMBER.set(number);
    number
}

#[cfg(test)]
mod tests {
    use std::sync::Barrier;

    use super::*;

    #[test]
    fn no_count_is_lost_by_more_threads_than_have_stripes() {
        let (reads, threads) = (Reads::new(), OWNED + 2 * SHARED);
        // All at once, so that none can have the number of one that has ended.
        let start = Barrier::new(threads);
        std::thread::scope(|scope| {
            for _ in 0..threads {
                scope.spawn(|| {
                    start.wait();
                    for _ in 0..1_000 {
                        reads.count_hit();
                        reads.count_miss();
                        reads.count_hit();
                    }
                    start.wait();
                });
            }
        });
        let threads = threads as u64;
        assert_eq!(reads.sums(), (2_000 * threads, 1_000 * threads));
    }

    #[test]
    fn a_thread_has_the_number_of_one_that_has_ended_or_a_new_one() {
        let reads = Reads::new();
        for _ in 0..10 * (OWNED + SHARED) {
            std::thread::scope(|scope| {
                scope.spawn(|| reads.count_hit());
            });
        }
        assert_eq!(reads.sums(), (10 * (OWNED + SHARED) as u64, 0));
    }

    /// Reads while the thread's own destructors run.
    struct Late(&'static Reads);

    impl Drop for Late {
        fn drop(&mut self) {
            self.0.count_miss();
        }
    }

    thread_local! {
        static EARLY: Cell<Option<Late>> = const { Cell::new(None) };
        static LATE: Cell<Option<Late>> = const { Cell::new(None) };
    }

    #[test]
    fn a_read_by_a_destructor_of_an_ending_thread_counts() {
        let reads: &'static Reads = Box::leak(Box::new(Reads::new()));
        let thread = std::thread::spawn(move || {
            EARLY.set(Some(Late(reads)));
            reads.count_hit();
            LATE.set(Some(Late(reads)));
        });
        thread.join().unwrap();
        assert_eq!(reads.sums(), (1, 2));
    }
}
