//! What a case asked of its stores, for the text of its failure.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use kv_core::queue::QueueSupport;
use kv_core::{
    Achieved, Bytes, Capabilities, Command, Condition, Durability, Entry, KeyValueStore, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Watcher, Write, async_trait,
};

use crate::show::{Show, bytes, cut, list};

/// How many calls a failure tells of.
const CALLS: usize = 8;
/// How many bytes of each.
const CALL_BYTES: usize = 400;

/// The last calls of a case, on all of its handles.
#[derive(Default)]
pub(crate) struct Log(Mutex<Calls>);

#[derive(Default)]
struct Calls {
    begun: u64,
    last: VecDeque<Call>,
}

struct Call {
    number: u64,
    asked: String,
    answer: Option<String>,
}

impl Log {
    fn calls(&self) -> MutexGuard<'_, Calls> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Something else than a call that happened to the store.
    pub(crate) fn note(&self, what: String) {
        let number = self.begin(what);
        self.end(number, String::new());
    }

    fn begin(&self, asked: String) -> u64 {
        let mut calls = self.calls();
        calls.begun += 1;
        let number = calls.begun;
        if calls.last.len() == CALLS {
            calls.last.pop_front();
        }
        calls.last.push_back(Call { number, asked: cut(asked, CALL_BYTES), answer: None });
        number
    }

    fn end(&self, number: u64, answer: String) {
        if let Some(call) = self.calls().last.iter_mut().find(|call| call.number == number) {
            call.answer = Some(cut(answer, CALL_BYTES));
        }
    }

    /// The last calls, a line each.
    pub(crate) fn tell(&self) -> Option<String> {
        let calls = self.calls();
        let lines = calls.last.iter().map(|call| match call.answer.as_deref() {
            Some("") => format!("\n    {}", call.asked),
            Some(answer) => format!("\n    {} -> {answer}", call.asked),
            None => format!("\n    {} -> not answered", call.asked),
        });
        let lines: String = lines.collect();
        let count = calls.last.len().min(CALLS);
        (count > 0).then(|| format!("  the last {count} of {} steps:{lines}", calls.begun))
    }
}

/// A handle of a store that notes what it is asked and answers.
pub(crate) struct Told {
    store: Arc<dyn KeyValueStore>,
    log: Arc<Log>,
    /// Put before what is asked, where a case has several handles.
    handle: &'static str,
}

impl Told {
    pub(crate) fn around(
        store: Arc<dyn KeyValueStore>,
        log: &Arc<Log>,
        handle: &'static str,
    ) -> Arc<dyn KeyValueStore> {
        Arc::new(Self { store, log: Arc::clone(log), handle })
    }

    async fn call<T: Send>(
        &self,
        asked: String,
        call: impl Future<Output = Result<T>> + Send,
        show: impl Fn(&T) -> String + Send,
    ) -> Result<T> {
        let number = self.log.begin(self.handle.to_owned() + &asked);
        let answer = call.await;
        self.log.end(number, answer.as_ref().map_or_else(Show::show, show));
        answer
    }
}

fn set(name: &str, key: &str, value: &Bytes, write: &Write) -> String {
    let (key, value) = (bytes(key.as_bytes()), value.show());
    let (lifetime, condition) = (write.lifetime.show(), write.condition.show());
    format!("{name} {key} = {value} ({lifetime}, {condition})")
}

fn of(name: &str, key: &str) -> String {
    format!("{name} {}", bytes(key.as_bytes()))
}

fn of_many(name: &str, keys: &[&str]) -> String {
    format!("{name} {}", list(keys, |key| bytes(key.as_bytes())))
}

fn page(page: &ScanPage) -> String {
    let next = page.next.as_ref().map(|cursor| bytes(cursor.as_str().as_bytes()));
    format!("{}, next {}", page.keys.show(), next.unwrap_or_else(|| "none".to_owned()))
}

