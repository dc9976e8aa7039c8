//! What a viewer may change: parsed at the edge, done once, logged, and answered with the page.

mod parse;
mod perform;

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use kv_queue::JobId;

use crate::app::App;
use crate::failure::{Failure, Result};
use crate::parameters::Parameters;
use crate::show::number;
use crate::visit::Visit;

/// The largest form in bytes.
const MAX_FORM: usize = 64 << 10;

/// How long a form may take to arrive.
const FORM_TIME: Duration = Duration::from_secs(10);

/// The only way that a form is encoded here.
const FORM: &str = "application/x-www-form-urlencoded";

/// What is to be done with a queue.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Action {
    Pause,
    Resume,
    Clear,
    Delete,
    Redrive(Which),
    Discard(Which),
    RunNow(Vec<JobId>),
    Cancel(Vec<JobId>),
    PauseGroup(String, Duration),
    ResumeGroup(String),
    PauseSchedule(String),
    ResumeSchedule(String),
    RunSchedule(String),
}

/// Which dead letters.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Which {
    Selected(Vec<JobId>),
    /// Those whose reason begins with this line.
    Reason(String),
    All,
}

/// What the page says after an action: its word in the address, and the sentence. The address has no
/// text of its own, so that nobody can make the page say something by a link.
const DONE: [(&str, &str); 13] = [
    ("pause", "The queue is paused."),
    ("resume", "The pause has ended."),
    ("clear", "Jobs removed:"),
    ("delete", "The queue is deleted."),
    ("redrive", "Dead letters that are ready again:"),
    ("discard", "Jobs discarded:"),
    ("run-now", "Jobs that run now:"),
    ("cancel", "Jobs cancelled:"),
    ("pause-group", "The group is paused."),
    ("resume-group", "The group's pause has ended."),
    ("pause-schedule", "The schedule is paused."),
    ("resume-schedule", "The schedule's pause has ended."),
    ("run-schedule", "The job of the schedule is enqueued."),
];

impl Action {
    const fn name(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Clear => "clear",
            Self::Delete => "delete",
            Self::Redrive(_) => "redrive",
            Self::Discard(_) => "discard",
            Self::RunNow(_) => "run-now",
            Self::Cancel(_) => "cancel",
            Self::PauseGroup(..) => "pause-group",
            Self::ResumeGroup(_) => "resume-group",
            Self::PauseSchedule(_) => "pause-schedule",
            Self::ResumeSchedule(_) => "resume-schedule",
            Self::RunSchedule(_) => "run-schedule",
        }
    }

    /// Where the viewer was.
    const fn page(&self) -> &'static str {
        match self {
            Self::Pause | Self::Resume | Self::Clear => "/queue",
            Self::Delete => "/",
            Self::Redrive(_) | Self::Discard(_) => "/dead",
            Self::RunNow(_) | Self::Cancel(_) => "/jobs",
            Self::PauseGroup(..) | Self::ResumeGroup(_) => "/groups",
            Self::PauseSchedule(_) | Self::ResumeSchedule(_) | Self::RunSchedule(_) => "/schedules",
        }
    }

    /// What the log says of it beside its name. A reason may quote a payload, so it is left out.
    fn subject(&self) -> String {
        match self {
            Self::PauseGroup(name, _) | Self::ResumeGroup(name) => format!("{name:?}"),
            Self::PauseSchedule(name) | Self::ResumeSchedule(name) | Self::RunSchedule(name) => {
                format!("{name:?}")
            }
            Self::Redrive(which) | Self::Discard(which) => match which {
                Which::Selected(ids) => listed(ids),
                Which::Reason(_) => "all with one reason".to_owned(),
                Which::All => "all".to_owned(),
            },
            Self::RunNow(ids) | Self::Cancel(ids) => listed(ids),
            Self::Pause | Self::Resume | Self::Clear | Self::Delete => String::new(),
        }
    }
}

fn listed(ids: &[JobId]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ")
}

pub(crate) async fn act(
    State(app): State<Arc<App>>,
    visit: Visit,
    headers: HeaderMap,
    body: Body,
) -> Result<Response> {
    let form = form(&headers, body).await?;
    let name = form.required("queue")?;
    let action = Action::parse(&form)?;
    let (viewer, subject) = (&visit.viewer.0, action.subject());
    tracing::info!(?viewer, queue = ?name, action = action.name(), subject, "a viewer asks for an action");
    let done = perform::perform(&app, name, &action).await;
    app.sampler.expire();
    let failed = done.as_ref().err().map(|failure| failure.text.as_str());
    let changed = done.as_ref().ok();
    tracing::info!(?viewer, queue = ?name, action = action.name(), changed, failed, "the action has ended");
    let count = done?.to_string();
    let query = [("queue", name), ("done", action.name()), ("count", &count)];
    let own = if action == Action::Delete { &query[1..] } else { &query[..] };
    let location = visit.base.link(action.page(), own);
    Ok((StatusCode::SEE_OTHER, [(header::LOCATION, location)]).into_response())
}

/// The fields of a form, read in bounded time and memory.
async fn form(headers: &HeaderMap, body: Body) -> Result<Parameters> {
    let kind = headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok());
    let kind = kind.and_then(|kind| kind.split(';').next()).map(str::trim);
    if kind != Some(FORM) {
        let text = format!("the form is not encoded as {FORM}");
        return Err(Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, text));
    }
    let read = tokio::time::timeout(FORM_TIME, axum::body::to_bytes(body, MAX_FORM)).await;
    let read = read.map_err(|_| {
        let text = format!("the form did not arrive within {} s", FORM_TIME.as_secs());
        Failure::new(StatusCode::REQUEST_TIMEOUT, text)
    })?;
    let bytes = read.map_err(|_| {
        let text = format!("the form broke off, or has more than {MAX_FORM} bytes");
        Failure::new(StatusCode::PAYLOAD_TOO_LARGE, text)
    })?;
    Parameters::parse(&bytes)
}

/// What an address says was done, in our own words.
pub(crate) fn note(parameters: &Parameters) -> Option<String> {
    let word = parameters.get("done")?;
    let (_, sentence) = DONE.iter().find(|(name, _)| *name == word)?;
    if !sentence.ends_with(':') {
        return Some((*sentence).to_owned());
    }
    let count: u64 = parameters.get("count")?.parse().ok()?;
    Some(format!("{sentence} {}", number(count)))
}
