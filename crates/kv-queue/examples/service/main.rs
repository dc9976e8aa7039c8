//! A web service that works in the background: it takes an order, tells where it stands, and hands
//! out the result.
//!
//! ```text
//! cargo run --release --example service -- 127.0.0.1:8000
//! curl -d 'to be or not to be' http://127.0.0.1:8000/counts        # {"id":"…","state":"ready"}
//! curl http://127.0.0.1:8000/counts/ID                             # {"id":"…","state":"done"}
//! curl http://127.0.0.1:8000/counts/ID/result?wait=10              # {"to":2,"be":2,"or":1,"not":1}
//! ```
//!
//! The orders are in the store that `OC_KV_STORE_*` names, or else in one file: an order that was
//! taken is done, even if the service is killed in the middle.

mod work;

use std::process::ExitCode;
use std::time::Duration;

use axum::extract::{DefaultBodyLimit, Path, Query, State};
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use axum::{Json, Router};
use kv_config::Config;
use kv_core::{BoxError, Error, ErrorKind, Store};
use kv_queue::{CancellationToken, JobId, JobStatus, Queue, Worker};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use crate::work::{Counts, Text};

/// A longer text is refused.
const MOST_BYTES: usize = 512 << 10;

/// The longest that a request waits for a result.
const MOST_WAIT: Duration = Duration::from_secs(30);

/// How long a result can be fetched.
const KEPT: Duration = Duration::from_secs(60 * 60);

#[tokio::main]
async fn main() -> ExitCode {
    match serve().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("service: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve() -> Result<(), BoxError> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8000".to_owned());
    let queue = Queue::<Text>::builder("counts")
        .lease(Duration::from_secs(5))
        .max_failures(3)
        .keep_done(100_000)
        .keep_done_for(KEPT)
        .open(&open().await?)
        .await?;
    let listener = TcpListener::bind(&address).await?;
    println!("listening on http://{}", listener.local_addr()?);

    let stop = CancellationToken::new();
    let worker = Worker::new(queue.clone()).concurrency(4).stop_on(stop.clone());
    let working = tokio::spawn(worker.run(work::count));
    // A request must not wait for a store that is away: it fails at once, with 503.
    let app = router(queue.fail_fast());
    axum::serve(listener, app).with_graceful_shutdown(asked_to_stop()).await?;
    // No more orders come. What runs may end; what waits is for the next process.
    stop.cancel();
    working.await??;
    Ok(())
}

fn router(queue: Queue<Text>) -> Router {
    Router::new()
        .route("/counts", post(order))
        .route("/counts/{id}", get(state))
        .route("/counts/{id}/result", get(result))
        .layer(DefaultBodyLimit::max(MOST_BYTES))
        .with_state(queue)
}

/// Takes an order. It is stored when this answers.
async fn order(State(queue): State<Queue<Text>>, text: String) -> Result<Response, Failed> {
    let id = queue.enqueue(Text(text)).await?.id();
    Ok((StatusCode::ACCEPTED, Json(json!({ "id": id, "state": "ready" }))).into_response())
}

/// Tells where an order stands.
async fn state(
    State(queue): State<Queue<Text>>,
    Path(id): Path<String>,
) -> Result<Json<Value>, Failed> {
    let id = parse(&id)?;
    let job = queue.job(id).await?.ok_or(Failed(StatusCode::NOT_FOUND, "no such order".into()))?;
    let reason = match &job.status {
        JobStatus::Dead { reason, .. } => Some(reason),
        _ => job.last_failure.as_ref(),
    };
    let state = job.status.state().name();
    Ok(Json(json!({ "id": id, "state": state, "attempt": job.attempt, "failure": reason })))
}

/// How many seconds a request waits.
#[derive(Deserialize)]
struct Wait {
    #[serde(default)]
    wait: u64,
}

/// Hands out a result, or says 202 if it is not there within the time.
async fn result(
    State(queue): State<Queue<Text>>,
    Path(id): Path<String>,
    Query(Wait { wait }): Query<Wait>,
) -> Result<Response, Failed> {
    let id = parse(&id)?;
    match queue.wait::<Counts>(id, Duration::from_secs(wait).min(MOST_WAIT)).await {
        Ok(counts) => Ok(Json(counts).into_response()),
        Err(error) if error.kind() == ErrorKind::Timeout && queue.job(id).await?.is_some() => {
            Ok((StatusCode::ACCEPTED, Json(json!({ "id": id }))).into_response())
        }
        Err(error) => Err(error.into()),
    }
}

fn parse(id: &str) -> Result<JobId, Failed> {
    id.parse().map_err(|_| Failed(StatusCode::BAD_REQUEST, "no id of an order".to_owned()))
}

/// An answer that says what went wrong.
struct Failed(StatusCode, String);

impl From<Error> for Failed {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            // Dead, or gone.
            ErrorKind::Conflict => StatusCode::GONE,
            ErrorKind::InvalidKey => StatusCode::NOT_FOUND,
            ErrorKind::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorKind::Connection | ErrorKind::Timeout | ErrorKind::Backpressure => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        if status.is_server_error() {
            eprintln!("{error}");
        }
        Self(
            status,
            if status.is_server_error() { "not now".to_owned() } else { error.to_string() },
        )
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The store that the environment names, or else a file.
async fn open() -> Result<Store, BoxError> {
    if std::env::var_os("OC_KV_STORE_TYPE").is_some() {
        return Ok(kv_config::from_env().await?);
    }
    Ok(Config::builder().store_type("sqlite").sqlite_path("service.db").build()?.open().await?)
}

/// Ctrl-C, or SIGTERM, by which a service is stopped.
async fn asked_to_stop() {
    #[cfg(unix)]
    {
        use tokio::signal::unix::{SignalKind, signal};
        if let Ok(mut terminate) = signal(SignalKind::terminate()) {
            tokio::select! {
                _ = terminate.recv() => {}
                _ = tokio::signal::ctrl_c() => {}
            }
            return;
        }
    }
    drop(tokio::signal::ctrl_c().await);
}
