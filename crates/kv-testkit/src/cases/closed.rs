//! A store that was closed answers nothing more, by no verb, route or handle.

use std::sync::Arc;

use kv_core::queue::{Control, Inspect, Partition, QueueSupport};
use kv_core::{
    Capabilities, Command, Condition, Durability, ErrorKind, KeyValueStore, Lifetime, Pattern,
    Result, ScanRequest, Write,
};

use tokio::task::{JoinSet, yield_now};

use super::Tried;
use crate::failure::{ensure, ensure_eq};
use crate::moves::{Move, Route, Verb, When, run};
use crate::suite::announce;
use crate::trial::{bytes, refused};
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};

const NEVER: Lifetime = Lifetime::Never;

const VERBS: [Verb; 8] = [
    Verb::Get,
    Verb::Exists,
    Verb::Ttl,
    Verb::Set(NEVER, When::Always),
    Verb::Delete(When::Always),
    Verb::Take,
    Verb::Touch(NEVER),
    Verb::Increment(NEVER),
];

fn is_closed<T>(what: &str, result: Result<T>) -> Tried {
    refused(&format!("{what} after close"), result, &[ErrorKind::Closed]).map(drop)
}

/// Fails unless every call that the store offers is refused through this handle.
async fn says_closed(t: &Trial<'_>, store: &Arc<dyn KeyValueStore>) -> Tried {
    let version = kv_core::Version::from_number(0);
    for verb in VERBS {
        for route in [Single, Many, Batch] {
            let call = Move(verb, route);
            if t.offers(call) {
                let command = call.command("k", "v", &version);
                is_closed(&format!("{call:?}"), run(store, route, command).await)?;
            }
        }
    }
    is_closed("stats", store.stats().await)?;
    is_closed("ping", store.ping().await)?;
    for key in ["k", "missing"] {
        if let Some(at_hand) = store.get_now(key) {
            is_closed("get_now", at_hand)?;
        }
    }
    if t.declares(Capabilities::DURABILITY) {
        let write = store.set_durable("k", bytes("v"), Write::ALWAYS, Durability::replicas(0));
        is_closed("set_durable", write.await)?;
    }
    Ok(())
}

/// Whether the rule concerns the store.
fn closes(t: &Trial<'_>, case: &str) -> bool {
    if !t.closes() {
        announce(case, "the store has no close of its own");
    }
    t.closes()
}

/// Brings a handle into use, so that there is something that it could go on with.
async fn in_use(t: &Trial<'_>) -> Result<(), Failure> {
    for number in 0..2 {
        let store = t.handle(number);
        store.set("k", bytes("1"), Write::ALWAYS).await?;
        store.get("k").await?;
        store.get_many(&["k"]).await?;
        drop(store.get_now("k"));
    }
    Ok(())
}

pub(crate) async fn a_closed_store_refuses_every_verb_by_every_route(t: &Trial<'_>) -> Tried {
    if !closes(t, "a_closed_store_refuses_every_verb_by_every_route") {
        return Ok(());
    }
    in_use(t).await?;
    t.handle(1).close().await?;
    for number in 0..2 {
        says_closed(t, t.handle(number)).await?;
    }
    Ok(())
}

pub(crate) async fn a_closed_store_tells_no_time(t: &Trial<'_>) -> Tried {
    if !closes(t, "a_closed_store_tells_no_time") {
        return Ok(());
    }
    let has_a_clock = t.store().now().await.is_ok();
    t.store().close().await?;
    for number in 0..2 {
        let kind = t.handle(number).now().await.err().map(|error| error.kind());
        let told = kind == Some(ErrorKind::Closed) || (!has_a_clock && kind.is_some());
        ensure!(told, "now after close: {kind:?}");
    }
    Ok(())
}

pub(crate) async fn a_walk_under_way_ends_with_its_store(t: &Trial<'_>) -> Tried {
    if !closes(t, "a_walk_under_way_ends_with_its_store") {
        return Ok(());
    }
    let pairs = (0..500).map(|number| (format!("k{number}"), bytes("v")));
    t.store().set_many(pairs.collect(), NEVER).await?;
    let pattern = Pattern::new("k*")?;
    let page = |cursor| ScanRequest { pattern: &pattern, cursor, limit: 5 };
    let first = t.store().scan(page(None)).await?;
    t.store().close().await?;
    for number in 0..2 {
        is_closed("scan", t.handle(number).scan(page(first.next.as_ref())).await)?;
        is_closed("scan", t.handle(number).scan(page(None)).await)?;
    }
    Ok(())
}

/// An engine is a handle of its store too, whether it was asked for before the end or after it.
pub(crate) async fn a_closed_store_runs_no_queue(t: &Trial<'_>) -> Tried {
    let QueueSupport::Native(before) = t.store().queue_engine() else { return Ok(()) };
    if !closes(t, "a_closed_store_runs_no_queue") {
        return Ok(());
    }
    before.open("jobs", 1).await?;
    let partition = Partition { queue: "jobs".into(), number: 0 };
    t.store().close().await?;
    let QueueSupport::Native(after) = t.handle(1).queue_engine() else { return Ok(()) };
    for engine in [before, after] {
        is_closed("inspect", engine.inspect(&partition, Inspect::Counts).await)?;
        is_closed("control", engine.control(&partition, Control::Pause).await)?;
        is_closed("open", engine.open("others", 1).await)?;
    }
    Ok(())
}

/// What was refused for the end is not done behind it.
pub(crate) async fn a_write_after_close_is_not_done(t: &Trial<'_>) -> Tried {
    if !closes(t, "a_write_after_close_is_not_done") {
        return Ok(());
    }
    t.store().close().await?;
    let put = Command::Set { key: "k".into(), value: bytes("v"), write: Write::ALWAYS };
    let mut errors = vec![
        t.store().set("k", bytes("v"), Write::ALWAYS).await.err(),
        t.store().delete("k", Condition::Always).await.err(),
        t.store().set_many(vec![("k".into(), bytes("v"))], NEVER).await.err(),
    ];
    errors.push(run(t.store(), Batch, put).await.err());
    for error in errors {
        let effect = error.map(|error| error.effect());
        ensure_eq!(
            effect,
            Some(kv_core::Effect::NotApplied),
            "what a write after close may have done"
        );
    }
    Ok(())
}

/// A call that runs meanwhile is done, or says that the store was closed.
pub(crate) async fn a_close_beside_running_calls_is_told_as_one(t: &Trial<'_>) -> Tried {
    if !closes(t, "a_close_beside_running_calls_is_told_as_one") {
        return Ok(());
    }
    let mut tasks = JoinSet::new();
    for task in 0..6 {
        let store = Arc::clone(t.handle(task));
        tasks.spawn(async move {
            for round in 0..10_000 {
                let key = format!("{task}:{}", round % 10);
                let set = store.set(&key, bytes("v"), Write::ALWAYS).await;
                if let Some(error) = set.err().or(store.get(&key).await.err()) {
                    return Some(error);
                }
                yield_now().await;
            }
            None
        });
    }
    for _ in 0..50 {
        yield_now().await;
    }
    t.handle(1).close().await?;
    while let Some(ended) = tasks.join_next().await {
        let kind = ended?.map(|error| error.kind());
        ensure_eq!(kind, Some(ErrorKind::Closed), "a call beside a close, or after it");
    }
    Ok(())
}
