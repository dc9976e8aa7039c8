//! Who waits for the end of which job: told when a request of this handle has settled it.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError, Weak};

use kv_core::queue::JobKey;
use tokio::sync::Notify;

/// The jobs that somebody waits for. A waiter that is gone is forgotten when its job is settled, or
/// when twice as many have come as were there at the last count.
#[derive(Default)]
pub(super) struct Watched(Mutex<Waiters>);

#[derive(Default)]
struct Waiters {
    jobs: HashMap<(u32, JobKey), Weak<Notify>>,
    sweep_at: usize,
}

/// From how many jobs on those are looked for that nobody waits for any more.
const FEW: usize = 64;

impl Watched {
    /// Is told when the job is next settled, if it listens by then.
    pub(super) fn watch(&self, number: u32, job: JobKey) -> Arc<Notify> {
        let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = waiters.jobs.get(&(number, job)).and_then(Weak::upgrade) {
            return known;
        }
        if waiters.jobs.len() >= waiters.sweep_at.max(FEW) {
            waiters.jobs.retain(|_, waiter| waiter.strong_count() > 0);
            waiters.sweep_at = 2 * waiters.jobs.len();
        }
        let settled = Arc::new(Notify::new());
        waiters.jobs.insert((number, job), Arc::downgrade(&settled));
        settled
    }

    /// Tells whoever waits for one of these jobs.
    pub(super) fn settled(&self, number: u32, jobs: &[JobKey]) {
        if jobs.is_empty() {
            return;
        }
        let told: Vec<_> = {
            let mut waiters = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            let mut take = |job: &JobKey| waiters.jobs.remove(&(number, *job))?.upgrade();
            jobs.iter().filter_map(&mut take).collect()
        };
        told.iter().for_each(|settled| settled.notify_waiters());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_told(settled: &Notify, by: impl FnOnce()) -> bool {
        let mut told = std::pin::pin!(settled.notified());
        by();
        let mut context = std::task::Context::from_waker(std::task::Waker::noop());
        told.as_mut().poll(&mut context).is_ready()
    }

    #[test]
    fn a_waiter_is_told_of_its_own_job_only() {
        let (watched, job) = (Watched::default(), JobKey::new(8, 1));
        let one = watched.watch(0, job);
        let other = watched.watch(1, job);
        assert!(Arc::ptr_eq(&one, &watched.watch(0, job)), "two may wait for one job");
        assert!(!is_told(&other, || watched.settled(0, &[job])));
        let one = watched.watch(0, job);
        assert!(is_told(&one, || watched.settled(0, &[JobKey::new(8, 2), job])));
    }

    #[test]
    fn waiters_that_are_gone_take_no_room() {
        let watched = Watched::default();
        (0..10_000).for_each(|n| drop(watched.watch(0, JobKey::new(8, n))));
        assert!(watched.0.lock().unwrap().jobs.len() <= FEW);
    }
}
