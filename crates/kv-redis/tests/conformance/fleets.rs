//! The contract's rules on every other arrangement of servers: all of them on one fleet, since
//! it takes seconds to start.

use std::sync::Mutex;
use std::time::Duration;

use kv_core::BoxError;
use kv_redis::RedisStore;
use kv_testkit::{Backend, cases, run_case};

use crate::backend::START;
use crate::fleet::Fleet;

struct Frozen {
    fleet: Fleet,
    now: Mutex<Duration>,
}

impl Backend for Frozen {
    type Store = RedisStore;

    async fn fresh(&self) -> Result<RedisStore, BoxError> {
        self.fleet.flush();
        Ok(RedisStore::connect(self.fleet.config().build()?).await?)
    }

    fn advance(&self, by: Duration) {
        let mut now = self.now.lock().expect("no panic before");
        *now += by;
        self.fleet.freeze_at(*now);
    }

    async fn reopen(&self) -> Result<Option<RedisStore>, BoxError> {
        Ok(Some(RedisStore::connect(self.fleet.config().build()?).await?))
    }

    fn grace(&self) -> Duration {
        Duration::from_millis(1)
    }

    fn another(&self, store: &RedisStore) -> Option<RedisStore> {
        Some(store.clone())
    }
}

fn conforms(fleet: Fleet) {
    fleet.freeze_at(START);
    let backend = Frozen { fleet, now: Mutex::new(START) };
    let cases = cases();
    let broken = cases.iter().filter_map(|case| {
        println!("{}", case.name());
        run_case(case.name(), &backend).err()
    });
    let broken: Vec<_> = broken.collect();
    assert!(broken.is_empty(), "{broken:#?}");
}

#[test]
fn a_cluster_of_six_nodes_conforms() {
    conforms(Fleet::cluster());
}

#[test]
fn a_primary_that_is_found_through_sentinels_conforms() {
    conforms(Fleet::sentinels());
}

#[test]
fn a_server_behind_tls_conforms() {
    conforms(Fleet::tls());
}

#[test]
fn a_server_on_a_unix_socket_in_resp3_conforms() {
    conforms(Fleet::unix());
}

#[test]
fn a_valkey_server_conforms() {
    conforms(Fleet::valkey());
}
