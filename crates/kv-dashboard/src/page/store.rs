//! The store: its figures, its namespaces, its keys.

use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use futures_util::stream::{self, StreamExt as _, TryStreamExt as _};
use kv_core::Remaining;
use maud::{Markup, html};
use serde_json::json;

use super::{Subject, page};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::json;
use crate::keys::{self, Keys};
use crate::show::{number, span};
use crate::visit::Visit;

/// How many lifetimes are asked for at once.
const AT_ONCE: usize = 16;

pub(crate) async fn store(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let prefix = visit.parameters.get("prefix").unwrap_or_default();
    let from = match visit.parameters.get("from") {
        Some(number) => Some(app.cursors.find(number).ok_or_else(|| {
            Failure::missing("this place is no longer known; begin the list anew")
        })?),
        None => None,
    };
    let is_first = prefix.is_empty() && from.is_none();
    let found = keys::page(&app, prefix, from).await?;
    if visit.wants_json {
        let (keys, next) = listed(&app, found).await?;
        let keys = json::list(keys, |(key, left)| json!({ "key": key, "ttl_s": json::left(left) }));
        return Ok(json::answer(&json!({ "keys": keys, "next": next })));
    }
    let content = html! {
        @if is_first { (figures(&app).await?) (namespaces(&app, &visit).await?) }
        h2 { "Keys" }
        form class="row" method="get" action=(visit.base.link("/store", &[])) role="search" {
            label { "Begins with " input type="text" name="prefix" value=(prefix); }
            button { "Show" }
        }
        (list(&app, &visit, prefix, found).await?)
    };
    Ok(page(&visit, &Subject { title: "Store", queue: None }, &content))
}

async fn figures(app: &App) -> Result<Markup> {
    let stats = app.store.stats().await?;
    let figures = [
        ("Keys", stats.keys),
        ("Hits", stats.hits),
        ("Misses", stats.misses),
        ("Expired", stats.expired),
        ("Evicted", stats.evicted),
        ("Bytes", stats.bytes),
    ];
    let known = figures.into_iter().filter_map(|(name, figure)| Some((name, figure?)));
    Ok(
        html! { dl { @for (name, figure) in known { div { dt { (name) } dd { (number(figure)) } } } } },
    )
}

async fn namespaces(app: &App, visit: &Visit) -> Result<Markup> {
    let found = keys::namespaces(app).await?;
    Ok(html! {
        @if !found.is_empty() {
            h2 { "Namespaces" }
            ul {
                @for (name, keys) in &found {
                    li {
                        a href=(visit.base.link("/store", &[("prefix", &format!("{name}:"))])) { (name) }
                        " " span class="soft" { (number(*keys)) " keys seen" }
                    }
                }
            }
            p class="soft" { "Those of the first keys that the store shows; not all keys are read." }
        }
    })
}

/// The keys with the time that each has left, and where the next page begins.
async fn listed(app: &App, found: Keys) -> Result<(Vec<(String, Remaining)>, Option<String>)> {
    let asked: Vec<_> = found.keys.into_iter().map(|key| with_ttl(app, key)).collect();
    let rows: Vec<_> = stream::iter(asked).buffered(AT_ONCE).try_collect().await?;
    let rows = rows.into_iter().filter_map(|(key, left)| Some((key, left?))).collect();
    Ok((rows, found.next.map(|cursor| app.cursors.remember(cursor).to_string())))
}

async fn list(app: &App, visit: &Visit, prefix: &str, found: Keys) -> Result<Markup> {
    let (rows, next) = listed(app, found).await?;
    Ok(html! {
        div class="scroll" tabindex="0" role="region" aria-label="Keys" {
            table {
                thead { tr { th scope="col" { "Key" } th scope="col" { "Time left" } } }
                tbody { @for (key, left) in &rows {
                    tr {
                        th scope="row" { a href=(visit.base.link("/key", &[("key", key)])) { (key) } }
                        td class="when" { (time(*left)) }
                    }
                } }
            }
        }
        @if rows.is_empty() { p { "No key here." } }
        @if let Some(next) = next {
            p { a href=(visit.base.link("/store", &[("prefix", prefix), ("from", &next)])) { "More keys" } }
        }
    })
}

/// A key and the time that it has left; `None` if it has expired since.
async fn with_ttl(app: &App, key: String) -> Result<(String, Option<Remaining>)> {
    let left = app.store.ttl(&key).await?;
    Ok((key, left))
}

pub(super) fn time(left: Remaining) -> Markup {
    match left {
        Remaining::Forever => html! { span class="soft" { "for ever" } },
        Remaining::Expires(time) => html! { (span(time)) },
    }
}
