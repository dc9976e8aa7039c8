//! Live updates: parts of a page, made anew after each count, over one stream.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use futures_util::stream;
use tokio::time::Instant;

use crate::app::App;
use crate::failure::{Failure, Result};
use crate::page;
use crate::sampler::{Snapshot, Watch};
use crate::visit::{Base, Visit};

/// How long a stream lasts. The browser then asks for another, so that a viewer who is gone without
/// a word holds a place no longer than this.
const STREAM_TIME: Duration = Duration::from_secs(240);

/// After how many milliseconds a browser asks again.
const RETRY: &str = "retry: 2000\n\n";

/// One viewer's stream.
struct Live {
    watch: Watch,
    base: Base,
    part: Part,
    until: Instant,
    has_begun: bool,
}

/// Which part of which page is live.
enum Part {
    Queues { filter: Option<String>, after: Option<String> },
    Queue(String),
}

pub(crate) async fn stream(State(app): State<Arc<App>>, visit: Visit) -> Result<Response> {
    let Some(watch) = app.sampler.watch() else {
        let text = "too many live viewers; the page works without live updates";
        return Err(Failure::new(StatusCode::SERVICE_UNAVAILABLE, text));
    };
    let own = |name| visit.parameters.get(name).map(str::to_owned);
    let part = match own("queue") {
        Some(queue) => Part::Queue(queue),
        None => Part::Queues { filter: own("filter"), after: own("after") },
    };
    let until = Instant::now() + STREAM_TIME;
    let live = Live { watch, base: visit.base, part, until, has_begun: false };
    let events = stream::unfold(live, |mut live| async move {
        let event = live.next().await?;
        Some((Ok::<_, Infallible>(event), live))
    });
    let headers = [(header::CONTENT_TYPE, "text/event-stream")];
    Ok((headers, Body::from_stream(events)).into_response())
}

impl Live {
    /// The next event. Nothing is made ahead of a viewer who reads slowly: the viewer gets the
    /// latest count next.
    async fn next(&mut self) -> Option<String> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        let counted =
            async { if is_first { self.watch.first().await } else { self.watch.next().await } };
        let snapshot = tokio::time::timeout_at(self.until, counted).await.ok()??;
        let lead = if is_first { RETRY } else { "" };
        Some([lead, &event(&self.html(&snapshot))].concat())
    }

    fn html(&self, snapshot: &Snapshot) -> String {
        match &self.part {
            Part::Queues { filter, after } => {
                page::table(&self.base, snapshot, filter.as_deref(), after.as_deref()).into_string()
            }
            Part::Queue(name) => page::figures(snapshot, name).map_or_else(
                || "<p class=\"note\">The queue is not counted: it was deleted, or there are very many.</p>".to_owned(),
                maud::PreEscaped::into_string,
            ),
        }
    }
}

/// A text as one event; each of its lines is a field, so that no text can begin another event.
fn event(text: &str) -> String {
    let mut event = String::with_capacity(text.len() + 16);
    for line in text.split(['\n', '\r']) {
        event.push_str("data: ");
        event.push_str(line);
        event.push('\n');
    }
    event.push('\n');
    event
}

#[cfg(test)]
mod tests {
    use super::event;

    #[test]
    fn a_text_cannot_leave_its_event() {
        assert_eq!(event("one"), "data: one\n\n");
        let hostile = event("a\n\nevent: x\rdata: y\r\n\r\n");
        assert!(
            hostile.trim_end_matches('\n').lines().all(|line| line.starts_with("data: ")),
            "{hostile:?}"
        );
    }
}
