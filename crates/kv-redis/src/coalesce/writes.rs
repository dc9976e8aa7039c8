//! Several values, written by one request.

use std::sync::Arc;

use bytes::Bytes;
use kv_core::{Condition, Result, Write};

use super::line::Waiter;
use super::{Verb, each_alone, is_of_several, tell};
use crate::driver::{Access, Answer, BUDGET, Driver, Only, Request, SetExpiry, decimal};
use crate::scripts::SET_EACH;
use crate::verbs;

/// The largest value that is written together with others. A larger one costs its connection more
/// than a request of its own does.
const LARGEST: usize = BUDGET / 16;

type Callers = Vec<Waiter<Put, ()>>;

/// A value to write, whatever is there.
pub(crate) struct Put {
    pub(crate) key: Bytes,
    pub(crate) value: Bytes,
    /// In milliseconds; with none it never ends.
    pub(crate) lifetime: Option<u64>,
}

impl Put {
    /// A write that can be done together with others.
    ///
    /// # Errors
    /// `InvalidTtl`.
    pub(crate) fn of(key: &str, value: &Bytes, write: &Write) -> Result<Option<Self>> {
        if value.len() > LARGEST || !matches!(write.condition, Condition::Always) {
            return Ok(None);
        }
        let lifetime = match verbs::expiry(write.lifetime)? {
            SetExpiry::Never => None,
            SetExpiry::Millis(millis) => Some(millis),
            SetExpiry::Keep => return Ok(None),
        };
        let (key, value) = (Bytes::copy_from_slice(key.as_bytes()), value.clone());
        Ok(Some(Self { key, value, lifetime }))
    }

    pub(crate) fn request(&self) -> Request {
        let (key, value) = (self.key.clone(), self.value.clone());
        let expiry = self.lifetime.map_or(SetExpiry::Never, SetExpiry::Millis);
        Request::Set { key, value, expiry, only: Only::Always }
    }
}

/// Writes values.
pub(crate) struct Writes {
    driver: Arc<Driver>,
}

impl Verb for Writes {
    const ACCESS: Access = Access::Write;

    type Item = Put;
    type Answer = ();

    fn driver(&self) -> &Driver {
        &self.driver
    }

    fn key(put: &Put) -> &Bytes {
        &put.key
    }

    async fn send(&self, mut callers: Callers) -> Callers {
        let later = callers.split_off(fitting(&callers));
        let largest = callers.iter().map(|caller| caller.item.value.len()).max();
        self.driver.sizes().saw(largest.unwrap_or(0));
        match self.driver.call_together(together(&callers)).await {
            Ok(_) => callers.into_iter().for_each(|caller| caller.answer(Ok(()))),
            Err(error) if is_of_several(&error) && callers.len() > 1 => {
                each_alone(&self.driver, callers, Put::request, |_: Answer| Ok(())).await;
            }
            Err(error) => tell(callers, &error),
        }
        later
    }
}

impl Writes {
    pub(crate) fn new(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver) }
    }
}

/// How many of the first callers fit into one request; at least one.
fn fitting(callers: &[Waiter<Put, ()>]) -> usize {
    let sizes = callers.iter().map(|caller| caller.item.key.len() + caller.item.value.len());
    let filled = sizes.scan(0, |filled, bytes| {
        *filled += bytes;
        Some(*filled)
    });
    filled.take_while(|filled| *filled <= BUDGET).count().max(1)
}

/// One SET, an MSET, or with lifetimes a script, which writes all or nothing.
fn together(callers: &[Waiter<Put, ()>]) -> Request {
    let puts = || callers.iter().map(|caller| &caller.item);
    if let [one] = callers {
        return one.item.request();
    }
    if puts().all(|put| put.lifetime.is_none()) {
        return Request::Mset(puts().map(|put| (put.key.clone(), put.value.clone())).collect());
    }
    let args = puts().flat_map(|put| [put.value.clone(), decimal(put.lifetime.unwrap_or(0))]);
    let keys = puts().map(|put| put.key.clone()).collect();
    Request::Script { script: &SET_EACH, keys, args: args.collect() }
}
