//! Every verb of a store, and short ways to the longer ones.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use kv_core::{
    Bytes, Command, Condition, Cursor, KeyValueStore, Lifetime, Pattern, Result, ScanRequest,
    Version, Write,
};
use kv_redis::RedisStore;

pub(crate) fn version(value: &'static str) -> Condition {
    Condition::Version(Version::of_value(value.into()))
}

pub(crate) type Call<'a> = Pin<Box<dyn Future<Output = Result<()>> + Send + 'a>>;

fn call<'a, T>(verb: impl Future<Output = Result<T>> + Send + 'a) -> Call<'a> {
    Box::pin(async move { verb.await.map(drop) })
}

const LIVES: Lifetime = Lifetime::In(Duration::from_secs(600));

/// Every verb that only reads.
pub(crate) fn reads(store: &RedisStore) -> Vec<(&'static str, Call<'_>)> {
    vec![
        ("get", call(store.get("k"))),
        ("get_many", call(store.get_many(&["k", "l"]))),
        ("exists", call(store.exists("k"))),
        ("ttl", call(store.ttl("k"))),
        ("touch keep", call(store.touch("k", Lifetime::Keep))),
        ("scan", call(scan(store, "*", None))),
        ("now", call(store.now())),
        ("ping", call(store.ping())),
        ("stats", call(store.stats())),
        ("execute get", call(execute(store, vec![Command::Get { key: "k".into() }]))),
    ]
}

/// Every verb that writes, each way it can take.
pub(crate) fn writes(store: &RedisStore) -> Vec<(&'static str, Call<'_>)> {
    let set = |write: Write| call(store.set("k", "v".into(), write));
    let pairs = || vec![("k".to_owned(), Bytes::from("v")), ("l".to_owned(), Bytes::from("w"))];
    vec![
        ("set", set(Write::ALWAYS)),
        ("set lifetime", set(Write::ALWAYS.lifetime(LIVES))),
        ("set absent", set(Write::ALWAYS.condition(Condition::Absent))),
        ("set version", set(Write::ALWAYS.condition(version("v")))),
        ("delete", call(store.delete("k", Condition::Always))),
        ("delete version", call(store.delete("k", version("v")))),
        ("touch", call(store.touch("k", LIVES))),
        ("touch never", call(store.touch("k", Lifetime::Never))),
        ("take", call(store.take("k"))),
        ("increment", call(store.increment("n", 1, Lifetime::Never))),
        ("increment lifetime", call(store.increment("n", 1, LIVES))),
        ("set_many", call(store.set_many(pairs(), Lifetime::Never))),
        ("set_many lifetime", call(store.set_many(pairs(), LIVES))),
        ("delete_many", call(store.delete_many(&["k", "l"]))),
        ("execute increment", call(execute(store, vec![increment("n"), increment("n")]))),
    ]
}

pub(crate) fn increment(key: &str) -> Command {
    Command::Increment { key: key.into(), by: 1, lifetime: Lifetime::Never }
}

/// A batch, whose first error counts as its own.
pub(crate) async fn execute(store: &RedisStore, commands: Vec<Command>) -> Result<()> {
    store.execute(commands).await?.into_iter().try_for_each(|reply| reply.map(drop))
}

pub(crate) async fn scan(
    store: &RedisStore,
    pattern: &str,
    cursor: Option<&Cursor>,
) -> Result<kv_core::ScanPage> {
    let pattern = Pattern::new(pattern)?;
    store.scan(ScanRequest { pattern: &pattern, cursor, limit: 100 }).await
}

/// All keys that match, sorted.
pub(crate) async fn walk(store: &RedisStore, pattern: &Pattern) -> Vec<String> {
    let (mut keys, mut cursor) = (Vec::new(), None);
    loop {
        let request = ScanRequest { pattern, cursor: cursor.as_ref(), limit: 1_000 };
        let page = store.scan(request).await.unwrap();
        keys.extend(page.keys);
        cursor = page.next;
        if cursor.is_none() {
            keys.sort();
            keys.dedup();
            return keys;
        }
    }
}