#[async_trait]
#[deny(clippy::missing_trait_methods)]
impl KeyValueStore for Told {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.call(of("get", key), self.store.get(key), Show::show).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let asked = set("set", key, &value, &write);
        self.call(asked, self.store.set(key, value, write), Show::show).await
    }

    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        let asked = set("set_cached", key, &value, &write);
        self.call(asked, self.store.set_cached(key, value, write), Show::show).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        let asked = format!("{} ({})", of("delete", key), condition.show());
        self.call(asked, self.store.delete(key, condition), Show::show).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.call(of("ttl", key), self.store.ttl(key), Show::show).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let from = request.cursor.map(|cursor| bytes(cursor.as_str().as_bytes()));
        let (pattern, limit) = (bytes(request.pattern.as_str().as_bytes()), request.limit);
        let from = from.unwrap_or_else(|| "the start".to_owned());
        let asked = format!("scan {pattern} from {from}, limit {limit}");
        self.call(asked, self.store.scan(request), page).await
    }

    fn capabilities(&self) -> Capabilities {
        self.store.capabilities()
    }

    fn key_prefix(&self) -> &str {
        self.store.key_prefix()
    }

    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        let number = self.log.begin(self.handle.to_owned() + &of("get_now", key));
        let answer = self.store.get_now(key);
        let shown = answer.as_ref().map_or_else(|| "not at hand".to_owned(), Show::show);
        self.log.end(number, shown);
        answer
    }

    async fn exists(&self, key: &str) -> Result<bool> {
        self.call(of("exists", key), self.store.exists(key), Show::show).await
    }

    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        self.call(of_many("get_many", keys), self.store.get_many(keys), Show::show).await
    }

    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let asked = set("set_durable", key, &value, &write);
        let call = self.store.set_durable(key, value, write, durability);
        self.call(asked, call, |(outcome, achieved)| format!("{}, {achieved:?}", outcome.show()))
            .await
    }

    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        let pair = |(key, value): &(String, Bytes)| format!("{} = {}", key.show(), value.show());
        let asked = format!("set_many {} ({})", list(&entries, pair), lifetime.show());
        self.call(asked, self.store.set_many(entries, lifetime), Show::show).await
    }

    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        self.call(of_many("delete_many", keys), self.store.delete_many(keys), Show::show).await
    }

    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        let asked = format!("{} by {by} ({})", of("increment", key), lifetime.show());
        self.call(asked, self.store.increment(key, by, lifetime), Show::show).await
    }

    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        self.call(of("take", key), self.store.take(key), Show::show).await
    }

    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        let asked = format!("{} ({})", of("touch", key), lifetime.show());
        self.call(asked, self.store.touch(key, lifetime), Show::show).await
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let asked = format!("execute {}", commands.show());
        self.call(asked, self.store.execute(commands), Show::show).await
    }

    async fn now(&self) -> Result<Duration> {
        self.call("now".to_owned(), self.store.now(), Show::show).await
    }

    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.store.watch(prefix, watcher)
    }

    async fn ping(&self) -> Result<()> {
        self.call("ping".to_owned(), self.store.ping(), Show::show).await
    }

    async fn stats(&self) -> Result<Stats> {
        self.call("stats".to_owned(), self.store.stats(), |stats| format!("{stats:?}")).await
    }

    async fn close(&self) -> Result<()> {
        self.call("close".to_owned(), self.store.close(), Show::show).await
    }

    fn queue_engine(&self) -> QueueSupport {
        self.store.queue_engine()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_that_has_not_returned_is_told_as_such() {
        let log = Log::default();
        let first = log.begin(of("get", "a"));
        log.begin(of("get", "b"));
        log.end(first, "none".to_owned());
        let told = log.tell().unwrap();
        assert_eq!(
            told,
            "  the last 2 of 2 steps:\n    get \"a\" -> none\n    get \"b\" -> not answered"
        );
    }

    #[test]
    fn the_last_calls_are_kept_and_no_more() {
        let log = Log::default();
        for n in 0..1_000 {
            log.note(n.to_string().repeat(1_000));
        }
        let told = log.tell().unwrap();
        assert!(told.starts_with("  the last 8 of 1000 steps:\n    992992"), "{told}");
        assert!(told.len() < 8 * (CALL_BYTES + 50), "{} bytes", told.len());
    }

    #[test]
    fn nothing_is_told_of_no_call() {
        assert_eq!(Log::default().tell(), None);
    }
}
