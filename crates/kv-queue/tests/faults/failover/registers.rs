//! Plain keys, each with one writer that counts up, and readers that see whether it went back.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::{Error, Store};
use kv_queue::CancellationToken;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep};

use super::books::{Books, Window};

/// Keys with one writer.
const KEYS: usize = 6;
const WRITERS: usize = 4;
const READERS: usize = 2;
/// Between two calls of a writer or a reader: the servers share their cores.
const PACE: Duration = Duration::from_millis(4);

/// All keys, and what is known of each.
pub(super) struct Registers {
    all: Vec<Register>,
}

struct Register {
    key: String,
    known: Mutex<Known>,
}

#[derive(Default)]
struct Known {
    /// The last number that was sent.
    sent: u64,
    /// The last number that was acknowledged, and when.
    acknowledged: Option<(u64, Instant)>,
    read: Option<Instant>,
    /// Numbers that were acknowledged when, and not there any more.
    gone: Vec<(u64, Instant)>,
    wrong: Vec<String>,
}

impl Register {
    fn known(&self) -> MutexGuard<'_, Known> {
        self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn write(&self, store: &Store) -> Result<(), Error> {
        let number = {
            let mut known = self.known();
            known.sent += 1;
            known.sent
        };
        store.set(&self.key, &number).await?;
        self.known().acknowledged = Some((number, Instant::now()));
        Ok(())
    }

    async fn read(&self, store: &Store) -> Result<(), Error> {
        let before = self.known().acknowledged;
        let found = store.get::<u64>(&self.key).await?.unwrap_or(0);
        self.known().found(found, before);
        Ok(())
    }
}

impl Known {
    /// A read found this, and this had been acknowledged before it began.
    fn found(&mut self, found: u64, before: Option<(u64, Instant)>) {
        self.read = Some(Instant::now());
        if found > self.sent {
            self.wrong.push(format!("{found} was never written, at most {}", self.sent));
        }
        if let Some((number, at)) = before.filter(|(number, _)| found < *number)
            && self.gone.last().is_none_or(|(last, _)| *last < number)
        {
            self.gone.push((number, at));
        }
    }
}

impl Registers {
    pub(super) fn new() -> Arc<Self> {
        let register = |n| Register { key: format!("register:{n}"), known: Mutex::default() };
        Arc::new(Self { all: (0..KEYS * WRITERS).map(register).collect() })
    }

    /// Has all of them written and read until it is stopped.
    pub(super) fn work(
        self: &Arc<Self>,
        (writes, reads): (&Store, &Store),
        books: &Arc<Books>,
        stop: &CancellationToken,
    ) -> JoinSet<()> {
        let mut tasks = JoinSet::new();
        for first in 0..WRITERS {
            let (registers, store) = (Arc::clone(self), writes.clone());
            let (books, stop) = (Arc::clone(books), stop.clone());
            tasks.spawn(async move { registers.write(first, &store, &books, &stop).await });
        }
        for first in 0..READERS {
            let (registers, store) = (Arc::clone(self), reads.clone());
            let (books, stop) = (Arc::clone(books), stop.clone());
            tasks.spawn(async move { registers.read(first, &store, &books, &stop).await });
        }
        tasks
    }

    async fn write(&self, first: usize, store: &Store, books: &Books, stop: &CancellationToken) {
        for register in self.all.iter().skip(first).step_by(WRITERS).cycle() {
            if stop.is_cancelled() {
                return;
            }
            if let Err(error) = register.write(store).await {
                books.failed("set", &error);
            }
            sleep(PACE).await;
        }
    }

    async fn read(&self, first: usize, store: &Store, books: &Books, stop: &CancellationToken) {
        for register in self.all.iter().skip(first).step_by(READERS).cycle() {
            if stop.is_cancelled() {
                return;
            }
            if let Err(error) = register.read(store).await {
                books.failed("get", &error);
            }
            sleep(PACE).await;
        }
    }

    /// Whether each was written and read since then.
    pub(super) fn work_since(&self, since: Instant) -> bool {
        self.all.iter().all(|register| {
            let known = register.known();
            let written = known.acknowledged.is_some_and(|(_, at)| at > since);
            written && known.read.is_some_and(|at| at > since)
        })
    }

    /// How many writes were lost to faults that may lose some, and what is wrong.
    pub(super) fn audit(&self, windows: &[Window]) -> (usize, Vec<String>) {
        let (mut lost, mut wrong) = (0, Vec::new());
        for register in &self.all {
            let known = register.known();
            wrong.extend(known.wrong.iter().map(|what| format!("{}: {what}", register.key)));
            for (number, at) in &known.gone {
                if windows.iter().any(|window| window.may_have_lost(*at)) {
                    lost += 1;
                } else {
                    wrong.push(format!("{}: {number} was acknowledged and went", register.key));
                }
            }
        }
        (lost, wrong)
    }

    /// How many numbers were sent.
    pub(super) fn sent(&self) -> u64 {
        self.all.iter().map(|register| register.known().sent).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_that_went_back_or_holds_what_nobody_wrote_is_found() {
        let mut known = Known { sent: 9, ..Known::default() };
        let before = Some((7, Instant::now()));
        [8, 7, 9].into_iter().for_each(|found| known.found(found, before));
        assert!(known.gone.is_empty() && known.wrong.is_empty());
        // Seen twice, it is gone once.
        [6, 6, 10].into_iter().for_each(|found| known.found(found, before));
        assert_eq!((known.gone.len(), known.wrong.len()), (1, 1));
    }
}
