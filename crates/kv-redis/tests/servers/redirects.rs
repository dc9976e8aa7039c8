//! Slots that moved, and slots that are on their way: no caller notices.

use std::sync::atomic::{AtomicBool, Ordering};

use futures_util::future::join_all;
use kv_core::queue::{Inspect, Inspected};
use kv_core::{Command, KeyValueStore, Lifetime, Reply, Write};
use kv_redis::RedisStore;
use kv_testbed::{RedisCluster, slot_of};
use tokio::time::timeout;

use crate::calls::{increment, reads, writes};
use crate::support::{
    PATIENCE, config, connect, expect_all, fill, jobs, move_on, names, next_to, opened, partition,
    partition_slot, refs, refusals, three, until_refused,
};

/// The keys of all verbs.
const KEYS: [&str; 3] = ["k", "l", "n"];

async fn on_three() -> (RedisCluster, RedisStore) {
    let cluster = three();
    let store = connect(config(&cluster)).await;
    (cluster, store)
}

/// A store that has heard of no move: these slots moved since it looked, and it does not look again
/// before it is sent on. One that was sent on before may look at any moment, and be spared.
async fn behind<K: AsRef<str>>(cluster: &RedisCluster, moving: &[K]) -> RedisStore {
    let store = connect(config(cluster)).await;
    move_on(cluster, moving);
    store
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_notices_that_a_slot_moved() {
    let (cluster, store) = on_three().await;
    let all = reads(&store).len() + writes(&store).len();
    let mut sent_on = 0;
    for at in 0..all {
        let store = behind(&cluster, &KEYS).await;
        let (name, call) = reads(&store).into_iter().chain(writes(&store)).nth(at).unwrap();
        let before = refusals(cluster.nodes(), "MOVED");
        call.await.expect(name);
        sent_on += usize::from(refusals(cluster.nodes(), "MOVED") > before);
    }
    // All but those that are of no key.
    assert!(sent_on + 4 >= all, "{sent_on} of {all} were sent on");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_keys_are_answered_in_order_wherever_their_slots_went() {
    let (cluster, store) = on_three().await;
    let names = names(200);
    let moving = &names[..20];
    let moved = || refusals(cluster.nodes(), "MOVED");
    fill(&store, &names).await;
    expect_all(&store, &names).await;
    let before = moved();
    fill(&behind(&cluster, moving).await, &names).await;
    let written = moved();
    assert!(written > before, "set_many was not sent on");
    expect_all(&behind(&cluster, moving).await, &names).await;
    let read = moved();
    assert!(read > written, "get_many was not sent on");
    let batch = names.iter().map(|name| Command::Get { key: name.clone() }).collect();
    let replies = behind(&cluster, moving).await.execute(batch).await.unwrap();
    for (reply, name) in replies.into_iter().zip(&names) {
        let entry = matches!(reply, Ok(Reply::Entry(Some(entry))) if entry.value == *name);
        assert!(entry, "{name}");
    }
    let executed = moved();
    assert!(executed > read, "execute was not sent on");
    let store = behind(&cluster, moving).await;
    assert_eq!(store.delete_many(&refs(&names)).await.unwrap(), 200);
    assert!(moved() > executed, "delete_many was not sent on");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_verb_notices_that_a_slot_is_on_its_way() {
    let (cluster, store) = on_three().await;
    store.set("k", "v".into(), Write::ALWAYS).await.unwrap();
    let begin = |key| cluster.begin_move(slot_of(key), next_to(&cluster, key)).unwrap();
    let mut migrations = KEYS.map(begin);
    for is_moved in [false, true] {
        for (name, call) in reads(&store).into_iter().chain(writes(&store)) {
            call.await.expect(name);
            if is_moved {
                migrations.iter_mut().zip(KEYS).for_each(|(it, key)| it.move_keys(&[key]).unwrap());
            }
        }
    }
    let asked = refusals(cluster.nodes(), "ASK");
    assert!(asked > 10, "{asked} were sent on");
    assert_eq!(refusals(cluster.nodes(), "TRYAGAIN"), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_several_keys_of_a_slot_on_its_way_goes_on_once_it_has_moved() {
    let (cluster, store) = on_three().await;
    let engine = opened(&store).await;
    engine.submit(&partition(), jobs(1)).await.unwrap();
    let tagged = ["{k}:1".to_owned(), "{k}:2".to_owned(), "{k}:3".to_owned()];
    fill(&store, &tagged).await;
    let target = next_to(&cluster, "k");
    let mut migration = cluster.begin_move(slot_of("k"), target).unwrap();
    migration.move_keys(&tagged[..1]).unwrap();
    let queue = (partition_slot(), "{!kv:queue:fetch:0}");
    let queues = cluster.begin_move(queue.0, next_to(&cluster, queue.1)).unwrap();
    let (reader, keys) = (store.clone(), tagged.clone());
    let read = tokio::spawn(async move { expect_all(&reader, &keys).await });
    let submit = tokio::spawn(async move { engine.submit(&partition(), jobs(2)).await });
    // More often than a request may be sent on.
    until_refused(cluster.nodes(), "TRYAGAIN", 60);
    assert!(!read.is_finished() && !submit.is_finished());
    migration.finish().unwrap();
    queues.finish().unwrap();
    timeout(PATIENCE, read).await.unwrap().unwrap();
    timeout(PATIENCE, submit).await.unwrap().unwrap().unwrap();
    let counts = opened(&store).await.inspect(&partition(), Inspect::Counts).await.unwrap();
    assert!(matches!(counts, Inspected::Counts(counts) if counts.ready == 3), "{counts:?}");
    assert_eq!(store.delete_many(&refs(&tagged)).await.unwrap(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_move_that_is_cancelled_is_not_noticed() {
    let (cluster, store) = on_three().await;
    let tagged = ["{k}:1".to_owned(), "{k}:2".to_owned()];
    fill(&store, &tagged).await;
    let migration = cluster.begin_move(slot_of("k"), next_to(&cluster, "k")).unwrap();
    let reader = store.clone();
    let missing = ["{k}:1", "{k}:none"];
    let read = tokio::spawn(async move { reader.get_many(&missing).await });
    until_refused(cluster.nodes(), "TRYAGAIN", 2);
    migration.cancel().unwrap();
    let read = timeout(PATIENCE, read).await.unwrap().unwrap().unwrap();
    assert!(read[0].is_some() && read[1].is_none(), "{read:?}");
    expect_all(&store, &tagged).await;
    store.set("{k}:none", "v".into(), Write::ALWAYS).await.unwrap();
}

/// A batch on one key whose replies show in which order it was executed.
fn in_order(key: &str, round: usize) -> Vec<Command> {
    let get = || Command::Get { key: key.into() };
    let value = round.to_string();
    let set = Command::Set { key: key.into(), value: value.into(), write: Write::ALWAYS };
    vec![set, get(), increment(key), get(), increment(key), increment(key), get()]
}

fn expect_in_order(replies: Vec<kv_core::Result<Reply>>, round: usize) {
    let seen = replies.into_iter().map(|reply| match reply.unwrap() {
        Reply::Entry(Some(entry)) => String::from_utf8(entry.value.to_vec()).unwrap(),
        Reply::Number(number) => number.to_string(),
        other => format!("{other:?}").chars().take(7).collect(),
    });
    let expected = [1, 1, 2, 3, 3].map(|more| (round + more).to_string());
    let expected = ["Outcome".to_owned(), round.to_string()].into_iter().chain(expected);
    assert_eq!(seen.collect::<Vec<_>>(), expected.collect::<Vec<_>>());
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_batch_does_to_a_key_keeps_its_order_while_the_slot_moves_to_and_fro() {
    let (cluster, store) = on_three().await;
    let stop = AtomicBool::new(false);
    let sent_on = || ["MOVED", "ASK"].map(|code| refusals(cluster.nodes(), code));
    let is_enough = || sent_on().iter().all(|times| *times > 10);
    let moves = || {
        while !stop.load(Ordering::SeqCst) {
            move_on(&cluster, &KEYS);
        }
    };
    std::thread::scope(|scope| {
        let moving = scope.spawn(moves);
        let batches = async {
            for round in (0..).map(|round| round * 10) {
                if round % 1_000 == 0 && round >= 6_000 && is_enough() {
                    break;
                }
                let batch = KEYS.iter().flat_map(|key| in_order(key, round)).collect();
                let mut replies = store.execute(batch).await.unwrap();
                while !replies.is_empty() {
                    expect_in_order(replies.drain(..7).collect(), round);
                }
            }
        };
        let done = tokio::task::block_in_place(|| {
            let runtime = tokio::runtime::Handle::current();
            runtime.block_on(timeout(PATIENCE * 2, batches))
        });
        stop.store(true, Ordering::SeqCst);
        moving.join().unwrap();
        done.unwrap_or_else(|_| panic!("{:?} were sent on", sent_on()));
    });
    store.increment("n", 1, Lifetime::Never).await.unwrap();
}

/// Calls on all keys at once, of which some have moved and some not.
async fn all_meet(store: &RedisStore, keys: &[String]) {
    let sets = join_all(keys.iter().map(|it| store.set(it, it.clone().into(), Write::ALWAYS)));
    let written = timeout(PATIENCE, sets).await.unwrap();
    assert!(written.iter().all(kv_core::Result::is_ok), "{written:?}");
    let gets = join_all(keys.iter().map(|it| store.get(it)));
    let exist = join_all(keys.iter().map(|it| store.exists(it)));
    let (gets, exist) = timeout(PATIENCE, async { tokio::join!(gets, exist) }).await.unwrap();
    for ((key, get), exists) in keys.iter().zip(gets).zip(exist) {
        assert_eq!(get.unwrap().map(|it| it.value), Some(key.clone().into()));
        assert!(exists.unwrap(), "{key}");
    }
    let none: Vec<String> = keys.iter().map(|key| format!("{key}:none")).collect();
    let gets = timeout(PATIENCE, join_all(none.iter().map(|it| store.get(it)))).await.unwrap();
    assert!(gets.into_iter().all(|get| get.unwrap().is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_that_meet_on_a_cluster_are_answered_each_while_slots_move() {
    let (cluster, store) = on_three().await;
    let keys: Vec<String> =
        (0..100).flat_map(|at| [format!("{{k}}:{at}"), format!("key:{at}")]).collect();
    all_meet(&store, &keys).await;
    let shared = |command: &str| {
        let line = format!("cmdstat_{command}:calls=");
        let stats = cluster.nodes().iter().map(|it| it.cli(&["INFO", "commandstats"]).unwrap());
        stats.filter(|it| it.text().is_some_and(|it| it.contains(&line))).count()
    };
    assert_eq!((shared("mset"), shared("evalsha")), (1, 1), "the keys of one slot");
    let tagged: Vec<&String> = keys.iter().filter(|key| key.starts_with('{')).collect();
    let mut migration = cluster.begin_move(slot_of("k"), next_to(&cluster, "k")).unwrap();
    migration.move_keys(&tagged[..50]).unwrap();
    all_meet(&store, &keys).await;
    migration.move_keys(&tagged[50..]).unwrap();
    all_meet(&store, &keys).await;
    migration.finish().unwrap();
    all_meet(&behind(&cluster, &["k"]).await, &keys).await;
}
