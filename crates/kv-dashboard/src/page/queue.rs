//! A queue: its figures, and what can be done with the whole of it.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use kv_queue::QueueStats;
use maud::{Markup, html};

use super::queues::told;
use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::sampler::{QueueSample, Snapshot};
use crate::show::{line, number, rate, waited};
use crate::visit::Visit;

pub(crate) async fn queue(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let snapshot = app.sampler.snapshot().await;
    let counted = snapshot.queues.iter().find(|queue| queue.name == name);
    let sample = match counted {
        Some(sample) => sample,
        None => &alone(&app, name).await?,
    };
    if visit.wants_json {
        return Ok(json::answer(&json::queue(sample)));
    }
    let found = figures(&snapshot, name).unwrap_or_else(|| shown(sample));
    let content = html! {
        div data-live=(visit.base.link("/live", &[("queue", name)])) { (found) }
        @if app.settings.actions { (actions(&visit, name)) }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/queue")) }, &content))
}

/// The figures of a queue that is younger than the last count, or one of very many.
async fn alone(app: &App, name: &str) -> Result<QueueSample> {
    let stats = app.queue::<()>(name).await?.stats().await?;
    let names = kv_queue::queue_names(&app.store).await?;
    let partitions = names.get(name).copied().unwrap_or_default();
    Ok(QueueSample::alone(name, partitions, stats))
}

/// The figures of a queue, if it was counted.
pub(crate) fn figures(snapshot: &Snapshot, name: &str) -> Option<Markup> {
    let queue = snapshot.queues.iter().find(|queue| queue.name == name)?;
    Some(html! {
        (told(snapshot))
        (shown(queue))
    })
}

fn shown(queue: &QueueSample) -> Markup {
    match &queue.stats {
        Ok(stats) => counted(queue, stats),
        Err(why) => html! { p class="note bad" role="alert" { (why) } },
    }
}

fn counted(queue: &QueueSample, stats: &QueueStats) -> Markup {
    let now = [
        ("Ready", number(stats.ready)),
        ("Delayed", number(stats.timed)),
        ("Running", number(stats.leased)),
        ("Dead", number(stats.dead)),
        ("Oldest ready", waited(stats.oldest_ready)),
        ("Done", rate(queue.done_per_second)),
        ("Added", rate(queue.added_per_second)),
    ];
    let ever = [
        ("Added ever", number(stats.entered)),
        ("Done ever", number(stats.done)),
        ("Cancelled ever", number(stats.cancelled)),
        ("Dead letters dropped", number(stats.evicted)),
        ("Partitions", number(u64::from(queue.partitions))),
    ];
    html! {
        @if stats.paused {
            p class="note" { strong class="warn" { "Paused: " } "no job starts; running jobs go on." }
        }
        dl { @for (name, figure) in now { div { dt { (name) } dd { (figure) } } } }
        h2 { "Jobs that wait" }
        div class="large" { (line(&queue.waiting, "Jobs that wait, over time")) }
        h2 { "Jobs done in a second" }
        div class="large" { (line(&queue.done, "Jobs done in a second, over time")) }
        h2 { "Since the queue was made" }
        dl { @for (name, figure) in ever { div { dt { (name) } dd { (figure) } } } }
    }
}

fn actions(visit: &Visit, name: &str) -> Markup {
    let act = visit.base.link("/act", &[]);
    html! {
        h2 { "Actions" }
        form class="row" method="post" action=(act) {
            input type="hidden" name="queue" value=(name);
            button name="action" value="pause" { "Pause" }
            button name="action" value="resume" { "Resume" }
        }
        form method="post" action=(act) {
            fieldset {
                legend { "Remove" }
                input type="hidden" name="queue" value=(name);
                p { label {
                    "To confirm, write the queue's name: "
                    input type="text" name="confirm" autocomplete="off" required;
                } }
                button class="danger" name="action" value="clear" { "Remove all jobs" }
                " "
                button class="danger" name="action" value="delete" { "Delete the queue" }
            }
        }
    }
}
