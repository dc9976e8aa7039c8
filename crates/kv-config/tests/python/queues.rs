//! Queues of each language on one server: what is Rust's stands in no reader's way, and what Python
//! left is brought over.

use std::time::Duration;

use kv_core::{Error, Expiry};
use kv_queue::python::{self, Mode};
use kv_queue::{Job, Queue};
use serde_json::{Value, json};

use crate::service::{Both, both};

/// A queue with a job in every state, a counter and a value.
async fn everything_of_rust(both: &Both) -> Queue<u32> {
    let queue = Queue::<u32>::builder("fetch:run").partitions(3).max_failures(1);
    let queue = queue.open(&both.rust).await.unwrap();
    queue.enqueue_many([1, 2, 3, 4]).await.unwrap();
    queue.enqueue(Job::new(5).delay(Duration::from_secs(600)).unique("five")).await.unwrap();
    let taken = queue.dequeue(2).await.unwrap();
    taken[0].fail("a dead letter").await.unwrap();
    both.rust.namespace("pages").increment("hits", 1, Expiry::Never).await.unwrap();
    both.rust.set("value", &1).await.unwrap();
    queue
}

#[tokio::test]
async fn no_reader_of_pythons_runs_into_what_is_rusts() {
    for serializer in ["json", "pickle"] {
        let mut both = both(&[("SERIALIZER", serializer)]).await;
        let queue = everything_of_rust(&both).await;
        for start in ["0", "9", "A", "Z", "_", "a", "fetch:run:items:", "value", "z", "{", "~", "ä"]
        {
            let found = both.python.ask(&format!("await store.range_get({start:?})"));
            let expected = if start <= "value" { "[('value', 1)]" } else { "[]" };
            assert_eq!(found, expected, "{start}");
        }
        for (expression, expected) in [
            ("await original.StateManagementManager(store).get_failed_items()", "[]"),
            ("await store.range_get('!', '!kv:')", "[]"),
            ("await store.get_keys_by_pattern('[^!]*')", "['value']"),
        ] {
            assert_eq!(both.python.ask(expression), expected, "{serializer}");
        }
        for name in ["2024", "Fetch", "fetch:run", "zz"] {
            let old = format!("original.KVStoreQueue(store, {name:?}, original.JSONSerializer())");
            let steps = format!("[q := {old}, await q.enqueue([1]), await q.dequeue(2)][1:]");
            assert_eq!(both.python.ask(&steps), "[1, [1]]", "{name}");
        }
        assert_eq!(queue.stats().await.unwrap().outstanding(), 4);
    }
}

/// Told in the guide: what does meet Rust's keys, and what is destroyed.
#[tokio::test]
async fn what_reads_all_keys_or_empties_the_database_is_told_in_the_guide() {
    let mut both = both(&[]).await;
    let queue = everything_of_rust(&both).await;
    for wide in ["store.range_get('')", "store.range_get('!')", "store.range_get('a', prefix='')"] {
        let error = both.python.fails(&format!("await {wide}"));
        assert!(error.contains("WRONGTYPE"), "{wide}: {error}");
    }
    let names = both.python.ask("sorted(await store.get_keys_by_pattern('!*'))");
    assert!(
        names.contains("'!kv:counter:pages:hits'") || names.contains("'!kv:counter:pageshits'")
    );
    assert!(names.contains("'!kv:{!kv:queue:fetch:run}:queue'"), "{names}");
    // A prefix without a colon leaves the colon to the names, which sorts behind digits.
    both.python.ask("setattr(store, '_key_prefix', 'data_fetcher')");
    assert!(both.python.fails("await store.range_get('2024:items:')").contains("WRONGTYPE"));
    assert_eq!(both.python.ask("await store.range_get('fetch:')"), "[]");
    both.python.ask("await store.flush_db()");
    assert_eq!(both.server.cli(&["DBSIZE"]).unwrap(), kv_testbed::Reply::Integer(0));
    assert_eq!(queue.stats().await.unwrap().outstanding(), 0);
}

/// A queue of the original with these items, each an expression.
fn enqueue(both: &mut Both, name: &str, items: &str) {
    let queue = format!("original.KVStoreQueue(store, {name:?}, original.JSONSerializer())");
    both.python.ask(&format!("await {queue}.enqueue({items})"));
}

async fn new_queue(both: &Both, name: &str) -> Queue<Value> {
    Queue::open(&both.rust, name).await.unwrap()
}

