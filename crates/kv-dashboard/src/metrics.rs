//! Figures as Prometheus reads them.

mod text;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use futures_util::stream::{self, StreamExt as _};
use kv_core::{Stats, Store, SystemClock};
use kv_layers::Statistics;
use kv_queue::{GroupBlock, GroupState, Queue};

use crate::app::App;
use crate::failure::Result;
use crate::sampler::{QueueSample, Sampler, Snapshot, as_f64};
use crate::visit::Visit;
use text::{Kind, Text};

const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Of how many queues the groups are told, and of how many groups of each.
const QUEUES_WITH_GROUPS: usize = 100;
const MAX_GROUPS: usize = 1_000;

/// How many queues are asked for their groups at once.
const AT_ONCE: usize = 4;

pub(crate) async fn page(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let snapshot = app.sampler.snapshot().await;
    let with_groups = visit.parameters.get("groups") == Some("1");
    let is_shown = |name: &str| !app.settings.is_secret(&[name, ":"].concat());
    let statistics = app.settings.statistics.as_ref();
    let text = write(&app.store, &snapshot, statistics, &is_shown, with_groups).await;
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// The figures of a store and its queues in the text format of Prometheus: what `/metrics` of a
/// [`Dashboard`](crate::Dashboard) answers.
///
/// Of the queues, the first 1,000 by name are told. With `groups`, of the first 100 queues also how
/// many of up to 1,000 groups may start a job or are held back, which asks each of these queues. A
/// store or a queue that does not answer has `0` for `oc_kv_up` or `oc_kv_queue_up`, and no other
/// figures.
///
/// ```
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// kv_queue::Queue::<u32>::open(&store, "mails").await?.enqueue(1).await?;
/// let text = kv_dashboard::metrics(&store, false).await;
/// assert!(text.contains("oc_kv_queue_jobs{queue=\"mails\",state=\"ready\"} 1\n"), "{text}");
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
pub async fn metrics(store: &Store, groups: bool) -> String {
    let clock = Arc::new(SystemClock::new());
    let sampler = Sampler::new(store.clone(), clock, Duration::ZERO);
    let snapshot = sampler.snapshot().await;
    write(store, &snapshot, None, &|_| true, groups).await
}

async fn write(
    store: &Store,
    snapshot: &Snapshot,
    statistics: Option<&Statistics>,
    is_shown: &(dyn Fn(&str) -> bool + Sync),
    with_groups: bool,
) -> String {
    let stats = store.stats().await.ok();
    let groups = if with_groups { groups(store, snapshot).await } else { Vec::new() };
    let mut text = Text::default();
    let is_up = snapshot.failed.is_none() && stats.is_some();
    text.family("oc_kv_up", Kind::Gauge, "Whether the store answers.");
    text.sample(&[], u64::from(is_up));
    if snapshot.failed.is_none() {
        queues(&mut text, &snapshot.queues);
    }
    group_families(&mut text, &groups);
    stats.iter().for_each(|stats| store_families(&mut text, stats));
    statistics.iter().for_each(|it| namespaces(&mut text, it, is_shown));
    text.finish()
}

fn queues(text: &mut Text, queues: &[QueueSample]) {
    text.family("oc_kv_queue_up", Kind::Gauge, "Whether the queue could be counted.");
    for queue in queues {
        text.sample(&[("queue", &queue.name)], u64::from(queue.stats.is_ok()));
    }
    let counted =
        || queues.iter().filter_map(|queue| Some((&*queue.name, queue.stats.as_ref().ok()?)));
    text.family("oc_kv_queue_jobs", Kind::Gauge, "Jobs of the queue in each state.");
    for (queue, stats) in counted() {
        for (state, count) in [
            ("ready", stats.ready),
            ("delayed", stats.timed),
            ("running", stats.leased),
            ("dead", stats.dead),
        ] {
            text.sample(&[("queue", queue), ("state", state)], count);
        }
    }
    text.family("oc_kv_queue_paused", Kind::Gauge, "Whether the queue is paused.");
    for (queue, stats) in counted() {
        text.sample(&[("queue", queue)], u64::from(stats.paused));
    }
    let help = "How long the oldest claimable job has waited; none where that is not known.";
    text.family("oc_kv_queue_oldest_ready_seconds", Kind::Gauge, help);
    for (queue, stats) in counted() {
        let none_waits = (stats.ready == 0).then_some(Duration::ZERO);
        if let Some(age) = stats.oldest_ready.or(none_waits) {
            text.sample(&[("queue", queue)], age.as_secs_f64());
        }
    }
    for (name, help, count) in COUNTERS {
        text.family(name, Kind::Counter, help);
        for (queue, stats) in counted() {
            text.sample(&[("queue", queue)], count(stats));
        }
    }
}

/// A name, its help, and the figure.
type Counter<T, N> = (&'static str, &'static str, fn(&T) -> N);

const COUNTERS: [Counter<kv_queue::QueueStats, u64>; 4] = [
    ("oc_kv_queue_added_total", "Jobs that were added.", |stats| stats.entered),
    ("oc_kv_queue_done_total", "Jobs that were done.", |stats| stats.done),
    ("oc_kv_queue_cancelled_total", "Jobs that were cancelled.", |stats| stats.cancelled),
    ("oc_kv_queue_dead_dropped_total", "Dead letters that were dropped or discarded.", |stats| {
        stats.evicted
    }),
];

/// The groups of each queue that was asked in time.
async fn groups(store: &Store, snapshot: &Snapshot) -> Vec<(String, Vec<GroupState>)> {
    let names = snapshot.queues.iter().take(QUEUES_WITH_GROUPS).map(|queue| queue.name.clone());
    let asked: Vec<_> = names.map(|name| groups_of(store, name)).collect();
    stream::iter(asked).buffered(AT_ONCE).filter_map(std::future::ready).collect().await
}

async fn groups_of(store: &Store, name: String) -> Option<(String, Vec<GroupState>)> {
    let queue = Queue::<()>::attach(store, &name).await.ok()??;
    let groups = queue.some_groups(MAX_GROUPS).await.ok()?;
    Some((name, groups))
}

fn group_families(text: &mut Text, groups: &[(String, Vec<GroupState>)]) {
    if groups.is_empty() {
        return;
    }
    let help = "Groups of the queue by what keeps them from a start; up to 1,000 are counted.";
    text.family("oc_kv_queue_groups", Kind::Gauge, help);
    for (queue, groups) in groups {
        let count = |is: fn(&Option<GroupBlock>) -> bool| {
            groups.iter().filter(|group| is(&group.block)).count() as u64
        };
        for (limit, count) in [
            ("none", count(Option::is_none)),
            ("concurrency", count(|it| matches!(it, Some(GroupBlock::Concurrency)))),
            ("rate", count(|it| matches!(it, Some(GroupBlock::Rate(_))))),
            ("pause", count(|it| matches!(it, Some(GroupBlock::Paused(_))))),
        ] {
            text.sample(&[("queue", queue), ("limited_by", limit)], count);
        }
    }
}

fn store_families(text: &mut Text, stats: &Stats) {
    for (name, kind, help, figure) in [
        ("oc_kv_store_keys", Kind::Gauge, "Keys in the store.", stats.keys),
        ("oc_kv_store_bytes", Kind::Gauge, "Bytes of the store.", stats.bytes),
        ("oc_kv_store_hits_total", Kind::Counter, "Reads that found a value.", stats.hits),
        ("oc_kv_store_misses_total", Kind::Counter, "Reads that found no value.", stats.misses),
        ("oc_kv_store_expired_total", Kind::Counter, "Keys that expired.", stats.expired),
        ("oc_kv_store_evicted_total", Kind::Counter, "Keys that made room.", stats.evicted),
    ] {
        if let Some(figure) = figure {
            text.family(name, kind, help);
            text.sample(&[], figure);
        }
    }
}

const USAGE: [Counter<kv_layers::Usage, f64>; 9] = [
    ("oc_kv_namespace_hits_total", "Reads that found a value.", |it| as_f64(it.hits)),
    ("oc_kv_namespace_misses_total", "Reads that found no value.", |it| as_f64(it.misses)),
    ("oc_kv_namespace_loads_total", "Values loaded for a cache.", |it| as_f64(it.loads)),
    ("oc_kv_namespace_writes_total", "Values written.", |it| as_f64(it.writes)),
    ("oc_kv_namespace_deletes_total", "Keys removed.", |it| as_f64(it.deletes)),
    ("oc_kv_namespace_errors_total", "Calls that failed.", |it| as_f64(it.errors)),
    ("oc_kv_namespace_read_bytes_total", "Bytes found.", |it| as_f64(it.bytes_read)),
    ("oc_kv_namespace_written_bytes_total", "Bytes written.", |it| as_f64(it.bytes_written)),
    ("oc_kv_namespace_call_seconds_total", "Time of all calls.", |it| it.time.as_secs_f64()),
];

fn namespaces(text: &mut Text, statistics: &Statistics, is_shown: &dyn Fn(&str) -> bool) {
    let usage = statistics.snapshot();
    for (name, help, figure) in USAGE {
        text.family(name, Kind::Counter, help);
        for (namespace, usage) in usage.iter().filter(|(namespace, _)| is_shown(namespace)) {
            text.sample(&[("namespace", namespace)], figure(usage));
        }
    }
}
