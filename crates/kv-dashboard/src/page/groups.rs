//! The groups of a queue: what waits, what runs, what keeps a group from a start.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use kv_queue::{GroupBlock, GroupState};
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::show::{number, span};
use crate::visit::Visit;

/// How many groups are shown.
const SHOWN: usize = 200;

pub(crate) async fn groups(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let groups = app.queue::<()>(name).await?.some_groups(SHOWN).await?;
    if visit.wants_json {
        return Ok(json::answer(&json!({ "groups": json::list(&groups, json::group) })));
    }
    let content = html! {
        @if groups.is_empty() {
            p { "No job that waits or runs has a group, and no group has a limit or a pause." }
        } @else {
            div class="scroll" tabindex="0" role="region" aria-label="Groups" {
                table {
                    thead {
                        tr {
                            th scope="col" { "Group" }
                            th scope="col" class="number" { "Waiting" }
                            th scope="col" class="number" { "Running" }
                            th scope="col" { "Limited by" }
                            @if app.settings.actions { th scope="col" { "Actions" } }
                        }
                    }
                    tbody { @for group in &groups { (row(&app, &visit, name, group)) } }
                }
            }
            @if groups.len() == SHOWN { p class="soft" { "There may be more; " (SHOWN) " are shown." } }
        }
        @if app.settings.actions { (pause(&visit, name)) }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/groups")) }, &content))
}

fn row(app: &App, visit: &Visit, queue: &str, group: &GroupState) -> Markup {
    html! {
        tr {
            th scope="row" { (group.name) }
            td class="number" { (number(group.waiting)) }
            td class="number" { (number(u64::from(group.running))) }
            td { (block(app, group.block)) }
            @if app.settings.actions {
                td {
                    form class="row" method="post" action=(visit.base.link("/act", &[])) {
                        input type="hidden" name="queue" value=(queue);
                        input type="hidden" name="group" value=(group.name);
                        @if matches!(group.block, Some(GroupBlock::Paused(_))) {
                            button name="action" value="resume-group" { "Resume" }
                        } @else {
                            input type="hidden" name="minutes" value="60";
                            button name="action" value="pause-group" { "Pause for an hour" }
                        }
                    }
                }
            }
        }
    }
}

/// What keeps a group from a start, and until when by the machine's clock.
fn block(app: &App, block: Option<GroupBlock>) -> Markup {
    let until = |what: &str, left: Duration| {
        let date = app.clock.wall().checked_add(left).map(crate::show::date);
        html! {
            span class="warn" { (what) } " for " (span(left))
            @if let Some(date) = date.filter(|_| left < Duration::from_secs(86_400 * 36_500)) {
                ", until " span class="when" { (date) }
            }
        }
    };
    match block {
        None => html! { span class="soft" { "nothing" } },
        Some(GroupBlock::Concurrency) => html! { span class="warn" { "jobs at a time" } },
        Some(GroupBlock::Rate(left)) => until("its rate", left),
        Some(GroupBlock::Paused(left)) => until("a pause", left),
    }
}

fn pause(visit: &Visit, queue: &str) -> Markup {
    html! {
        h2 { "Pause a group" }
        form class="row" method="post" action=(visit.base.link("/act", &[])) {
            input type="hidden" name="queue" value=(queue);
            label { "Group " input type="text" name="group" required; }
            label { "Minutes " input type="text" name="minutes" value="60" inputmode="numeric" required; }
            button name="action" value="pause-group" { "Pause" }
            button name="action" value="resume-group" { "Resume" }
        }
    }
}
