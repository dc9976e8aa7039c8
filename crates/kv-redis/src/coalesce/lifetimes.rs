//! The remaining lifetimes of several keys, which also tell whether the keys exist.

use std::sync::Arc;

use bytes::Bytes;
use kv_core::Result;

use super::line::Waiter;
use super::{Verb, each_alone, is_of_several, keys, tell};
use crate::driver::{Access, Answer, Driver, Request};
use crate::scripts::TTL_EACH;
use crate::verbs::unexpected;

type Asked = Vec<Waiter<Bytes, i64>>;

/// Asks for the milliseconds that a key has left, as PTTL has them.
pub(crate) struct Lifetimes {
    driver: Arc<Driver>,
}

impl Verb for Lifetimes {
    const ACCESS: Access = Access::Read;

    type Item = Bytes;
    type Answer = i64;

    fn driver(&self) -> &Driver {
        &self.driver
    }

    fn key(key: &Bytes) -> &Bytes {
        key
    }

    async fn send(&self, asked: Asked) -> Asked {
        match self.together(&asked).await {
            Ok(millis) => asked.into_iter().zip(millis).for_each(|(it, left)| it.answer(Ok(left))),
            Err(error) if is_of_several(&error) && asked.len() > 1 => {
                each_alone(&self.driver, asked, |key| Request::Pttl(key.clone()), |it| millis(&it))
                    .await;
            }
            Err(error) => tell(asked, &error),
        }
        Vec::new()
    }
}

impl Lifetimes {
    pub(crate) fn new(driver: &Arc<Driver>) -> Self {
        Self { driver: Arc::clone(driver) }
    }

    async fn together(&self, asked: &Asked) -> Result<Vec<i64>> {
        if let [one] = asked.as_slice() {
            let left = self.driver.call_together(Request::Pttl(one.item.clone())).await?;
            return Ok(vec![millis(&left)?]);
        }
        let keys = keys(asked).into();
        let request = Request::Script { script: &TTL_EACH, keys, args: Vec::new() };
        match self.driver.call_together(request).await? {
            Answer::List(each) if each.len() == asked.len() => each.iter().map(millis).collect(),
            _ => Err(unexpected()),
        }
    }
}

/// The number that PTTL answers.
pub(crate) fn millis(answer: &Answer) -> Result<i64> {
    match answer {
        Answer::Int(millis) => Ok(*millis),
        _ => Err(unexpected()),
    }
}
