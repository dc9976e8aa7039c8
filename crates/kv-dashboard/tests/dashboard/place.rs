//! A store, and a viewer of its dashboard.

use std::net::SocketAddr;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode, request};
use kv_core::Store;
use kv_dashboard::{Access, Dashboard};
use kv_queue::Queue;
use kv_testbed::RedisServer;
use serde_json::Value;
use tower::ServiceExt as _;

/// The largest answer that a test reads.
const MOST: usize = 8 << 20;

pub(crate) struct Place {
    pub(crate) store: Store,
    pub(crate) server: Option<RedisServer>,
    _folder: Option<tempfile::TempDir>,
}

impl Place {
    pub(crate) fn memory() -> Self {
        let store = Store::new(kv_memory::MemoryStore::new());
        Self { store, server: None, _folder: None }
    }

    pub(crate) async fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("state.db").display());
        Self { store: open(&url).await, server: None, _folder: Some(folder) }
    }

    pub(crate) async fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        Self { store: open(&server.url()).await, server: Some(server), _folder: None }
    }

    /// A dashboard for this machine that shows and allows nothing beyond the default.
    pub(crate) fn dashboard(&self) -> Dashboard {
        Dashboard::new(&self.store, Access::Loopback)
    }

    /// A viewer who may look only.
    pub(crate) fn viewer(&self) -> Viewer {
        Viewer::of(self.dashboard())
    }

    /// A viewer who may see and change everything.
    pub(crate) fn operator(&self) -> Viewer {
        Viewer::of(self.dashboard().allow_actions().show_payloads().show_values())
    }

    pub(crate) async fn queue(&self, name: &str) -> Queue<Value> {
        Queue::builder(name).partitions(2).open(&self.store).await.unwrap()
    }

    /// A queue whose jobs all died, each of the reason that it carried.
    pub(crate) async fn dead(&self, name: &str, reasons: &[&str]) -> Queue<Value> {
        let queue = self.queue(name).await;
        queue.enqueue_many(reasons.iter().map(|reason| Value::from(*reason))).await.unwrap();
        loop {
            let claimed = queue.dequeue(100).await.unwrap();
            if claimed.is_empty() {
                return queue;
            }
            for delivery in claimed {
                delivery.fail(delivery.payload().as_str().unwrap()).await.unwrap();
            }
        }
    }
}

async fn open(url: &str) -> Store {
    let config = kv_config::Config::from_vars([("OC_KV_STORE_URL", url)]).unwrap();
    config.open().await.unwrap()
}

/// A browser on this machine.
pub(crate) struct Viewer(Router);

/// What the dashboard answered.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) text: String,
}

impl Answer {
    pub(crate) fn location(&self) -> &str {
        self.headers["location"].to_str().unwrap()
    }

    /// Asserts that the page came and shows each of these texts.
    #[track_caller]
    pub(crate) fn shows(&self, texts: &[&str]) -> &Self {
        assert_eq!(self.status, StatusCode::OK, "{}", self.text);
        for text in texts {
            assert!(self.text.contains(text), "{text:?} is not in {}", self.text);
        }
        self
    }

    #[track_caller]
    pub(crate) fn hides(&self, texts: &[&str]) -> &Self {
        for text in texts {
            assert!(!self.text.contains(text), "{text:?} is in {}", self.text);
        }
        self
    }
}

impl Viewer {
    pub(crate) fn of(dashboard: Dashboard) -> Self {
        Self::at(dashboard.router())
    }

    pub(crate) fn at(router: Router) -> Self {
        Self(router)
    }

    /// Sends a request as it is.
    pub(crate) async fn send(&self, request: Request<Body>) -> Answer {
        let response = self.0.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let bytes = axum::body::to_bytes(body, MOST).await.unwrap();
        let text = String::from_utf8(bytes.to_vec()).unwrap();
        Answer { status: parts.status, headers: parts.headers, text }
    }

    /// The answer with its body unread.
    pub(crate) async fn open(&self, path: &str) -> axum::response::Response {
        self.0
            .clone()
            .oneshot(local(Request::get(path)).body(Body::empty()).unwrap())
            .await
            .unwrap()
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        self.send(local(Request::get(path)).body(Body::empty()).unwrap()).await
    }

    /// Sends a form as a browser does from a page of the dashboard.
    pub(crate) async fn act(&self, fields: &[(&str, &str)]) -> Answer {
        let mut form = form_urlencoded::Serializer::new(String::new());
        let form = form.extend_pairs(fields).finish();
        self.send(posted().body(Body::from(form)).unwrap()).await
    }

    /// The same, which must be done; returns the page that follows.
    #[track_caller]
    pub(crate) fn done(&self, fields: &[(&str, &str)]) -> impl Future<Output = Answer> {
        let place = std::panic::Location::caller();
        async move {
            let answer = self.act(fields).await;
            assert_eq!(answer.status, StatusCode::SEE_OTHER, "{place}: {}", answer.text);
            self.get(answer.location()).await
        }
    }
}

/// A request from this machine, by its name.
pub(crate) fn local(request: request::Builder) -> request::Builder {
    let peer = SocketAddr::from(([127, 0, 0, 1], 50_000));
    request.header("host", "localhost:8420").extension(ConnectInfo(peer))
}

/// A form from a page of the dashboard.
pub(crate) fn posted() -> request::Builder {
    let form = "application/x-www-form-urlencoded";
    let request = local(Request::post("/act")).header("content-type", form);
    request.header("sec-fetch-site", "same-origin").header("origin", "http://localhost:8420")
}
