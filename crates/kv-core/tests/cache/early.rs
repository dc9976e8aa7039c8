//! Loads before a value ends, spread by chance.

use kv_core::CacheOptions;

use crate::support::{Rig, secs};

fn early() -> CacheOptions {
    CacheOptions::new().early(secs(5))
}

/// The second of the ten fresh ones in which a caller each half second begins the load.
async fn begins(seed: u64) -> u32 {
    let rig = Rig::seeded(seed);
    rig.get(early()).await.unwrap();
    for half in 1..20 {
        rig.clock.advance(std::time::Duration::from_millis(500));
        assert_eq!(rig.get(early()).await.unwrap(), 1, "the value is served meanwhile");
        rig.settle().await;
        if rig.loader.loads() > 1 {
            assert_eq!(rig.get(early()).await.unwrap(), 2);
            return half;
        }
    }
    20
}

#[tokio::test(start_paused = true)]
async fn a_value_in_use_is_replaced_before_it_ends_at_moments_that_differ() {
    let mut moments = Vec::new();
    for seed in 0..50 {
        let half = begins(seed).await;
        assert!((11..20).contains(&half), "seed {seed}: after {half} half seconds");
        moments.push(half);
    }
    moments.sort_unstable();
    moments.dedup();
    assert!(moments.len() > 2, "all at once: {moments:?}");
}

#[tokio::test(start_paused = true)]
async fn a_failing_early_load_leaves_the_value_fresh() {
    let rig = Rig::new();
    rig.get(early()).await.unwrap();
    rig.loader.fails();
    rig.clock.advance(std::time::Duration::from_millis(9_990));
    for _ in 0..20 {
        assert_eq!(rig.get(early()).await.unwrap(), 1);
        rig.settle().await;
    }
    assert!(rig.loader.loads() > 1);
}
