//! The workers of a queue, and what they run.

use std::sync::Arc;

use axum::extract::State as Shared;
use axum::response::Response;
use kv_queue::WorkerInfo;
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::show::{cut, date, number};
use crate::visit::Visit;

/// How many workers are shown.
const SHOWN: usize = 200;

pub(crate) async fn workers(Shared(app): Shared<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let workers = app.queue::<()>(name).await?.workers().await?;
    if visit.wants_json {
        let shown = json::list(workers.iter().take(SHOWN), json::worker);
        return Ok(json::answer(&json!({ "workers": shown, "in_all": workers.len() })));
    }
    let content = html! {
        p { (number(workers.len() as u64)) " workers. Each says every 10 s that it is there." }
        @if !workers.is_empty() {
            div class="scroll" tabindex="0" role="region" aria-label="Workers" {
                table {
                    thead {
                        tr {
                            @for heading in ["Worker", "Host", "Process", "Version", "Since", "Busy", "Runs"] {
                                th scope="col" { (heading) }
                            }
                        }
                    }
                    tbody { @for worker in workers.iter().take(SHOWN) { (row(&visit, name, worker)) } }
                }
            }
            @if workers.len() > SHOWN { p class="soft" { "The first " (SHOWN) " are shown." } }
        }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/workers")) }, &content))
}

fn row(visit: &Visit, queue: &str, worker: &WorkerInfo) -> Markup {
    html! {
        tr {
            th scope="row" { (cut(&worker.name)) }
            td { (cut(&worker.host)) }
            td class="number" { (worker.pid) }
            td { (cut(&worker.version)) }
            td class="when" { (date(worker.since)) }
            td class="number" { (worker.busy) " of " (worker.concurrency) }
            td {
                @for id in &worker.running {
                    @let id = id.to_string();
                    a href=(visit.base.link("/job", &[("queue", queue), ("id", &id)])) { code { (id) } } " "
                }
            }
        }
    }
}
