//! A load of increments, each of a key of its own: what was applied twice, or was denied and
//! applied all the same, is seen afterwards.

use std::time::Duration;

use kv_core::{Effect, KeyValueStore, Lifetime, Result};
use kv_redis::RedisStore;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval, timeout};

use crate::support::{names, refs};

/// How soon calls work again after the servers do, on a machine that stands almost still; less
/// than a call may take.
pub(crate) const SOON: Duration = Duration::from_secs(60);
const WORKERS: usize = 4;
/// How often a worker begins a call at most.
const PACE: Duration = Duration::from_millis(2);

/// Workers that increment until they are stopped.
pub(crate) struct Load {
    stop: watch::Sender<bool>,
    workers: JoinSet<Told>,
}

/// How many calls a load has done when it counts as one.
const BEGUN: usize = 50;

/// What the calls said of their keys.
#[derive(Default)]
pub(crate) struct Told {
    pub(crate) done: Vec<String>,
    /// Whether these were applied is not known.
    pub(crate) open: Vec<String>,
    pub(crate) denied: Vec<String>,
}

impl Load {
    /// Starts it; it is under way when this returns.
    pub(crate) async fn start(store: &RedisStore, name: &str) -> Self {
        let (stop, stopped) = watch::channel(false);
        let (done, mut progress) = watch::channel(0);
        let worker =
            |number| work(store.clone(), format!("{name}:{number}"), stopped.clone(), done.clone());
        let load = Self { workers: (0..WORKERS).map(worker).collect(), stop };
        let begun = progress.wait_for(|calls| *calls >= BEGUN);
        timeout(SOON, begun).await.expect("the load begins").unwrap();
        load
    }

    /// Ends it; every error was of a kind that passes.
    pub(crate) async fn stop(self) -> Told {
        self.stop.send_replace(true);
        let mut all = Told::default();
        for told in self.workers.join_all().await {
            all.done.extend(told.done);
            all.open.extend(told.open);
            all.denied.extend(told.denied);
        }
        all
    }
}

async fn work(
    store: RedisStore,
    name: String,
    stopped: watch::Receiver<bool>,
    done: watch::Sender<usize>,
) -> Told {
    let mut told = Told::default();
    let mut pace = interval(PACE);
    pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
    for number in 0.. {
        pace.tick().await;
        if *stopped.borrow() {
            break;
        }
        let key = format!("{name}:{number}");
        match store.increment(&key, 1, Lifetime::Never).await {
            Ok(count) => {
                assert_eq!(count, 1, "{key} was there");
                told.done.push(key);
                done.send_modify(|calls| *calls += 1);
            }
            Err(error) => {
                assert!(error.kind().is_transient(), "{error:?}");
                match error.effect() {
                    Effect::NotApplied => told.denied.push(key),
                    Effect::MaybeApplied => told.open.push(key),
                }
            }
        }
    }
    told
}

impl Told {
    /// Looks at every key: nothing was applied twice, and nothing that was denied was applied. How
    /// much of what was done is gone: a primary that dies takes with it what it had not yet passed
    /// on, and how much that is depends on the machine.
    pub(crate) async fn lost(&self, store: &RedisStore) -> usize {
        let count = async |keys: &[String]| {
            let counts = store.get_many(&refs(keys)).await.unwrap();
            let counts: Vec<_> = counts.into_iter().flatten().map(|entry| entry.value).collect();
            assert!(counts.iter().all(|count| count == "1"), "applied twice");
            counts.len()
        };
        let (done, open) = (count(&self.done).await, count(&self.open).await);
        let of = (self.done.len(), self.open.len(), self.denied.len());
        println!("of {} done {done} are there, of {} open {open}; {} denied", of.0, of.1, of.2);
        assert_eq!(count(&self.denied).await, 0, "what was denied was applied");
        of.0 - done
    }
}

/// Calls on all shards work again soon.
pub(crate) async fn works_again(store: &RedisStore) {
    again(async || {
        let pairs = names(50).into_iter().map(|name| (name, "v".into())).collect();
        store.set_many(pairs, Lifetime::Never).await
    })
    .await;
}

/// All servers that the store knows answer soon.
pub(crate) async fn pings_again(store: &RedisStore) {
    again(async || store.ping().await).await;
}

/// A call is answered soon.
pub(crate) async fn again(call: impl AsyncFn() -> Result<()>) {
    let mut pace = interval(PACE);
    let mut last = None;
    let again = async {
        loop {
            pace.tick().await;
            match call().await {
                Ok(()) => break,
                Err(error) => last = Some(error),
            }
        }
    };
    let again = timeout(SOON, again).await;
    assert!(again.is_ok(), "calls do not work again: {last:?}");
}
