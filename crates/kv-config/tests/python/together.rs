//! A process of each language at work on the same keys at the same time.

use std::time::Duration;

use kv_core::{Expiry, Store};
use serde::{Deserialize, Serialize};

use crate::service::{Both, both};

const TIMES: u32 = 300;
const MINUTE: Duration = Duration::from_secs(60);

/// Runs an expression in Python and work in Rust at once; what each comes to.
async fn at_once<T: Send + 'static>(
    both: &mut Both,
    python: &str,
    rust: impl Future<Output = T> + Send + 'static,
) -> (String, T) {
    let rust = tokio::spawn(rust);
    let answer = tokio::task::block_in_place(|| both.python.ask(python));
    (answer, rust.await.unwrap())
}

async fn add(store: Store) {
    for _ in 0..TIMES {
        // A conflict that lasts is told; another try is the caller's to make.
        while store.update("sum", |sum: Option<u32>| Some(sum.unwrap_or(0) + 1)).await.is_err() {}
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn no_addition_is_lost_where_both_write_only_over_what_they_saw() {
    for serializer in ["json", "pickle"] {
        let mut both = both(&[("SERIALIZER", serializer)]).await;
        let work = add(both.rust.clone());
        at_once(&mut both, &format!("await work.add(store, client, 'sum', {TIMES})"), work).await;
        assert_eq!(both.rust.get("sum").await.unwrap(), Some(2 * TIMES), "{serializer}");
        assert_eq!(both.python.ask("await store.get('sum')"), (2 * TIMES).to_string());
    }
}

async fn claim(store: Store) -> u32 {
    let mut won = 0;
    for number in 0..TIMES {
        let key = format!("claim:{number}");
        won += u32::from(store.set_if_absent(&key, "rust", MINUTE).await.unwrap());
    }
    won
}

#[tokio::test(flavor = "multi_thread")]
async fn each_claim_has_exactly_one_winner() {
    let mut both = both(&[]).await;
    let work = claim(both.rust.clone());
    // From the other end, so that the two meet.
    let keys = format!("[f'claim:{{number}}' for number in reversed(range({TIMES}))]");
    let (python, rust) =
        at_once(&mut both, &format!("await work.claim(store, client, {keys})"), work).await;
    println!("{python} to Python, {rust} to Rust");
    assert_eq!(python.parse::<u32>().unwrap() + rust, TIMES);
    let mut rusts = 0;
    for number in 0..TIMES {
        let owner: String = both.rust.get(&format!("claim:{number}")).await.unwrap().unwrap();
        rusts += u32::from(owner == "rust");
    }
    assert_eq!(rusts, rust);
}

#[tokio::test(flavor = "multi_thread")]
async fn both_count_in_one_counter() {
    let mut both = both(&[]).await;
    let store = both.rust.clone();
    let work = async move {
        for _ in 0..TIMES {
            store.increment("hits", 1, Expiry::Never).await.unwrap();
        }
    };
    at_once(&mut both, &format!("await work.count(store, client, 'hits', {TIMES})"), work).await;
    assert_eq!(both.rust.counter("hits").await.unwrap(), Some(i64::from(2 * TIMES)));
}

#[derive(Serialize, Deserialize)]
struct Note {
    by: String,
    items: Vec<u32>,
}

/// Writes over others' values and reads them; how many were not whole.
async fn scribble(store: Store) -> usize {
    let mut torn = 0;
    for number in 0..TIMES {
        for key in ["a", "b", "c"] {
            let note = Note { by: "rust".into(), items: vec![number; number as usize % 50] };
            store.set(key, &note).await.unwrap();
            let found: Note = store.get(key).await.unwrap().unwrap();
            torn += usize::from(found.items.iter().any(|item| *item != found.items[0]));
        }
    }
    torn
}

#[tokio::test(flavor = "multi_thread")]
async fn every_value_is_read_whole_whoever_wrote_it() {
    for serializer in ["json", "pickle"] {
        let mut both = both(&[("SERIALIZER", serializer)]).await;
        let work = scribble(both.rust.clone());
        let expression = format!("await work.scribble(store, ['a', 'b', 'c'], {TIMES})");
        let torn = at_once(&mut both, &expression, work).await;
        assert_eq!(torn, ("0".to_owned(), 0), "{serializer}");
    }
}
