//! The schedules of a queue, with the next and the last time of each.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use kv_queue::{Firing, ScheduleInfo};
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::show::{date, since_1970, span};
use crate::visit::Visit;

pub(crate) async fn schedules(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    // A queue has at most a thousand.
    let schedules = app.queue::<()>(name).await?.schedules().list().await?;
    if visit.wants_json {
        return Ok(json::answer(&json!({ "schedules": json::list(&schedules, json::schedule) })));
    }
    let content = html! {
        @if schedules.is_empty() {
            p { "No schedule." }
        } @else {
            div class="scroll" tabindex="0" role="region" aria-label="Schedules" {
                table {
                    thead {
                        tr {
                            @for heading in ["Schedule", "Times", "Next", "Last"] { th scope="col" { (heading) } }
                            @if app.settings.actions { th scope="col" { "Actions" } }
                        }
                    }
                    tbody { @for schedule in &schedules { (row(&app, &visit, name, schedule)) } }
                }
            }
        }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/schedules")) }, &content))
}

fn row(app: &App, visit: &Visit, queue: &str, schedule: &ScheduleInfo) -> Markup {
    html! {
        tr {
            th scope="row" { (schedule.name) }
            td { code { (schedule.cron.expression()) } br; span class="soft" { (schedule.cron.zone()) } }
            td { (next(app, schedule)) }
            td { (history(schedule)) }
            @if app.settings.actions {
                td {
                    form class="row" method="post" action=(visit.base.link("/act", &[])) {
                        input type="hidden" name="queue" value=(queue);
                        input type="hidden" name="schedule" value=(schedule.name);
                        @if schedule.is_paused {
                            button name="action" value="resume-schedule" { "Resume" }
                        } @else {
                            button name="action" value="pause-schedule" { "Pause" }
                        }
                        button name="action" value="run-schedule" { "Run now" }
                    }
                }
            }
        }
    }
}

fn next(app: &App, schedule: &ScheduleInfo) -> Markup {
    let next = schedule.next.map(since_1970);
    html! {
        @if schedule.is_paused {
            span class="warn" { "paused" }
        } @else if let Some(next) = next {
            span class="when" { (date(next)) } br;
            span class="soft" { "in " (span(next.saturating_sub(app.clock.wall()))) }
        } @else {
            span class="soft" { "none" }
        }
    }
}

fn history(schedule: &ScheduleInfo) -> Markup {
    let firing = |firing: &Firing| {
        html! {
            span class="when" { (date(since_1970(firing.at))) } " "
            @match firing.job {
                Some(job) => code { (job) },
                None => span class="warn" { "skipped" },
            }
        }
    };
    html! {
        @match schedule.history.split_first() {
            None => span class="soft" { "never" },
            Some((last, [])) => (firing(last)),
            Some((last, earlier)) => details {
                summary { (firing(last)) }
                ul { @for one in earlier { li { (firing(one)) } } }
            },
        }
    }
}
