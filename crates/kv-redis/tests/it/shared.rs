//! Locks, limits, tags and raw bytes on a real server.

use std::time::Duration;

use kv_core::{CheckedRate, Expiry, KeyValueStore, Rate, SetOptions, Store};
use kv_testbed::RedisServer;
use tokio::task::JoinSet;

use crate::support::{ask, config, connect, direct};

const HOUR: Duration = Duration::from_secs(3_600);

async fn two(server: &RedisServer) -> (Store, Store) {
    let store = async || Store::new(connect(config(server.port())).await);
    (store().await, store().await)
}

#[tokio::test]
async fn a_lock_keeps_others_out_and_ends_with_its_lease() {
    let server = RedisServer::start().unwrap();
    let (first, second) = two(&server).await;
    let lock = first.lock("k", HOUR).await.unwrap();
    assert!(second.try_lock("k", HOUR).await.unwrap().is_none());
    assert!(lock.extend(HOUR).await.unwrap());
    // Somebody else ends the lease, as the server's clock would.
    ask(&server, &["DEL", "!kv:lock:k"]);
    let next = second.lock("k", HOUR).await.unwrap();
    assert!(next.token() > lock.token());
    assert!(!lock.extend(HOUR).await.unwrap() && !lock.is_held());
    assert!(!lock.unlock().await.unwrap());
    assert!(next.unlock().await.unwrap());
}

#[tokio::test]
async fn many_tasks_of_two_stores_share_a_limit_exactly() {
    let server = RedisServer::start().unwrap();
    let (first, second) = two(&server).await;
    let mut tasks = JoinSet::new();
    for task in 0..8 {
        let store = if task % 2 == 0 { &first } else { &second };
        let limiter = store.limiter("api", Rate::new(100, HOUR));
        tasks.spawn(async move {
            let mut allowed = 0;
            for _ in 0..50 {
                allowed += u32::from(limiter.acquire().await.unwrap().is_allowed());
            }
            allowed
        });
    }
    assert_eq!(tasks.join_all().await.into_iter().sum::<u32>(), 100);
    let left: i64 = ask(&server, &["PTTL", "!kv:limit:api"]).unwrap().parse().unwrap();
    assert!((3_500_000..=3_600_000).contains(&left), "{left} ms");
}

#[tokio::test]
async fn a_limit_is_one_request() {
    let (server, store) = direct().await;
    let limiter = Store::new(store).limiter("api", Rate::new(10, HOUR));
    limiter.acquire().await.unwrap();
    ask(&server, &["CONFIG", "RESETSTAT"]);
    for _ in 0..5 {
        limiter.acquire().await.unwrap();
    }
    let stats = ask(&server, &["INFO", "commandstats"]).unwrap();
    assert!(stats.contains("cmdstat_evalsha:calls=5,"), "{stats}");
}

async fn micros(store: &impl KeyValueStore) -> u64 {
    store.now().await.unwrap().as_micros().try_into().unwrap()
}

/// The script and the function of kv-core are one decision: each number is held against the other.
#[tokio::test]
async fn the_script_decides_as_the_function_does() {
    let (server, store) = direct().await;
    let rates = [(1, 1), (3, 2), (7, 7), (1_000, 10)];
    for seed in 0..40_u64 {
        let mut random = fastrand::Rng::with_seed(seed);
        let (times, burst) = rates[random.usize(..rates.len())];
        let rate: CheckedRate = Rate::new(times, HOUR).burst(burst).checked(1).unwrap();
        let key = format!("!kv:limit:{seed}");
        for _ in 0..8 {
            let before = micros(&store).await;
            // Times of the past, within a burst, and of a clock that was ahead.
            let stored = before.saturating_add(random.u64(0..3 * rate.window)) - rate.window / 2;
            ask(&server, &["SET", &key, &stored.to_string()]);
            let command = kv_core::Command::Limit { key: key.clone(), rate };
            let mut replies = store.execute(vec![command]).await.unwrap();
            let kv_core::Reply::Decision(decided) = replies.pop().unwrap().unwrap() else {
                panic!("no decision")
            };
            let after = micros(&store).await;
            let least = rate.decide(Some(stored), before).0;
            let most = rate.decide(Some(stored), after).0;
            let number = |decision: kv_core::Decision| match decision {
                kv_core::Decision::Allowed { remaining } => i64::from(remaining),
                decision => -i64::try_from(decision.retry_after().unwrap().as_micros()).unwrap(),
            };
            let (least, decided, most) = (number(least), number(decided), number(most));
            assert!((least..=most).contains(&decided), "seed {seed}: {least} {decided} {most}");
        }
    }
}

#[tokio::test]
async fn a_tag_that_one_store_ends_has_ended_for_the_other() {
    let server = RedisServer::start().unwrap();
    let (first, second) = two(&server).await;
    let tagged = || SetOptions::new().ttl(HOUR).tag("t");
    first.set_with("k", &1, tagged()).await.unwrap();
    first.set_bytes_with("raw", "bytes", tagged()).await.unwrap();
    assert_eq!(second.get_many::<i32>(["k"]).await.unwrap(), [Some(1)]);
    assert_eq!(second.get_bytes("raw").await.unwrap().unwrap(), "bytes");
    second.invalidate("t").await.unwrap();
    assert_eq!(first.get::<i32>("k").await.unwrap(), None);
    assert_eq!(
        first.update("k", |old: Option<i32>| Some(old.unwrap_or(5))).await.unwrap(),
        Some(5)
    );
}

#[tokio::test]
async fn bytes_are_plain_and_counters_are_listed() {
    let (server, store) = direct().await;
    let store = Store::new(store).namespace("n");
    store.set_bytes("k", "plain").await.unwrap();
    assert_eq!(ask(&server, &["GET", "n:k"]).unwrap(), "plain");
    let (_, version) = store.get_bytes_versioned("k").await.unwrap().unwrap();
    assert!(store.delete_if("k", version).await.unwrap());
    store.increment("a", 2, Expiry::Never).await.unwrap();
    store.increment("b", 3, Expiry::Never).await.unwrap();
    assert!(store.touch_counter("b", HOUR).await.unwrap());
    let all = store.counters("*").await.unwrap();
    assert_eq!(all, [("a".to_owned(), 2), ("b".to_owned(), 3)]);
    store.set("k", &1).await.unwrap();
    assert_eq!(store.clear().await.unwrap(), 1);
    assert_eq!(store.counter("a").await.unwrap(), Some(2));
}
