//! What a future that is dropped half-way leaves behind.

use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::Poll;

use kv_core::{Command, Condition, KeyValueStore, Lifetime, Pattern, Result, ScanRequest, Write};
use tokio::task::yield_now;

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::bytes;

/// The most polls before a drop.
const MOST_POLLS: usize = 6;

/// Polls a future so many times, letting others run in between, and drops it.
async fn drop_after(polls: usize, future: impl Future<Output = Result<()>> + Send) {
    let mut future = pin!(future);
    for _ in 0..polls {
        let ended =
            std::future::poll_fn(|context| Poll::Ready(future.as_mut().poll(context).is_ready()));
        if ended.await {
            return;
        }
        yield_now().await;
    }
}

type Call<'s> = Pin<Box<dyn Future<Output = Result<()>> + Send + 's>>;

/// One call of each verb, on a store of one's own; `Send`, as the contract says.
fn calls<'s>(store: &'s Arc<dyn KeyValueStore>, pattern: &'s Pattern) -> Vec<Call<'s>> {
    let never = Lifetime::Never;
    let request = ScanRequest { pattern, cursor: None, limit: 10 };
    let get = Command::Get { key: "k".to_owned() };
    vec![
        Box::pin(async { store.get("k").await.map(drop) }),
        Box::pin(async { store.set("k", bytes("v"), Write::ALWAYS).await.map(drop) }),
        Box::pin(async { store.delete("k", Condition::Always).await.map(drop) }),
        Box::pin(async { store.ttl("k").await.map(drop) }),
        Box::pin(async move { store.scan(request).await.map(drop) }),
        Box::pin(async { store.exists("k").await.map(drop) }),
        Box::pin(async { store.get_many(&["k", "l"]).await.map(drop) }),
        Box::pin(async move { store.set_many(vec![("k".into(), bytes("v"))], never).await }),
        Box::pin(async { store.delete_many(&["k", "l"]).await.map(drop) }),
        Box::pin(async move { store.increment("n", 1, never).await.map(drop) }),
        Box::pin(async { store.take("k").await.map(drop) }),
        Box::pin(async move { store.touch("k", never).await.map(drop) }),
        Box::pin(async { store.execute(vec![get]).await.map(drop) }),
        Box::pin(async { store.ping().await }),
        Box::pin(async { store.stats().await.map(drop) }),
    ]
}

pub(crate) async fn a_dropped_call_leaves_the_store_working(t: &Trial<'_>) -> Tried {
    let pattern = Pattern::new("*")?;
    for polls in 0..MOST_POLLS {
        for call in calls(t.store(), &pattern) {
            drop_after(polls, call).await;
        }
        let key = format!("after{polls}");
        t.put(&key, "v").await?;
        t.holds(&key, Some("v")).await?;
    }
    ensure_eq!(t.scanned("after*").await?.len(), MOST_POLLS, "keys set between the drops");
    Ok(())
}

pub(crate) async fn a_dropped_write_is_whole_or_absent(t: &Trial<'_>) -> Tried {
    let value = "v".repeat(100_000);
    for polls in 0..MOST_POLLS {
        let key = format!("k{polls}");
        drop_after(polls, async { t.try_write(&key, &value, Write::ALWAYS).await.map(drop) }).await;
        let found = t.value(&key).await?;
        let whole = found.as_ref().is_none_or(|found| *found == value.as_bytes());
        ensure!(whole, "a part of a value was stored after {polls} polls");
    }
    Ok(())
}

pub(crate) async fn a_dropped_increment_counts_once_at_most(t: &Trial<'_>) -> Tried {
    let store = t.store();
    let mut dropped = 0;
    for _ in 0..5 {
        for polls in 0..MOST_POLLS {
            drop_after(polls, async { store.increment("k", 1, Lifetime::Never).await.map(drop) })
                .await;
            dropped += i64::from(polls > 0);
        }
    }
    let sum = store.increment("k", 1, Lifetime::Never).await?;
    ensure!((1..=dropped + 1).contains(&sum), "{sum} after {dropped} dropped increments and one");
    Ok(())
}
