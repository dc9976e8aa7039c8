//! The values of several keys, in replies of a bounded size.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use bytes::Bytes;
use kv_core::{Entry, Error, ErrorKind, Result};

use super::line::Waiter;
use super::{Verb, each_alone, is_of_several, keys, tell};
use crate::driver::{Access, Answer, BUDGET, Driver, Request, values_sent};
use crate::many::{self, KEYS_OF_A_SCRIPT};
use crate::verbs::{self, unexpected};

/// The fraction of what is missing by which the bytes to ask for grow with each reply in time.
const CAUTION: usize = 16;

/// Values of this size on average are large: a request of its own for each costs less than a script
/// that copies them.
const LARGE: usize = BUDGET / 64;

/// How many calls leave alone after large values were read, until it is tried again.
const ALONE_AFTER_LARGE: usize = 1_024;

type Asked = Vec<Waiter<Bytes, Option<Entry>>>;

/// Asks for the value of a key.
pub(crate) struct Values {
    driver: Arc<Driver>,
    /// How many bytes to ask for at once: half as many after a late reply, and slowly more again.
    budget: AtomicUsize,
    /// How many calls leave alone, since the values are large.
    alone: AtomicUsize,
}

impl Verb for Values {
    const ACCESS: Access = Access::Read;

    type Item = Bytes;
    type Answer = Option<Entry>;

    fn driver(&self) -> &Driver {
        &self.driver
    }

    fn key(key: &Bytes) -> &Bytes {
        key
    }

    fn gains(&self) -> bool {
        let left = |left: usize| left.checked_sub(1);
        self.alone.fetch_update(Ordering::Relaxed, Ordering::Relaxed, left).is_err()
    }

    async fn send(&self, mut asked: Asked) -> Asked {
        if asked.len() > 1 && self.alone.load(Ordering::Relaxed) > 0 {
            self.get_each(asked).await;
            return Vec::new();
        }
        let budget = self.budget.load(Ordering::Relaxed);
        let bytes = self.driver.sizes().of(values_sent(asked.len()));
        if asked.len() == 1 || bytes.is_some_and(|bytes| bytes <= budget) {
            let all = self.driver.call_together(verbs::get_many(keys(&asked))).await;
            return self.heed(verbs::entries(all, asked.len()), asked).await;
        }
        let later = asked.split_off(asked.len().min(KEYS_OF_A_SCRIPT));
        let some = self.driver.call_together(many::some_request(keys(&asked), budget)).await;
        let mut again = self.heed(many::some_entries(some, asked.len()), asked).await;
        again.extend(later);
        again
    }
}

impl Values {
    pub(crate) fn new(driver: &Arc<Driver>) -> Self {
        Self {
            driver: Arc::clone(driver),
            budget: AtomicUsize::new(BUDGET),
            alone: AtomicUsize::new(0),
        }
    }

    /// Answers those whose values came.
    async fn heed(&self, entries: Result<Vec<Option<Entry>>>, asked: Asked) -> Asked {
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => {
                self.failed(error, asked).await;
                return Vec::new();
            }
        };
        let has_several = asked.len() > 1;
        if has_several {
            self.learn(&entries);
        }
        let mut rest = asked.into_iter();
        let mut missing = Vec::new();
        for (entry, waiter) in entries.into_iter().zip(rest.by_ref()) {
            // A GET tells by itself that a key is of another type.
            match entry {
                None if has_several => missing.push(waiter),
                entry => waiter.answer(Ok(entry)),
            }
        }
        self.look_again(missing).await;
        rest.collect()
    }

    fn learn(&self, entries: &[Option<Entry>]) {
        let budget = self.budget.load(Ordering::Relaxed);
        if budget < BUDGET {
            let more = budget + (BUDGET - budget).div_ceil(CAUTION);
            self.budget.store(more, Ordering::Relaxed);
        }
        let sizes = || entries.iter().flatten().map(|entry| entry.value.len());
        self.driver.sizes().learn(sizes().max().unwrap_or(0));
        if sizes().sum::<usize>() / entries.len().max(1) >= LARGE {
            self.alone.store(ALONE_AFTER_LARGE, Ordering::Relaxed);
        }
    }

    /// A key without a value is absent, or of another type; most are absent, so they are counted
    /// together, and each asked for alone only if there are some.
    async fn look_again(&self, missing: Asked) {
        if missing.is_empty() {
            return;
        }
        match self.driver.call_together(Request::Exists(keys(&missing))).await {
            Ok(Answer::Int(0)) => missing.into_iter().for_each(|it| it.answer(Ok(None))),
            Ok(Answer::Int(_)) => self.get_each(missing).await,
            Ok(_) => tell(missing, &unexpected()),
            Err(error) => self.failed(error, missing).await,
        }
    }

    async fn get_each(&self, asked: Asked) {
        let get = |key: &Bytes| Request::Get(key.clone());
        each_alone(&self.driver, asked, get, verbs::entry).await;
    }

    async fn failed(&self, error: Error, asked: Asked) {
        let has_several = asked.len() > 1;
        if has_several && is_of_several(&error) {
            return self.get_each(asked).await;
        }
        if has_several && error.kind() == ErrorKind::Timeout {
            let budget = self.budget.load(Ordering::Relaxed);
            self.budget.store(budget / 2, Ordering::Relaxed);
            self.driver.sizes().forget();
        }
        tell(asked, &error);
    }
}
