//! The dead letters of a queue, grouped by the first line of their reason.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use axum::extract::State;
use axum::response::Response;
use kv_queue::DeadJob;
use maud::{Markup, html};
use serde_json::{Value, json};

use super::{Subject, page};
use crate::app::App;
use crate::failure::Result;
use crate::json;
use crate::letters::{self, Letters, MOST_READ};
use crate::show::{cut, date, decoded, number};
use crate::visit::Visit;

/// How many letters a page shows.
const SHOWN: usize = 50;

/// How many reasons a page shows, the most frequent first.
const REASONS: usize = 50;

pub(crate) async fn dead(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let name = visit.parameters.required("queue")?;
    let queue = app.queue::<()>(name).await?;
    let all = queue.stats().await?.dead;
    let letters = letters::read(&queue, MOST_READ, |_| true).await?;
    let reason = visit.parameters.get("reason");
    if visit.wants_json {
        return Ok(json::answer(&told(&app, all, &letters, reason)));
    }
    let content = html! {
        p { (number(all)) " dead letters."
            @if letters.is_cut { " The oldest " (number(letters.read.len() as u64)) " were read." }
        }
        @if !letters.read.is_empty() {
            (by_reason(&visit, name, &letters))
            (list(&app, &visit, name, &letters, reason))
        }
        @if app.settings.actions && all > 0 { (on_all(&visit, name)) }
    };
    Ok(page(&visit, &Subject { title: name, queue: Some((name, "/dead")) }, &content))
}

fn told(app: &App, all: u64, letters: &Letters, reason: Option<&str>) -> Value {
    let reasons = json::list(
        counts(letters).iter().take(REASONS),
        |(reason, count)| json!({ "reason": reason, "letters": count }),
    );
    let shown = json::list(asked(letters, reason).take(SHOWN), |letter| {
        let mut told = json::letter(letter);
        if app.settings.payloads {
            let payload = json::content(app.store.serializer(), &letter.payload);
            json::add(&mut told, json!({ "payload": payload }));
        }
        told
    });
    json!({ "dead": all, "read": letters.read.len(), "reasons": reasons, "letters": shown })
}

/// How many letters have each reason, the most frequent first.
fn counts(letters: &Letters) -> Vec<(&str, u64)> {
    let mut counts = BTreeMap::<&str, u64>::new();
    for letter in &letters.read {
        *counts.entry(letters::first_line(letter)).or_default() += 1;
    }
    let mut sorted: Vec<_> = counts.into_iter().collect();
    sorted.sort_by_key(|(_, count)| Reverse(*count));
    sorted
}

/// The letters with a reason, or all.
fn asked<'a>(letters: &'a Letters, reason: Option<&str>) -> impl Iterator<Item = &'a DeadJob> {
    let is_asked =
        move |it: &&DeadJob| reason.is_none_or(|reason| letters::first_line(it) == reason);
    letters.read.iter().filter(is_asked)
}

fn by_reason(visit: &Visit, queue: &str, letters: &Letters) -> Markup {
    let sorted = counts(letters);
    let link = |reason| visit.base.link("/dead", &[("queue", queue), ("reason", reason)]);
    html! {
        h2 { "Reasons" }
        div class="scroll" tabindex="0" role="region" aria-label="Reasons" {
            table {
                thead { tr { th scope="col" class="number" { "Letters" } th scope="col" { "Reason" } } }
                tbody {
                    @for (reason, count) in sorted.iter().take(REASONS) {
                        tr {
                            td class="number" { (number(*count)) }
                            td { @if reason.is_empty() { em { "none" } } @else { a href=(link(reason)) { (cut(reason)) } } }
                        }
                    }
                }
            }
        }
        @if sorted.len() > REASONS { p class="soft" { "The " (REASONS) " most frequent are shown." } }
    }
}

fn list(app: &App, visit: &Visit, queue: &str, letters: &Letters, reason: Option<&str>) -> Markup {
    let found: Vec<_> = asked(letters, reason).collect();
    let actions = app.settings.actions;
    html! {
        h2 { "Letters" }
        @if let Some(reason) = reason {
            p { "Only with the reason " q { (cut(reason)) } ". "
                a href=(visit.base.link("/dead", &[("queue", queue)])) { "Show all" } }
        }
        form method="post" action=(visit.base.link("/act", &[])) {
            input type="hidden" name="queue" value=(queue);
            @if let Some(reason) = reason { input type="hidden" name="reason" value=(reason); }
            div class="scroll" tabindex="0" role="region" aria-label="Dead letters" {
                table {
                    thead {
                        tr {
                            @if actions { th scope="col" {
                                label { input type="checkbox" data-select-all hidden; " Select" }
                            } }
                            @for heading in ["Job", "Died", "Failures", "Crashes", "Reason"] { th scope="col" { (heading) } }
                            @if app.settings.payloads { th scope="col" { "Payload" } }
                        }
                    }
                    tbody { @for letter in found.iter().take(SHOWN) { (row(app, letter)) } }
                }
            }
            @if found.len() > SHOWN { p class="soft" { "The oldest " (SHOWN) " are shown." } }
            @if actions { (on_some(reason)) }
        }
    }
}

fn row(app: &App, letter: &DeadJob) -> Markup {
    let id = letter.id.to_string();
    html! {
        tr {
            @if app.settings.actions {
                td { input type="checkbox" name="id" value=(id) aria-label={ "Select job " (id) }; }
            }
            th scope="row" { code { (id) } }
            td class="when" { (date(letter.died)) }
            td class="number" { (letter.failures) }
            td class="number" { (letter.crashes) }
            td { pre { (cut(&letter.reason)) } }
            @if app.settings.payloads { td { (decoded(app.store.serializer(), &letter.payload)) } }
        }
    }
}

fn on_some(reason: Option<&str>) -> Markup {
    html! {
        p {
            button name="action" value="redrive:selected" { "Run selected again" }
            " "
            button class="danger" name="action" value="discard:selected" { "Discard selected" }
        }
        @if reason.is_some() {
            p {
                button name="action" value="redrive:reason" { "Run all with this reason again" }
                " "
                button class="danger" name="action" value="discard:reason" { "Discard all with this reason" }
                " "
                (sure())
            }
        }
    }
}

fn on_all(visit: &Visit, queue: &str) -> Markup {
    html! {
        h2 { "All dead letters" }
        form method="post" action=(visit.base.link("/act", &[])) {
            input type="hidden" name="queue" value=(queue);
            p {
                button name="action" value="redrive:all" { "Run all again" }
                " "
                button class="danger" name="action" value="discard:all" { "Discard all" }
                " "
                (sure())
            }
            p class="soft" { "At most " (number(letters::MOST_CHANGED as u64)) " at a time, the oldest first." }
        }
    }
}

/// What discarding many asks for.
fn sure() -> Markup {
    html! { label { input type="checkbox" name="confirm" value="yes"; " I am sure" } }
}
