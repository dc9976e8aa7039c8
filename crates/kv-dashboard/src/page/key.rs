//! A key: how long it lives, and its value where values are shown.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use maud::{Markup, html};
use serde_json::json;

use super::store::time;
use super::{Subject, page};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::json;
use crate::show::{decoded, number};
use crate::visit::Visit;

pub(crate) async fn key(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let key = visit.parameters.required("key")?;
    // Before the store is asked, so that nobody learns whether the key is there.
    if app.settings.is_secret(key) {
        return Err(Failure::forbidden("the namespace of this key is secret"));
    }
    let missing = || Failure::missing("there is no such key");
    let left = app.store.ttl(key).await?.ok_or_else(missing)?;
    if visit.wants_json {
        let mut told = json!({ "key": key, "ttl_s": json::left(left) });
        if app.settings.values {
            let stored = app.store.get_bytes(key).await?.ok_or_else(missing)?;
            let value = json::content(app.store.serializer(), &stored);
            json::add(&mut told, json!({ "bytes": stored.len(), "value": value }));
        }
        return Ok(json::answer(&told));
    }
    let content = html! {
        dl { div { dt { "Time left" } dd { (time(left)) } } }
        h2 { "Value" }
        @if app.settings.values {
            (value(&app, key).await?.ok_or_else(missing)?)
        } @else {
            p class="note" { "Values are hidden. Whoever starts the dashboard can show them." }
        }
    };
    Ok(page(&visit, &Subject { title: key, queue: None }, &content))
}

async fn value(app: &App, key: &str) -> Result<Option<Markup>> {
    let stored = app.store.get_bytes(key).await?;
    Ok(stored.map(|stored| {
        html! {
            p class="soft" { (number(stored.len() as u64)) " bytes" }
            (decoded(app.store.serializer(), &stored))
        }
    }))
}
