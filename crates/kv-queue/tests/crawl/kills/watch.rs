//! A look at the crawl's queue from outside of its processes.

use std::path::Path;
use std::time::Duration;

use kv_core::Store;
use kv_core::queue::Counts;
use kv_queue::Queue;
use kv_redis::{RedisConfig, RedisStore};
use sha2::{Digest, Sha256};
use tokio::time::{sleep, timeout};

use super::fleet::Fleet;
use crate::tree::hex;

/// As the crawl has them.
const PARTITIONS: u32 = 16;
/// The pause between two looks.
const PAUSE: Duration = Duration::from_millis(10);

pub(super) struct Watch {
    queue: Queue<()>,
}

impl Watch {
    /// Connects anew: a connection that has seen the server go comes back in its own time.
    pub(super) async fn open(root: &Path, port: u16) -> Self {
        let config = RedisConfig::builder().port(port).build().unwrap();
        let store = Store::new(RedisStore::connect(config).await.unwrap());
        let name = hex(&Sha256::digest(root.as_os_str().as_encoded_bytes()));
        let queue = Queue::builder(&format!("crawl:{name}")).partitions(PARTITIONS);
        Self { queue: queue.open(&store).await.unwrap() }
    }

    pub(super) async fn counts(&self) -> Counts {
        self.queue.stats().await.unwrap()
    }

    /// The first look with jobs in flight when so many jobs are done.
    pub(super) async fn moment(&self, done: u64, fleet: &mut Fleet, limit: Duration) -> Counts {
        let mut counts = Counts::default();
        let look = async {
            loop {
                counts = self.counts().await;
                if counts.done >= done && counts.leased > 0 {
                    return counts;
                }
                assert!(counts.done == 0 || counts.outstanding() > 0, "over too soon: {counts:?}");
                fleet.fill();
                sleep(PAUSE).await;
            }
        };
        let found = timeout(limit, look).await;
        found.unwrap_or_else(|_| panic!("no {done} jobs were done in {limit:?}: {counts:?}"))
    }
}
