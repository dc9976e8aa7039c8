//! One plain call of each method.

use std::sync::Arc;

use kv_core::queue::QueueSupport;
use kv_core::{
    Bytes, Command, Condition, Durability, Error, ErrorKind, KeyValueStore, Lifetime, Pattern,
    Result, ScanRequest, Watcher, Write,
};

use crate::Method;

/// What became of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Called {
    /// It was answered.
    Answered,
    /// It was refused as not offered.
    Refused,
    /// It was an error of another kind.
    Failed(ErrorKind),
}

impl Called {
    fn when(answered: bool) -> Self {
        if answered { Self::Answered } else { Self::Refused }
    }
}

/// A watcher to which nothing matters.
pub(crate) struct Deaf;

impl Watcher for Deaf {
    fn changed(&self, _: &str) {}
    fn gap(&self) {}
    fn lost(&self, _: Error) {}
}

pub(super) async fn call(store: &dyn KeyValueStore, method: Method) -> Called {
    match asked(store, method).await {
        Ok(called) => called,
        Err(error) if error.kind() == ErrorKind::Unsupported => Called::Refused,
        Err(error) => Called::Failed(error.kind()),
    }
}

async fn asked(store: &dyn KeyValueStore, method: Method) -> Result<Called> {
    let (key, value) = ("k", Bytes::from_static(b"1"));
    match method {
        Method::Get => drop(store.get(key).await?),
        Method::Set => drop(store.set(key, value, Write::ALWAYS).await?),
        Method::Delete => drop(store.delete(key, Condition::Always).await?),
        Method::Ttl => drop(store.ttl(key).await?),
        Method::Scan => {
            let pattern = Pattern::new("*")?;
            drop(store.scan(ScanRequest { pattern: &pattern, cursor: None, limit: 10 }).await?);
        }
        Method::Capabilities => drop(store.capabilities()),
        Method::KeyPrefix => drop(store.key_prefix().len()),
        Method::GetNow => return Ok(Called::when(store.get_now(key).transpose()?.is_some())),
        Method::Exists => drop(store.exists(key).await?),
        Method::GetMany => drop(store.get_many(&[key, "l"]).await?),
        Method::SetDurable => {
            let durability = Durability::replicas(1);
            drop(store.set_durable(key, value, Write::ALWAYS, durability).await?);
        }
        Method::SetMany => store.set_many(vec![(key.into(), value)], Lifetime::Never).await?,
        Method::DeleteMany => drop(store.delete_many(&[key, "l"]).await?),
        Method::Increment => drop(store.increment(key, 1, Lifetime::Never).await?),
        Method::Take => drop(store.take(key).await?),
        Method::Touch => drop(store.touch(key, Lifetime::Never).await?),
        Method::Execute => {
            for reply in store.execute(vec![Command::Get { key: key.into() }]).await? {
                drop(reply?);
            }
        }
        Method::Now => drop(store.now().await?),
        Method::Watch => {
            let watcher: Arc<dyn Watcher> = Arc::new(Deaf);
            store.watch(key, Arc::downgrade(&watcher))?;
        }
        Method::Ping => store.ping().await?,
        Method::Stats => drop(store.stats().await?),
        Method::Close => store.close().await?,
        Method::QueueEngine => {
            let refused = matches!(store.queue_engine(), QueueSupport::Refused(_));
            return Ok(Called::when(!refused));
        }
    }
    Ok(Called::Answered)
}
