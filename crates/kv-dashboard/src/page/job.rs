//! One job: where it is, what went wrong, what it carries or returned, and what can be done.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use kv_queue::{JobId, JobInfo, JobPast, Queue, State};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::jobs::whereabouts;
use super::{Subject, page};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::json;
use crate::show::{cut, date, decoded, number};
use crate::visit::Visit;

pub(crate) async fn job(Shared(app): Shared<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let missing =
        || Failure::missing("there is no such job: it was cancelled, or is done and not kept");
    let queue = app.queue::<()>(name).await?;
    let id = named(&queue, &visit).await?;
    let job = queue.job(id).await?.ok_or_else(missing)?;
    if visit.wants_json {
        return Ok(json::answer(&told(&app, &job)));
    }
    let content = html! {
        (facts(&visit, name, &job))
        @if let Some(past) = &job.detail { (history(past)) (content(&app, &job, past)) }
        @if app.settings.actions { (actions(&visit, name, &job)) }
    };
    let title = format!("{name} {id}");
    Ok(page(&visit, &Subject { title: &title, queue: Some((name, "/job")) }, &content))
}

/// The job that is asked for: by the unique key that it holds, or else by its id.
async fn named(queue: &Queue<()>, visit: &Visit) -> Result<JobId> {
    let Some(key) = visit.parameters.get("unique") else {
        return Ok(visit.parameters.required("id")?.parse()?);
    };
    let found = match visit.parameters.get("group").filter(|group| !group.is_empty()) {
        Some(group) => queue.find_unique_in(group, key).await?,
        None => queue.find_unique(key).await?,
    };
    found.ok_or_else(|| Failure::missing("no job holds this unique key"))
}

fn told(app: &App, job: &JobInfo) -> Value {
    let mut told = json::job(job);
    let bytes = job.detail.as_ref().and_then(|past| past.bytes.as_ref());
    if let Some(bytes) = bytes.filter(|_| app.settings.payloads) {
        let what = if job.status.state() == State::Done { "returned" } else { "payload" };
        json::add(&mut told, json!({ what: json::content(app.store.serializer(), bytes) }));
    }
    told
}

fn facts(visit: &Visit, queue: &str, job: &JobInfo) -> Markup {
    let past = job.detail.as_ref();
    let counted = [("Failures", job.failures), ("Crashes", job.crashes), ("Snoozes", job.snoozes)];
    html! {
        p { strong { (whereabouts(&job.status)) }
            @if job.cancelled { " It was cancelled; its worker has not heard of it yet." } }
        dl {
            div { dt { "Attempt" } dd { (job.attempt) } }
            div { dt { "Priority" } dd { (job.priority) } }
            @for (what, count) in counted { div { dt { (what) } dd { (number(u64::from(count))) } } }
            @if let Some(progress) = job.progress { div { dt { "Progress" } dd { (number(progress)) } } }
            @if let Some(group) = &job.group {
                div { dt { "Group" } dd {
                    a href=(visit.base.link("/jobs", &[("queue", queue), ("group", group)])) { (cut(group)) }
                } }
            }
            @if let Some(unique) = &job.unique { div { dt { "Unique key" } dd { (cut(unique)) } } }
            @if let Some(at) = past.and_then(|past| past.enqueued) { div { dt { "Submitted" } dd { (date(at)) } } }
        }
    }
}

fn history(past: &JobPast) -> Markup {
    html! {
        @if !past.history.is_empty() {
            h2 { "Failures" }
            div class="scroll" tabindex="0" role="region" aria-label="Failures" {
                table {
                    thead { tr { th scope="col" { "When" } th scope="col" { "Reason" } } }
                    tbody {
                        @for failure in &past.history {
                            tr { td class="when" { (date(failure.at)) } td { pre { (cut(&failure.reason)) } } }
                        }
                    }
                }
            }
        }
    }
}

fn content(app: &App, job: &JobInfo, past: &JobPast) -> Markup {
    let is_done = job.status.state() == State::Done;
    html! {
        h2 { @if is_done { "What it returned" } @else { "Payload" } }
        @if !app.settings.payloads {
            p class="note" { "Payloads are hidden. Whoever starts the dashboard can show them." }
        } @else if let Some(bytes) = &past.bytes {
            (decoded(app.store.serializer(), bytes))
        } @else {
            p class="soft" { "Nothing." }
        }
    }
}

fn actions(visit: &Visit, queue: &str, job: &JobInfo) -> Markup {
    let offered: &[(&str, &str)] = match job.status.state() {
        State::Delayed => &[("run-now:selected", "Run now"), ("cancel:selected", "Cancel")],
        State::Dead => &[("redrive:selected", "Run again"), ("discard:selected", "Discard")],
        State::Done => &[("discard:selected", "Discard")],
        _ => &[("cancel:selected", "Cancel")],
    };
    html! {
        h2 { "Actions" }
        form class="row" method="post" action=(visit.base.link("/act", &[])) {
            input type="hidden" name="queue" value=(queue);
            input type="hidden" name="id" value=(job.id.to_string());
            @for (action, label) in offered {
                button name="action" value=(action) { (label) }
            }
        }
    }
}
