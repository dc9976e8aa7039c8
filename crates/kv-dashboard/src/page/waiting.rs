//! The jobs of a queue that a claim would take next.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::html;
use serde_json::{Value, json};

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::show::{self, number};
use crate::visit::Visit;

/// How many jobs are shown. Each may be as large as the queue allows.
const SHOWN: usize = 20;

pub(crate) async fn waiting(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let queue = app.queue::<Value>(name).await?;
    let ready = queue.stats().await?.ready;
    let shown = if app.settings.payloads { queue.peek(SHOWN).await? } else { Vec::new() };
    if visit.wants_json {
        let payloads = app.settings.payloads.then_some(&shown);
        return Ok(json::answer(&json!({ "ready": ready, "payloads": payloads })));
    }
    let content = html! {
        p { (number(ready)) " jobs are ready." }
        @if !app.settings.payloads {
            p class="note" { "Payloads are hidden. Whoever starts the dashboard can show them." }
        } @else if !shown.is_empty() {
            div class="scroll" tabindex="0" role="region" aria-label="Ready jobs" {
                table {
                    thead { tr { th scope="col" class="number" { "Place" } th scope="col" { "Payload" } } }
                    tbody {
                        @for (place, payload) in shown.iter().enumerate() {
                            tr { td class="number" { (place + 1) } td { (show::json(payload)) } }
                        }
                    }
                }
            }
            p class="soft" { "The first " (SHOWN) " at most, in the order of each partition." }
        }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/waiting")) }, &content))
}
