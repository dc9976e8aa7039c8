//! Removing a queue: each partition's keys, and last its description.

use std::sync::{Arc, PoisonError};

use bytes::Bytes;
use futures_util::future::try_join_all;
use kv_core::Result;
use kv_core::queue::check_partitions;

use super::{RedisQueues, keys};
use crate::driver::Request;

/// How many partitions are removed side by side, so that other calls get their turn.
const AT_ONCE: usize = 64;

impl RedisQueues {
    /// The description is removed last, so that an interrupted removal can be repeated.
    pub(super) async fn remove_queue(&self, queue: &str, partitions: u32) -> Result<()> {
        check_partitions(queue, partitions)?;
        self.opened.write().unwrap_or_else(PoisonError::into_inner).remove(queue);
        let numbers: Vec<u32> = (0..partitions).collect();
        for some in numbers.chunks(AT_ONCE) {
            let keys = |number| keys::all_of_partition(&self.key_prefix, queue, number);
            try_join_all(some.iter().map(|number| self.unlink(keys(*number)))).await?;
        }
        self.unlink([keys::of_queue(&self.key_prefix, queue)].into()).await
    }

    async fn unlink(&self, keys: Arc<[Bytes]>) -> Result<()> {
        let (script, args) = (self.scripts.remove, Vec::new());
        self.calls.call(Request::Script { script, keys, args }).await.map(drop)
    }
}
