//! When keys vanish, and what it costs.

use std::time::Duration;

use crate::support::{block_on, living, manual, ms, page, put, stats, value};
use kv_core::{Condition, ErrorKind, KeyValueStore, Lifetime, MAX_LIFETIME, Remaining, Write};

#[test]
fn a_key_is_there_until_its_last_millisecond_and_gone_with_it() {
    let (builder, clock) = manual();
    let store = builder.build();
    put(&store, "k", "v", living(10));
    clock.advance(ms(9));
    assert_eq!(value(&store, "k").as_deref(), Some("v"));
    assert_eq!(block_on(store.ttl("k")).unwrap(), Some(Remaining::Expires(ms(1))));
    clock.advance(ms(1));
    assert_eq!(value(&store, "k"), None);
}

#[test]
fn an_expired_key_is_invisible_to_every_method() {
    let (builder, clock) = manual();
    let store = builder.build();
    for key in ["get", "now", "many", "take", "touch", "delete", "present", "scan", "count"] {
        put(&store, key, "5", living(10));
    }
    clock.advance(ms(10));
    block_on(async {
        assert!(store.get("get").await.unwrap().is_none());
        assert!(store.get_now("now").unwrap().unwrap().is_none());
        assert_eq!(store.get_many(&["many"]).await.unwrap(), [None]);
        assert!(!store.exists("scan").await.unwrap());
        assert_eq!(store.ttl("scan").await.unwrap(), None);
        assert!(store.take("take").await.unwrap().is_none());
        assert!(!store.touch("touch", Lifetime::Never).await.unwrap());
        assert!(!store.delete("delete", Condition::Always).await.unwrap());
        let present = Write::ALWAYS.condition(Condition::Present);
        assert!(!store.set("present", "v".into(), present).await.unwrap().is_written());
        assert_eq!(store.increment("count", 1, Lifetime::Never).await.unwrap(), 1);
    });
    assert_eq!(page(&store, None, 100).0, ["count"]);
}

#[test]
fn a_write_keeps_or_clears_a_lifetime_only_as_told() {
    let (builder, _clock) = manual();
    let store = builder.build();
    let ttl = || block_on(store.ttl("k")).unwrap();
    put(&store, "k", "v", living(10));
    put(&store, "k", "w", Write::ALWAYS.lifetime(Lifetime::Keep));
    assert_eq!(ttl(), Some(Remaining::Expires(ms(10))));
    put(&store, "k", "w", Write::ALWAYS);
    assert_eq!(ttl(), Some(Remaining::Forever));
    assert!(block_on(store.touch("k", Lifetime::In(ms(7)))).unwrap());
    assert!(block_on(store.touch("k", Lifetime::Keep)).unwrap());
    assert_eq!(ttl(), Some(Remaining::Expires(ms(7))));
}

#[test]
fn keeping_the_lifetime_of_an_expired_key_creates_one_that_never_expires() {
    let (builder, clock) = manual();
    let store = builder.build();
    put(&store, "k", "v", living(10));
    clock.advance(ms(10));
    put(&store, "k", "w", Write::ALWAYS.lifetime(Lifetime::Keep));
    assert_eq!(block_on(store.ttl("k")).unwrap(), Some(Remaining::Forever));
}

#[test]
fn an_increment_sets_a_lifetime_only_when_it_creates_the_key() {
    let (builder, clock) = manual();
    let store = builder.build();
    let increment = |lifetime| block_on(store.increment("n", 1, lifetime)).unwrap();
    assert_eq!(increment(Lifetime::In(ms(10))), 1);
    clock.advance(ms(9));
    assert_eq!(increment(Lifetime::In(ms(10))), 2);
    clock.advance(ms(1));
    assert_eq!(increment(Lifetime::Never), 1);
    assert_eq!(block_on(store.ttl("n")).unwrap(), Some(Remaining::Forever));
}

