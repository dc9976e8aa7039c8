//! What is stored of a partition fits together.

use kv_core::queue::Partition;
use kv_testbed::RedisServer;

pub(crate) fn check(_server: &RedisServer, _partition: &Partition) -> Result<(), String> {
    Ok(())
}
