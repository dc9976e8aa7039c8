//! Health, figures, the store's clock, and the end.

use std::sync::Arc;

use kv_core::{
    Bytes, Command, Condition, Error, ErrorKind, KeyValueStore, Lifetime, Pattern, ScanRequest,
    Write,
};

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::suite::announce;
use crate::trial::{bytes, ms_of};

pub(crate) async fn a_store_answers_a_ping(t: &Trial<'_>) -> Tried {
    t.store().ping().await?;
    ensure!(t.scanned("*").await?.is_empty(), "a ping left a key behind");
    Ok(())
}

pub(crate) async fn figures_can_be_asked_for(t: &Trial<'_>) -> Tried {
    for key in ["a", "b", "c"] {
        t.put(key, "v").await?;
    }
    let stats = t.store().stats().await?;
    if let Some(keys) = stats.keys {
        ensure_eq!(keys, 3, "keys, as the store counts them");
    }
    Ok(())
}

pub(crate) async fn the_stores_clock_follows_its_time(t: &Trial<'_>) -> Tried {
    let before = match t.store().now().await {
        Ok(now) => now,
        Err(error) => {
            ensure_eq!(error.kind(), ErrorKind::Unsupported, "now");
            return Ok(());
        }
    };
    t.advance(ms_of(1_500));
    let passed = t.store().now().await?.saturating_sub(before);
    ensure_eq!(passed, ms_of(1_500), "what the store's clock says has passed");
    Ok(())
}

/// Every verb that asks the store for something, and what became of it.
async fn every_verb(store: &Arc<dyn KeyValueStore>) -> Vec<(&'static str, Option<Error>)> {
    let key = "k";
    let pattern = Pattern::new("*");
    let scanned = match &pattern {
        Ok(pattern) => store.scan(ScanRequest { pattern, cursor: None, limit: 10 }).await.map(drop),
        Err(_) => Ok(()),
    };
    let pair = || vec![(key.to_owned(), Bytes::from_static(b"v"))];
    vec![
        ("get", store.get(key).await.err()),
        ("set", store.set(key, bytes("v"), Write::ALWAYS).await.err()),
        ("delete", store.delete(key, Condition::Always).await.err()),
        ("ttl", store.ttl(key).await.err()),
        ("scan", scanned.err()),
        ("exists", store.exists(key).await.err()),
        ("get_many", store.get_many(&[key]).await.err()),
        ("set_many", store.set_many(pair(), Lifetime::Never).await.err()),
        ("delete_many", store.delete_many(&[key]).await.err()),
        ("increment", store.increment(key, 1, Lifetime::Never).await.err()),
        ("take", store.take(key).await.err()),
        ("touch", store.touch(key, Lifetime::Never).await.err()),
        ("ping", store.ping().await.err()),
    ]
}

/// Fails unless every verb says that the store was closed.
async fn says_closed(store: &Arc<dyn KeyValueStore>) -> Tried {
    // What is not offered at all may say so instead.
    let optional = |verb: &str| matches!(verb, "increment" | "take" | "touch");
    for (verb, error) in every_verb(store).await {
        let kind = error.map(|error| error.kind());
        let refused = kind == Some(ErrorKind::Unsupported) && optional(verb);
        let expected = if refused { kind } else { Some(ErrorKind::Closed) };
        ensure_eq!(kind, expected, "{verb} \"k\" after close");
    }
    let get = Command::Get { key: "k".to_owned() };
    let executed = store.execute(vec![get]).await;
    let kind = executed.and_then(|mut replies| replies.remove(0)).err().map(|e| e.kind());
    ensure_eq!(kind, Some(ErrorKind::Closed), "execute after close");
    if let Some(at_hand) = store.get_now("k") {
        let kind = at_hand.err().map(|error| error.kind());
        ensure_eq!(kind, Some(ErrorKind::Closed), "get_now after close");
    }
    Ok(())
}

pub(crate) async fn a_closed_store_refuses_every_call(t: &Trial<'_>) -> Tried {
    if !t.closes() {
        announce("a_closed_store_refuses_every_call", "the store has no close of its own");
        return Ok(());
    }
    t.put("k", "1").await?;
    t.store().close().await?;
    says_closed(t.store()).await
}

pub(crate) async fn closing_again_does_nothing(t: &Trial<'_>) -> Tried {
    t.store().close().await?;
    t.store().close().await?;
    Ok(())
}

pub(crate) async fn closing_reaches_every_handle(t: &Trial<'_>) -> Tried {
    let (Some(other), true) = (t.another(), t.closes()) else {
        announce("closing_reaches_every_handle", "no other handle, or no close of its own");
        return Ok(());
    };
    t.put("k", "1").await?;
    ensure!(other.get("k").await?.is_some(), "another handle sees another store");
    t.store().close().await?;
    says_closed(other).await?;
    other.close().await?;
    says_closed(t.store()).await
}