#[test]
fn a_zero_lifetime_is_refused_and_changes_nothing() {
    let (builder, _clock) = manual();
    let store = builder.build();
    put(&store, "k", "1", Write::ALWAYS);
    let zero = Lifetime::In(Duration::ZERO);
    block_on(async {
        let set = store.set("k", "2".into(), Write::ALWAYS.lifetime(zero)).await;
        assert_eq!(set.unwrap_err().kind(), ErrorKind::InvalidTtl);
        assert_eq!(store.touch("k", zero).await.unwrap_err().kind(), ErrorKind::InvalidTtl);
        let increment = store.increment("k", 1, zero).await;
        assert_eq!(increment.unwrap_err().kind(), ErrorKind::InvalidTtl);
    });
    assert_eq!(value(&store, "k").as_deref(), Some("1"));
}

#[test]
fn a_huge_lifetime_is_clamped_however_late_the_clock_is() {
    let (builder, clock) = manual();
    let store = builder.build();
    clock.advance(MAX_LIFETIME);
    put(&store, "k", "v", Write::ALWAYS.lifetime(Lifetime::In(Duration::MAX)));
    assert_eq!(block_on(store.ttl("k")).unwrap(), Some(Remaining::Expires(MAX_LIFETIME)));
    clock.advance(ms(1));
    assert_eq!(value(&store, "k").as_deref(), Some("v"));
}

#[test]
fn a_part_of_a_millisecond_is_rounded_up() {
    let (builder, clock) = manual();
    let store = builder.build();
    put(&store, "k", "v", Write::ALWAYS.lifetime(Lifetime::In(Duration::from_nanos(1))));
    clock.advance(Duration::from_micros(999));
    assert_eq!(block_on(store.ttl("k")).unwrap(), Some(Remaining::Expires(ms(1))));
    clock.advance(Duration::from_micros(1));
    assert_eq!(value(&store, "k"), None);
}

#[test]
fn reading_an_expired_key_frees_it() {
    let (builder, clock) = manual();
    let store = builder.build();
    put(&store, "k", "v", living(10));
    clock.advance(ms(10));
    assert_eq!((stats(&store).keys, stats(&store).bytes), (Some(1), Some(2)));
    assert_eq!(value(&store, "k"), None);
    let after = stats(&store);
    assert_eq!((after.keys, after.expired, after.bytes), (Some(0), Some(1), Some(0)));
}

#[test]
fn a_sweep_frees_what_has_expired_and_nothing_else() {
    let (builder, clock) = manual();
    let store = builder.build();
    for n in 0..2_000 {
        put(&store, &format!("soon:{n}"), "v", living(10));
        put(&store, &format!("late:{n}"), "v", living(11));
        put(&store, &format!("never:{n}"), "v", Write::ALWAYS);
    }
    clock.advance(ms(10));
    assert_eq!((store.sweep(), store.sweep()), (2_000, 0));
    clock.advance(ms(1));
    assert_eq!(store.sweep(), 2_000);
    assert_eq!((stats(&store).keys, stats(&store).expired), (Some(2_000), Some(4_000)));
}

#[test]
fn a_sweep_goes_by_the_last_lifetime_that_a_key_was_given() {
    let (builder, clock) = manual();
    let store = builder.build();
    for key in ["longer", "forever", "deleted", "shorter"] {
        put(&store, key, "v", living(10));
    }
    put(&store, "longer", "v", living(20));
    block_on(store.touch("forever", Lifetime::Never)).unwrap();
    block_on(store.delete("deleted", Condition::Always)).unwrap();
    block_on(store.touch("shorter", Lifetime::In(ms(5)))).unwrap();
    clock.advance(ms(5));
    assert_eq!(store.sweep(), 1);
    clock.advance(ms(5));
    assert_eq!(store.sweep(), 0);
    assert!(value(&store, "longer").is_some() && value(&store, "forever").is_some());
}
