//! The pages, a module each, and what surrounds them.

mod dead;
mod groups;
mod job;
mod jobs;
mod key;
mod queue;
mod queues;
mod schedules;
mod store;
mod waiting;
mod workers;

pub(crate) use dead::dead;
pub(crate) use groups::groups;
pub(crate) use job::job;
pub(crate) use jobs::jobs;
pub(crate) use key::key;
pub(crate) use queue::{figures, queue};
pub(crate) use queues::{queues, table};
pub(crate) use schedules::schedules;
pub(crate) use store::store;
pub(crate) use waiting::waiting;
pub(crate) use workers::workers;

use axum::http::header;
use axum::response::{IntoResponse, Response};
use maud::{DOCTYPE, Markup, html};

use crate::failure::Failure;
use crate::visit::{Base, Visit};

/// What a page is about.
pub(crate) struct Subject<'a> {
    pub(crate) title: &'a str,
    /// The queue that the page belongs to, and which of its pages it is.
    pub(crate) queue: Option<(&'a str, &'static str)>,
}

/// The pages of a queue.
const OF_QUEUE: [(&str, &str); 7] = [
    ("/queue", "Figures"),
    ("/jobs", "Jobs"),
    ("/waiting", "Waiting"),
    ("/dead", "Dead letters"),
    ("/groups", "Groups"),
    ("/schedules", "Schedules"),
    ("/workers", "Workers"),
];

/// A whole page.
pub(crate) fn page(visit: &Visit, subject: &Subject<'_>, content: &Markup) -> Response {
    let done = crate::action::note(&visit.parameters);
    let content = html! {
        @if let Some((queue, own)) = subject.queue {
            nav aria-label="Queue" {
                ul {
                    @for (path, name) in OF_QUEUE {
                        li {
                            a href=(visit.base.link(path, &[("queue", queue)]))
                                aria-current=[(path == own).then_some("page")] { (name) }
                        }
                    }
                }
            }
        }
        h1 { (subject.title) }
        @if let Some(done) = done { p class="note good" role="status" { (done) } }
        (content)
    };
    document(&visit.base, subject.title, &content)
}

/// The page that tells why there is none.
pub(crate) fn failure_page(base: &Base, failure: &Failure) -> Response {
    let title = failure.status.canonical_reason().unwrap_or("Failed");
    let content = html! {
        h1 { (title) }
        p class="note bad" role="alert" { (failure.text) }
        p { a href=(base.link("/", &[])) { "All queues" } }
    };
    let mut response = document(base, title, &content);
    *response.status_mut() = failure.status;
    response
}

/// The answer to a path that leads nowhere.
pub(crate) async fn nothing() -> Failure {
    Failure::missing("there is no such page")
}

fn document(base: &Base, title: &str, content: &Markup) -> Response {
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " · oc-kv" }
                link rel="stylesheet" href=(base.link("/style.css", &[]));
                script src=(base.link("/live.js", &[])) defer {}
            }
            body {
                a class="skip" href="#content" { "Skip to the content" }
                header {
                    nav aria-label="Dashboard" {
                        ul {
                            li { a href=(base.link("/", &[])) { "Queues" } }
                            li { a href=(base.link("/store", &[])) { "Store" } }
                            li { a href=(base.link("/metrics", &[])) { "Metrics" } }
                        }
                    }
                }
                main id="content" { (content) }
            }
        }
    };
    let html = [(header::CONTENT_TYPE, "text/html; charset=utf-8")];
    (html, page.into_string()).into_response()
}