#[tokio::test]
async fn jobs_of_pythons_queue_come_over_in_their_order_whatever_the_serializer() {
    for serializer in ["json", "pickle"] {
        let mut both = both(&[("SERIALIZER", serializer)]).await;
        enqueue(&mut both, "fetch:run", "[{'url': f'https://a.example/ä{n}'} for n in range(300)]");
        enqueue(&mut both, "fetch:run:items", "['of another']");
        enqueue(&mut both, "fetch", "['of a third', datetime(2024, 2, 29), b'x']");
        let found = python::queues(&both.rust).await.unwrap();
        let expected = [("fetch", 3), ("fetch:run", 300), ("fetch:run:items", 1)];
        assert_eq!(found.iter().map(|(name, n)| (&**name, *n)).collect::<Vec<_>>(), expected);

        let queue = new_queue(&both, "fetch:run").await;
        let before = both.rust.keys("*").await.unwrap();
        let tried = python::import(&both.rust, "fetch:run", &queue, Mode::DryRun).await.unwrap();
        assert_eq!((tried.added, tried.missing, tried.refused), (300, 0, 0));
        assert_eq!((both.rust.keys("*").await.unwrap(), queue.size().await.unwrap()), (before, 0));

        let moved = python::import(&both.rust, " fetch:run ", &queue, Mode::Move).await.unwrap();
        assert_eq!((moved.added, moved.repeated, moved.missing, moved.refused), (300, 0, 0, 0));
        let jobs = queue.peek(300).await.unwrap();
        let url = |n| json!({"url": format!("https://a.example/ä{n}")});
        assert_eq!(jobs, (0..300).map(url).collect::<Vec<_>>());
        assert_eq!(python::queues(&both.rust).await.unwrap().len(), 2);
        assert_eq!(both.rust.get("fetch:run:size").await.unwrap(), Some(0));

        let texts = new_queue(&both, "fetch").await;
        python::import(&both.rust, "fetch", &texts, Mode::Move).await.unwrap();
        let expected = [json!("of a third"), json!("2024-02-29 00:00:00"), json!("b'x'")];
        assert_eq!(texts.peek(9).await.unwrap(), expected);
    }
}

#[tokio::test]
async fn an_import_that_was_cut_short_is_repeated_and_adds_nothing_twice() {
    let mut both = both(&[]).await;
    enqueue(&mut both, "fetch", "range(5)");
    let items = "[await client.get(full(f'fetch:items:{n}')) for n in range(5)]";
    let kept = both.python.ask(items);
    let queue = new_queue(&both, "fetch").await;
    python::import(&both.rust, "fetch", &queue, Mode::Move).await.unwrap();
    // As if it had ended before it removed the last three: the counter of batches stands before them.
    both.python.ask(&format!(
        "[await client.set(full(f'fetch:items:{{n}}'), {kept}[n]) for n in range(2, 5)]"
    ));
    both.rust.increment("import:fetch", -1, Expiry::Never).await.unwrap();
    // The jobs may be done by then.
    for delivery in queue.dequeue(5).await.unwrap() {
        delivery.ack().await.unwrap();
    }
    let again = python::import(&both.rust, "fetch", &queue, Mode::Move).await.unwrap();
    assert_eq!((again.added, again.repeated), (0, 3));
    assert_eq!(queue.size().await.unwrap(), 0);
    assert!(python::queues(&both.rust).await.unwrap().is_empty());
}

/// Python numbers from 0 again once its queue is empty and it starts anew.
#[tokio::test]
async fn the_same_job_under_the_same_number_is_another_one_after_an_import() {
    let mut both = both(&[]).await;
    let queue = new_queue(&both, "fetch").await;
    for round in 1..=3_u64 {
        enqueue(&mut both, "fetch", "['again']");
        assert!(both.rust.exists("fetch:items:0").await.unwrap(), "{round}");
        let imported = python::import(&both.rust, "fetch", &queue, Mode::Move).await.unwrap();
        assert_eq!((imported.added, imported.repeated), (1, 0));
        assert_eq!(queue.size().await.unwrap(), round);
        let old = "original.KVStoreQueue(store, 'fetch', original.JSONSerializer())";
        assert_eq!(both.python.ask(&format!("await {old}.size()")), "0");
    }
}

#[tokio::test]
async fn what_cannot_be_read_stays_and_is_told_and_gaps_are_counted() {
    let mut both = both(&[]).await;
    enqueue(&mut both, "fetch", "[1, nan, 3, 4, 5]");
    both.python.ask("await store.delete('fetch:items:3')");
    both.python.ask("await store.put('fetch:items:5', {'no': 'text'})");
    both.python.ask("await client.rpush(full('fetch:items:6'), 1)");
    both.python.ask("await store.put('fetch:items:007', '1')");
    let queue = new_queue(&both, "fetch").await;
    let imported = python::import(&both.rust, "fetch", &queue, Mode::Move).await.unwrap();
    assert_eq!((imported.added, imported.missing, imported.refused), (3, 1, 3));
    let keys: Vec<_> = imported.reasons.iter().map(|(key, _)| key.as_str()).collect();
    assert_eq!(keys, ["fetch:items:1", "fetch:items:5", "fetch:items:6"]);
    assert_eq!(queue.peek(9).await.unwrap(), [json!(1), json!(3), json!(5)]);
    assert_eq!(python::queues(&both.rust).await.unwrap()["fetch"], 3);
    assert_eq!(both.rust.get("fetch:size").await.unwrap(), Some(3));
}

#[tokio::test]
async fn a_blank_name_is_refused_by_both() {
    let mut both = both(&[]).await;
    let queue = new_queue(&both, "fetch").await;
    for name in ["", " ", "\t\n"] {
        let opened = Queue::<u32>::open(&both.rust, name).await.map(drop).unwrap_err();
        let imported = python::import(&both.rust, name, &queue, Mode::Move).await.unwrap_err();
        let kind = |error: &Error| error.kind();
        assert_eq!(kind(&opened), kv_core::ErrorKind::InvalidKey);
        assert_eq!(kind(&imported), kv_core::ErrorKind::InvalidKey);
        assert!(opened.to_string().contains("a queue name that is blank; expected a name"));
        let old = format!("original.KVStoreQueue(store, {name:?}, original.JSONSerializer())");
        assert!(both.python.fails(&old).contains("blank"));
    }
    let stripped = "original.KVStoreQueue(store, ' fetch ', original.JSONSerializer())._ns";
    assert_eq!(both.python.ask(stripped), "'fetch'");
}
