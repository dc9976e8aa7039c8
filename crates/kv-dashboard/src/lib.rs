//! A live page for operators, on every backend: the queues of a store with their figures, waiting
//! jobs, dead letters by reason, groups, schedules, keys, and `/metrics` for Prometheus.
//!
//! [`Dashboard::router`] is an axum router that a service nests under any path;
//! [`Dashboard::serve`] serves it alone, as `oc-kv dashboard` does. Pages are made on the server and
//! work without JavaScript. Everything is in the binary; nothing comes from another host.
//!
//! Every page is JSON for a program that sends `Accept: application/json`, or `format=json` in the
//! query.
//!
//! A dashboard is safe until it is told otherwise. [`Access`] says who may see it. It answers under
//! host names that it knows, changes nothing, and shows neither payloads nor values.
//!
//! ```
//! use axum::Router;
//! use axum::routing::get;
//! use kv_dashboard::{Access, Dashboard, Token};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
//! # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
//! # let secret = "0b4c8d3fb1a94f6e8f0d";
//! let dashboard = Dashboard::new(&store, Access::Token(Token::new(secret)?))
//!     .host("ops.example.org")
//!     .secret_namespace("sessions")
//!     .allow_actions();
//! let service: Router = Router::new()
//!     .route("/health", get(|| async { "ok" }))
//!     .nest("/queues", dashboard.router());
//! # use tower::ServiceExt as _;
//! # let ask = axum::http::Request::get("/queues").header("host", "ops.example.org");
//! # let answer = |ask: axum::http::request::Builder| {
//! #     service.clone().oneshot(ask.body(axum::body::Body::empty()).unwrap())
//! # };
//! # assert_eq!(answer(ask).await.unwrap().status(), 401);
//! # let ask = axum::http::Request::get("/queues").header("host", "ops.example.org");
//! # let ask = ask.header("authorization", format!("Bearer {secret}"));
//! # assert_eq!(answer(ask).await.unwrap().status(), 200);
//! # Ok::<(), kv_core::Error>(()) }).unwrap();
//! ```

mod access;
mod action;
mod app;
mod assets;
mod cursors;
mod dashboard;
mod failure;
mod guard;
mod json;
mod keys;
mod letters;
mod live;
mod metrics;
mod page;
mod parameters;
mod sampler;
#[cfg(feature = "serve")]
mod serve;
mod show;
mod visit;

pub use access::{Access, Token};
pub use dashboard::Dashboard;
pub use metrics::metrics;
pub use sampler::{QueueSample, Sampler, Snapshot};
