//! A real server for the suite: its clock stands still between the steps.

use std::time::Duration;

use kv_core::BoxError;
use kv_redis::{RedisConfig, RedisStore};
use kv_testbed::{RedisServer, SteppedClock};
use kv_testkit::Backend;

/// Where the server's clock begins: in 2027.
pub(crate) const START: Duration = Duration::from_secs(1_800_000_000);

pub(crate) struct Redis {
    server: RedisServer,
    clock: SteppedClock,
}

impl Redis {
    pub(crate) fn start() -> Self {
        let server = RedisServer::builder().clock_frozen_at(START).start().expect("a server");
        let clock = server.clock().expect("a stepped clock").clone();
        Self { server, clock }
    }
}

impl Backend for Redis {
    type Store = RedisStore;

    async fn fresh(&self) -> Result<RedisStore, BoxError> {
        let config = RedisConfig::from_url(&self.server.url())?;
        let store = RedisStore::connect(config).await?;
        self.server.cli(&["FLUSHALL"])?;
        Ok(store)
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by).expect("a clock that can be stepped");
    }

    /// A new connection to the server, which keeps the data.
    async fn reopen(&self) -> Result<Option<RedisStore>, BoxError> {
        let config = RedisConfig::from_url(&self.server.url())?;
        Ok(Some(RedisStore::connect(config).await?))
    }

    /// Redis hides a key once its clock is past the end, in whole milliseconds.
    fn grace(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn another(&self, store: &RedisStore) -> Option<RedisStore> {
        Some(store.clone())
    }
}
