//! The first page: all queues.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::sampler::{QueueSample, Snapshot};
use crate::show::{date, line, number, rate, waited};
use crate::visit::{Base, Visit};

/// How many queues a page shows.
const SHOWN: usize = 100;

pub(crate) async fn queues(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let snapshot = app.sampler.snapshot().await;
    let (filter, after) = (visit.parameters.get("filter"), visit.parameters.get("after"));
    if visit.wants_json {
        let (shown, next) = found(&snapshot, filter, after);
        let queues = json::list(shown, json::queue);
        let next = next.map(|last| &last.name);
        return Ok(json::answer(
            &json!({ "queues": queues, "next": next, "error": snapshot.failed }),
        ));
    }
    let live: Vec<_> = [("filter", filter), ("after", after)]
        .into_iter()
        .filter_map(|(k, v)| Some((k, v?)))
        .collect();
    let content = html! {
        form class="row" method="get" action=(visit.base.link("/", &[])) role="search" {
            label { "Name contains " input type="text" name="filter" value=[filter]; }
            button { "Filter" }
        }
        div data-live=(visit.base.link("/live", &live)) {
            (table(&visit.base, &snapshot, filter, after))
        }
    };
    Ok(page(&visit, &Subject { title: "Queues", queue: None }, &content))
}

/// The queues whose names contain a text, from behind a name on; and the last, if others follow.
fn found<'a>(
    snapshot: &'a Snapshot,
    filter: Option<&str>,
    after: Option<&str>,
) -> (Vec<&'a QueueSample>, Option<&'a QueueSample>) {
    let is_asked = |queue: &&QueueSample| {
        filter.is_none_or(|filter| queue.name.contains(filter))
            && after.is_none_or(|after| queue.name.as_str() > after)
    };
    let mut found = snapshot.queues.iter().filter(is_asked);
    let shown: Vec<_> = found.by_ref().take(SHOWN).collect();
    let next = found.next().and_then(|_| shown.last().copied());
    (shown, next)
}

/// The same as a table.
pub(crate) fn table(
    base: &Base,
    snapshot: &Snapshot,
    filter: Option<&str>,
    after: Option<&str>,
) -> Markup {
    let (shown, next) = found(snapshot, filter, after);
    html! {
        (told(snapshot))
        div class="scroll" tabindex="0" role="region" aria-label="Queues" {
            table {
                thead {
                    tr {
                        th scope="col" { "Queue" }
                        @for count in ["Ready", "Delayed", "Running", "Dead"] {
                            th scope="col" class="number" { (count) }
                        }
                        th scope="col" class="number" { "Oldest ready" }
                        th scope="col" class="number" { "Done" }
                        th scope="col" class="wide" { "Done, over time" }
                    }
                }
                tbody { @for queue in &shown { (row(base, queue)) } }
            }
        }
        @if shown.is_empty() {
            p { "No queue. A queue is listed from its first opening to its deletion." }
        }
        @if let Some(last) = next {
            p { a href=(base.link("/", &[("filter", filter.unwrap_or_default()), ("after", &last.name)])) { "More queues" } }
        }
    }
}

fn row(base: &Base, queue: &QueueSample) -> Markup {
    html! {
        tr {
            th scope="row" {
                a href=(base.link("/queue", &[("queue", &queue.name)])) { (queue.name) }
                @if queue.stats.as_ref().is_ok_and(|stats| stats.paused) {
                    " " span class="warn" { "paused" }
                }
            }
            @match &queue.stats {
                Ok(stats) => {
                    td class="number" { (number(stats.ready)) }
                    td class="number" { (number(stats.timed)) }
                    td class="number" { (number(stats.leased)) }
                    td class={ "number" @if stats.dead > 0 { " bad" } } { (number(stats.dead)) }
                    td class="number" { (waited(stats.oldest_ready)) }
                    td class="number" { (rate(queue.done_per_second)) }
                    td class="wide" { (line(&queue.done, "Jobs done in a second, over time")) }
                }
                Err(why) => td colspan="7" class="bad" { (why) },
            }
        }
    }
}

/// When the figures were counted, and what is wrong with them.
pub(super) fn told(snapshot: &Snapshot) -> Markup {
    let left_out = snapshot.listed.saturating_sub(snapshot.queues.len());
    html! {
        p class="soft" { "Counted at " (date(snapshot.date)) }
        @if let Some(why) = &snapshot.failed {
            p class="note bad" role="alert" { "The queues could not be counted: " (why) }
        }
        @if left_out > 0 {
            p class="note" { (number(left_out as u64)) " further queues are not counted here." }
        }
    }
}
