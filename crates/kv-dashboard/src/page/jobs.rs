//! The jobs of a queue in one state, a page at a time.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use kv_queue::{JobFilter, JobInfo, JobStatus, Jobs, State};
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::json;
use crate::show::{cut, date, span};
use crate::visit::Visit;

/// How many jobs a page shows.
const SHOWN: usize = 50;

const STATES: [State; 5] = [State::Ready, State::Delayed, State::Running, State::Dead, State::Done];

pub(crate) async fn jobs(Shared(app): Shared<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let state = state(visit.parameters.get("state"))?;
    let group = visit.parameters.get("group").filter(|group| !group.is_empty());
    let mut filter = JobFilter::new().limit(SHOWN);
    if let Some(group) = group {
        filter = filter.group(group);
    }
    if let Some(after) = visit.parameters.get("after") {
        filter = filter.after(after);
    }
    let found = app.queue::<()>(name).await?.list(state, filter).await?;
    if visit.wants_json {
        let jobs = json::list(&found.jobs, json::job);
        return Ok(json::answer(&json!({ "jobs": jobs, "next": found.next })));
    }
    let content = html! {
        (choice(&visit, name, state, group))
        @if found.jobs.is_empty() {
            p { "No job here." @if found.next.is_some() { " There may be some on the next page." } }
        } @else {
            (table(&visit, name, &found))
        }
        @if let Some(next) = &found.next {
            p { a rel="next" href=(link(&visit, name, state, group, Some(next))) { "Next page" } }
        }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/jobs")) }, &content))
}

fn state(word: Option<&str>) -> Result<State> {
    let word = word.unwrap_or(State::Ready.name());
    STATES.into_iter().find(|state| state.name() == word).ok_or_else(|| {
        Failure::bad("no such state; expected ready, delayed, running, dead or done")
    })
}

fn link(
    visit: &Visit,
    queue: &str,
    state: State,
    group: Option<&str>,
    after: Option<&str>,
) -> String {
    let given = [("group", group), ("after", after)];
    let mut query = vec![("queue", queue), ("state", state.name())];
    query.extend(given.into_iter().filter_map(|(name, value)| Some((name, value?))));
    visit.base.link("/jobs", &query)
}

fn choice(visit: &Visit, queue: &str, chosen: State, group: Option<&str>) -> Markup {
    html! {
        nav aria-label="State" {
            ul {
                @for state in STATES {
                    li {
                        a href=(link(visit, queue, state, group, None))
                            aria-current=[(state == chosen).then_some("true")] { (state.name()) }
                    }
                }
            }
        }
        form class="row" method="get" action=(visit.base.link("/jobs", &[])) {
            input type="hidden" name="queue" value=(queue);
            input type="hidden" name="state" value=(chosen.name());
            label { "Group " input type="text" name="group" value=(group.unwrap_or_default()); }
            button { "Show" }
        }
        form class="row" method="get" action=(visit.base.link("/job", &[])) {
            input type="hidden" name="queue" value=(queue);
            label { "Job " input type="text" name="id" required; }
            button { "Find" }
        }
        form class="row" method="get" action=(visit.base.link("/job", &[])) {
            input type="hidden" name="queue" value=(queue);
            label { "Unique key " input type="text" name="unique" required; }
            label { "in group " input type="text" name="group" value=(group.unwrap_or_default()); }
            button { "Find" }
        }
    }
}

fn table(visit: &Visit, queue: &str, found: &Jobs) -> Markup {
    html! {
        div class="scroll" tabindex="0" role="region" aria-label="Jobs" {
            table {
                thead {
                    tr { @for heading in ["Job", "Where", "Group", "Attempt", "Last failure"] { th scope="col" { (heading) } } }
                }
                tbody { @for job in &found.jobs { (row(visit, queue, job)) } }
            }
        }
    }
}

fn row(visit: &Visit, queue: &str, job: &JobInfo) -> Markup {
    let id = job.id.to_string();
    html! {
        tr {
            th scope="row" {
                a href=(visit.base.link("/job", &[("queue", queue), ("id", &id)])) { code { (id) } }
            }
            td { (whereabouts(&job.status)) }
            td { @if let Some(group) = &job.group { (cut(group)) } }
            td class="number" { (job.attempt) }
            td { @if let Some(why) = &job.last_failure { (cut(why.lines().next().unwrap_or_default())) } }
        }
    }
}

/// Where a job is, and since or until when.
pub(super) fn whereabouts(status: &JobStatus) -> Markup {
    use kv_queue::{DelayedBy, GroupBlock};
    html! {
        @match status {
            JobStatus::Ready { block: None } => "ready",
            JobStatus::Ready { block: Some(GroupBlock::Concurrency) } => "ready; its group runs all that it may",
            JobStatus::Ready { block: Some(GroupBlock::Rate(left)) } => { "ready; its group may start a job in " (span(*left)) },
            JobStatus::Ready { block: Some(GroupBlock::Paused(left)) } => { "ready; its group is paused for " (span(*left)) },
            JobStatus::Delayed { until, left, why } => {
                @match why {
                    DelayedBy::Delay => "delayed",
                    DelayedBy::Retry => "waits for a retry",
                    DelayedBy::Snooze => "snoozed",
                }
                " until " (date(*until)) ", " (span(*left)) " from now"
            },
            JobStatus::Running { since, lease_left, worker, .. } => {
                "running since " (date(*since)) ", its lease ends in " (span(*lease_left))
                @if let Some(worker) = worker { ", by " (cut(worker)) }
            },
            JobStatus::Dead { died, .. } => { "dead since " (date(*died)) },
            JobStatus::Done { at } => { "done at " (date(*at)) },
            _ => "of a kind that this page does not know",
        }
    }
}
