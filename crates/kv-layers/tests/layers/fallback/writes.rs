//! What becomes of writes around an outage: what a program sees, and what never happens.

use kv_core::{
    Command, Condition, Effect, Error, ErrorKind, KeyValueStore, Lifetime, Reply, Store, Write,
};
use kv_testkit::{Fault, Method};

use super::Rig;
use crate::support::{OneByOne, break_down, put, set, value};

#[tokio::test]
async fn a_write_that_may_have_been_applied_goes_to_the_caller_and_not_to_the_spare_store() {
    let rig = Rig::new(1);
    rig.primary.inject(Fault::every(Method::Set, ErrorKind::Timeout).reply_lost());
    let error = put(&*rig.store, "k", "v").await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Timeout, Effect::MaybeApplied));
    assert!(rig.store.is_on_fallback(), "it counts all the same");
    assert_eq!(value(&*rig.store, "k").await, None, "the spare store did not get it");
    put(&*rig.store, "k", "again").await.unwrap();
    assert_eq!(value(&*rig.store, "k").await.as_deref(), Some("again"), "as the caller decided");
}

#[tokio::test]
async fn what_an_outage_left_behind_is_gone_with_it_also_for_the_next() {
    let rig = Rig::new(1);
    for (key, kept) in [("changed", "old"), ("deleted", "old")] {
        put(&*rig.store, key, kept).await.unwrap();
    }
    rig.begin_outage().await;
    assert_eq!(value(&*rig.store, "changed").await, None, "the spare store begins empty");
    assert!(!rig.store.delete("deleted", Condition::Always).await.unwrap());
    put(&*rig.store, "changed", "new").await.unwrap();
    put(&*rig.store, "added", "new").await.unwrap();

    rig.end_outage().await;
    assert_eq!(value(&*rig.store, "changed").await.as_deref(), Some("old"));
    assert_eq!(value(&*rig.store, "deleted").await.as_deref(), Some("old"), "it is there again");
    assert_eq!(value(&*rig.store, "added").await, None);
    rig.begin_outage().await;
    assert_eq!(value(&*rig.store, "changed").await, None, "nothing older comes to light");
}

#[tokio::test]
async fn what_must_be_atomic_is_refused_before_an_outage_as_in_it() {
    let rig = Rig::new(1);
    let store = Store::new(rig.store.clone());
    for _ in 0..2 {
        let refused: [Error; 4] = [
            store.set_if_absent("lock", &1, kv_core::Expiry::Never).await.unwrap_err(),
            store.increment("n", 1, kv_core::Expiry::Never).await.unwrap_err(),
            store.update::<i32>("k", |old| old).await.unwrap_err(),
            store.take::<i32>("k").await.unwrap_err(),
        ];
        for error in refused {
            assert_eq!(error.kind(), ErrorKind::Unsupported, "{error}");
        }
        rig.begin_outage().await;
    }
}

#[tokio::test]
async fn a_cache_works_through_an_outage() {
    let rig = Rig::away().await;
    let store = Store::new(rig.store.clone());
    let hour = std::time::Duration::from_secs(3_600);
    for loaded in [1, 2] {
        let load = || async move { Ok::<i32, Error>(loaded) };
        assert_eq!(store.get_or_set_with("config", hour, load).await.unwrap(), 1);
    }
}

/// Commands that may run on either store, with some between them that may not.
fn mixed() -> Vec<Command> {
    let key = || "k".to_owned();
    let absent = Write::ALWAYS.condition(Condition::Absent);
    vec![
        set("k", "1"),
        Command::Increment { key: key(), by: 1, lifetime: Lifetime::Never },
        Command::Set { key: key(), value: "2".into(), write: absent },
        Command::Exists { key: key() },
        Command::Take { key: key() },
        Command::Delete { key: key(), condition: Condition::Present },
    ]
}

#[tokio::test]
async fn a_batch_is_served_but_for_what_must_be_atomic() {
    let rig = Rig::new(1);
    for _ in 0..2 {
        let replies = rig.store.execute(mixed()).await.unwrap();
        let kinds: Vec<_> =
            replies.iter().map(|reply| reply.as_ref().err().map(Error::kind)).collect();
        let no = Some(ErrorKind::Unsupported);
        assert_eq!(kinds, [None, no, no, None, no, no]);
        assert!(matches!(replies[3], Ok(Reply::Flag(true))));
        break_down(&rig.primary, ErrorKind::Connection);
    }
    assert!(rig.store.is_on_fallback());
}

#[tokio::test]
async fn a_batch_of_which_each_command_found_the_store_away_is_served_by_the_spare_store() {
    let rig = Rig::new(1);
    let one_by_one = OneByOne(rig.primary.clone());
    let store = kv_layers::Fallback::to(kv_memory::MemoryStore::new).failures(1).on(one_by_one);
    let store = store.unwrap();
    break_down(&rig.primary, ErrorKind::Connection);
    let replies = store.execute(vec![set("a", "1"), set("b", "2")]).await.unwrap();
    assert!(replies.iter().all(Result::is_ok) && store.is_on_fallback());
    assert_eq!(value(&store, "b").await.as_deref(), Some("2"));
}

#[tokio::test]
async fn a_batch_that_may_have_been_applied_in_part_goes_to_the_caller() {
    let rig = Rig::new(1);
    let one_by_one = OneByOne(rig.primary.clone());
    let store = kv_layers::Fallback::to(kv_memory::MemoryStore::new).failures(1).on(one_by_one);
    let store = store.unwrap();
    rig.primary.inject(Fault::nth(Method::Set, 1, ErrorKind::Connection));
    rig.primary.inject(Fault::nth(Method::Set, 2, ErrorKind::Connection).reply_lost());
    let error = store.execute(vec![set("a", "1"), set("b", "2")]).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Connection, Effect::MaybeApplied));
    assert!(store.is_on_fallback());
    assert_eq!(value(&store, "a").await, None);
}
