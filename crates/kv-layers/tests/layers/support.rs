//! Stores and calls that tests of several layers need.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};

use kv_core::{
    Bytes, Command, Condition, Entry, ErrorKind, KeyValueStore, Lifetime, Outcome, Pattern,
    Remaining, Result, ScanPage, ScanRequest, Write, async_trait,
};
use kv_layers::{Call, Layer, Operation};
use kv_testkit::{Fault, Faulty, Method};
use tokio::sync::Semaphore;

/// Holds calls until it is opened.
#[derive(Clone)]
pub(crate) struct Gate {
    passes: Arc<Semaphore>,
    /// Calls that came to the gate and have not ended.
    pub(crate) inside: Arc<AtomicUsize>,
}

impl Gate {
    pub(crate) fn shut() -> Self {
        Self { passes: Arc::new(Semaphore::new(0)), inside: Arc::default() }
    }

    /// Lets so many calls pass.
    pub(crate) fn open(&self, calls: usize) {
        self.passes.add_permits(calls);
    }

    pub(crate) fn inside(&self) -> usize {
        self.inside.load(Ordering::SeqCst)
    }
}

struct Leave(Arc<AtomicUsize>);

impl Drop for Leave {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::SeqCst);
    }
}

impl Layer for Gate {
    async fn call<A, T, R>(&self, _: Call, args: A, run: impl Fn(A) -> R + Send + Sync) -> Result<T>
    where
        A: Clone + Send + Sync,
        T: Send,
        R: Future<Output = Result<T>> + Send,
    {
        self.inside.fetch_add(1, Ordering::SeqCst);
        let _leave = Leave(self.inside.clone());
        self.passes.acquire().await.unwrap().forget();
        run(args).await
    }
}

/// One plain call of a store's operation.
pub(crate) async fn call(store: &dyn KeyValueStore, operation: Operation) -> Result<()> {
    let (key, value) = ("k", Bytes::from_static(b"1"));
    match operation {
        Operation::Get => store.get(key).await.map(drop),
        Operation::Set => store.set(key, value, Write::ALWAYS).await.map(drop),
        Operation::Delete => store.delete(key, Condition::Always).await.map(drop),
        Operation::Ttl => store.ttl(key).await.map(drop),
        Operation::Scan => {
            let pattern = Pattern::new("*")?;
            let request = ScanRequest { pattern: &pattern, cursor: None, limit: 10 };
            store.scan(request).await.map(drop)
        }
        Operation::Exists => store.exists(key).await.map(drop),
        Operation::GetMany => store.get_many(&[key]).await.map(drop),
        Operation::SetMany => store.set_many(vec![(key.into(), value)], Lifetime::Never).await,
        Operation::DeleteMany => store.delete_many(&[key]).await.map(drop),
        Operation::Increment => store.increment(key, 1, Lifetime::Never).await.map(drop),
        Operation::Take => store.take(key).await.map(drop),
        Operation::Touch => store.touch(key, Lifetime::Never).await.map(drop),
        Operation::Execute => store.execute(vec![set("k", "1")]).await.map(drop),
        Operation::Now => store.now().await.map(drop),
        Operation::Ping => store.ping().await,
        Operation::Stats => store.stats().await.map(drop),
        Operation::Close => store.close().await,
        other => panic!("{other:?} is no operation of a store"),
    }
}

/// The operations of a store that memory has, without those of its queue engine: it makes no
/// copies, so nothing is durable there.
pub(crate) fn operations() -> impl Iterator<Item = Operation> {
    let of_store = |operation: &Operation| !operation.name().starts_with("queue_");
    let all = Operation::ALL.iter().copied().filter(of_store);
    all.filter(|operation| *operation != Operation::SetDurable)
}

pub(crate) fn set(key: &str, value: &str) -> Command {
    let value = Bytes::copy_from_slice(value.as_bytes());
    Command::Set { key: key.into(), value, write: Write::ALWAYS }
}

pub(crate) async fn put(store: &dyn KeyValueStore, key: &str, value: &str) -> Result<()> {
    let value = Bytes::copy_from_slice(value.as_bytes());
    store.set(key, value, Write::ALWAYS).await.map(drop)
}

pub(crate) async fn value(store: &dyn KeyValueStore, key: &str) -> Option<String> {
    let entry = store.get(key).await.unwrap();
    entry.map(|entry| String::from_utf8_lossy(&entry.value).into_owned())
}

/// Every call of the store fails in this way from now on.
pub(crate) fn break_down(store: &Faulty, kind: ErrorKind) {
    Method::ALL.into_iter().for_each(|method| store.inject(Fault::every(method, kind)));
}

/// Polls once, and wakes nobody.
pub(crate) fn poll<F: Future>(future: &mut Pin<Box<F>>) -> Poll<F::Output> {
    future.as_mut().poll(&mut Context::from_waker(Waker::noop()))
}

/// A store of the five methods alone, which declares nothing and holds nothing.
pub(crate) struct Bare;

#[async_trait]
impl KeyValueStore for Bare {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        Ok(None)
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        Ok(Outcome::ConditionFailed)
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        Ok(false)
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        Ok(None)
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        Ok(ScanPage::default())
    }
}

/// A store that makes a batch of single calls, as the contract does where a backend has nothing
/// better.
pub(crate) struct OneByOne(pub(crate) Faulty);

#[async_trait]
impl KeyValueStore for OneByOne {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        self.0.get(key).await
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.0.set(key, value, write).await
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.0.delete(key, condition).await
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        self.0.ttl(key).await
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        self.0.scan(request).await
    }
}
