//! Reading and deleting in one step.

use std::sync::Arc;

use tokio::task::JoinSet;

use super::Tried;
use crate::Trial;
use crate::failure::{ensure, ensure_eq};
use crate::trial::bytes;

pub(crate) async fn take_returns_the_entry_and_removes_it(t: &Trial<'_>) -> Tried {
    t.put("k", "v").await?;
    t.put("other", "v").await?;
    let taken = t.store().take("k").await?.map(|entry| entry.value);
    ensure_eq!(taken, Some(bytes("v")), "take");
    t.holds("k", None).await?;
    ensure_eq!(t.store().take("k").await?, None, "the second take");
    t.holds("other", Some("v")).await
}

pub(crate) async fn one_of_many_concurrent_takes_gets_the_entry(t: &Trial<'_>) -> Tried {
    for round in 0..50 {
        t.put("k", &round.to_string()).await?;
        let mut takers = JoinSet::new();
        for taker in 0..8 {
            let store = Arc::clone(t.handle(taker));
            takers.spawn(async move { store.take("k").await });
        }
        let mut winners = 0;
        while let Some(taken) = takers.join_next().await {
            winners += usize::from(taken??.is_some());
        }
        ensure!(winners == 1, "{winners} of 8 concurrent takes got the entry, expected one");
    }
    Ok(())
}
