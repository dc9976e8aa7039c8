//! The contract's rules, each a test, on memory with each layer around it and with all of them.

use std::sync::Arc;
use std::time::Duration;

use kv_core::{BoxError, ErrorKind, KeyValueStore};
use kv_layers::{Fallback, Layer, Layers, Limit, Metrics, Observe, Retry, Timeout};
use kv_memory::MemoryStore;
use kv_testkit::{Backend, Fault, Faulty, ManualClock, Method};

/// Memory with something around it; the function also gets the clock.
struct Over<F> {
    clock: ManualClock,
    around: F,
}

type Around = fn(MemoryStore, &ManualClock) -> Arc<dyn KeyValueStore>;

fn over(around: Around) -> Over<Around> {
    Over { clock: ManualClock::new(), around }
}

fn memory(clock: &ManualClock) -> MemoryStore {
    MemoryStore::builder().clock(clock.clone()).build()
}

impl Backend for Over<Around> {
    type Store = Arc<dyn KeyValueStore>;

    async fn fresh(&self) -> Result<Self::Store, BoxError> {
        Ok((self.around)(memory(&self.clock), &self.clock))
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn another(&self, store: &Self::Store) -> Option<Self::Store> {
        Some(store.clone())
    }
}

/// More at once than any case has.
const MANY: usize = 4_096;

/// Longer than the suite lets a case take.
const LONG: Duration = Duration::from_secs(600);

fn layers() -> Layers {
    let layers = Layers::new().observe(Observe::to(Metrics::new())).limit(Limit::to(MANY));
    layers.retry(Retry::new()).timeout(Timeout::after(LONG))
}

fn fallback(clock: &ManualClock) -> Fallback {
    let clock = clock.clone();
    Fallback::to(move || memory(&clock)).failures(1).pause(Duration::MAX)
}

mod observed {
    use super::*;
    kv_testkit::conformance!(over(|store, _| Arc::new(Observe::to(Metrics::new()).on(store))));
}

mod limited {
    use super::*;
    kv_testkit::conformance!(over(|store, _| Arc::new(Limit::to(2).queue(MANY).on(store))));
}

mod retried {
    use super::*;
    kv_testkit::conformance!(over(|store, _| Arc::new(Retry::new().on(store))));
}

mod timed {
    use super::*;
    kv_testkit::conformance!(over(|store, _| Arc::new(Timeout::after(LONG).on(store))));
}

mod counted {
    use super::*;
    kv_testkit::conformance!(over(|store, _| {
        Arc::from(kv_layers::Statistics::new().on(store))
    }));
}

mod near {
    use super::*;
    kv_testkit::conformance!(over(|store, clock| {
        Arc::from(kv_layers::NearCache::new().clock(clock.clone()).on(store).unwrap())
    }));
}

/// So small that it evicts all the time.
mod near_and_small {
    use super::*;
    kv_testkit::conformance!(over(|store, clock| {
        let near = kv_layers::NearCache::new().clock(clock.clone()).entries(3).bytes(2_000);
        Arc::from(near.on(store).unwrap())
    }));
}

#[cfg(feature = "compress")]
mod compressed {
    use super::*;
    kv_testkit::conformance!(over(|store, _| {
        Arc::from(kv_layers::Compress::above(1).on(store))
    }));
}

#[cfg(feature = "encrypt")]
mod encrypted {
    use super::*;
    kv_testkit::conformance!(over(|store, _| {
        let key = kv_layers::EncryptionKey::from_bytes([7; 32]);
        Arc::from(kv_layers::Encrypt::with(key).on(store))
    }));
}

#[cfg(all(feature = "compress", feature = "encrypt"))]
mod compressed_and_encrypted {
    use super::*;
    kv_testkit::conformance!(over(|store, _| {
        let key = kv_layers::EncryptionKey::from_bytes([7; 32]);
        let layers = layers().compress(kv_layers::Compress::above(16));
        Arc::from(layers.encrypt(kv_layers::Encrypt::with(key)).on(store).unwrap())
    }));
}

mod the_primary_of_a_fallback {
    use super::*;
    kv_testkit::conformance!(over(|store, clock| Arc::new(fallback(clock).on(store).unwrap())));
}

/// What is offered in an outage is as much as before it.
mod the_spare_store_of_a_fallback {
    use super::*;
    kv_testkit::conformance!(over(|store, clock| {
        let away = Faulty::new(store);
        let reachable = |method: &Method| *method != Method::Close;
        for method in Method::ALL.into_iter().filter(reachable) {
            away.inject(Fault::every(method, ErrorKind::Connection));
        }
        Arc::new(fallback(clock).on(away).unwrap())
    }));
}

mod all_but_fallback {
    use super::*;
    kv_testkit::conformance!(over(|store, _| Arc::from(layers().on(store).unwrap())));
}

mod all {
    use super::*;
    kv_testkit::conformance!(over(|store, clock| {
        Arc::from(layers().fallback(fallback(clock)).on(store).unwrap())
    }));
}
