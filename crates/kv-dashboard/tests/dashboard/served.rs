//! The dashboard on a socket of its own, and nested in a service.

use std::net::SocketAddr;

use axum::Router;
use axum::http::StatusCode;
use axum::routing::get;
use kv_core::ErrorKind;
use kv_dashboard::{Access, Dashboard, Token};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::oneshot;

use crate::place::{Place, Viewer};

/// A dashboard that is served until the sender is used or dropped.
async fn served(
    dashboard: Dashboard,
) -> (SocketAddr, oneshot::Sender<()>, tokio::task::JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (stop, stopped) = oneshot::channel::<()>();
    let stopped = async { drop(stopped.await) };
    let task = tokio::spawn(async move { dashboard.serve(listener, stopped).await.unwrap() });
    (address, stop, task)
}

async fn ask(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    // A server that closes early resets the connection.
    let _ = stream.read_to_end(&mut answer).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_served_dashboard_answers_this_machine_and_stops_when_told() {
    let place = Place::memory();
    place.queue("mails").await;
    let (address, stop, task) = served(place.dashboard()).await;
    let request = format!("GET / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    let page = ask(address, &request).await;
    assert!(page.starts_with("HTTP/1.1 200") && page.contains("mails"), "{page}");
    let foreign =
        ask(address, "GET / HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n").await;
    assert!(foreign.starts_with("HTTP/1.1 421"), "{foreign}");
    stop.send(()).unwrap();
    task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_half_a_request_is_let_go() {
    let place = Place::memory();
    let (address, _stop, _task) = served(place.dashboard()).await;
    let answer = ask(address, "GET / HTTP/1.1\r\nHost: loc").await;
    assert!(!answer.contains("200 OK"), "{answer}");
    let large = format!("GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n", "a".repeat(1 << 20));
    let answer = ask(address, &large).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn nobody_else_is_served_without_a_token() {
    let place = Place::memory();
    for access in [Access::Loopback, Access::Checked] {
        let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
        let served = Dashboard::new(&place.store, access).serve(listener, std::future::ready(()));
        assert_eq!(served.await.unwrap_err().kind(), ErrorKind::Config);
    }
    let access = Access::Token(Token::new("0b4c8d3fb1a94f6e8f0d").unwrap());
    let listener = TcpListener::bind("0.0.0.0:0").await.unwrap();
    let dashboard = Dashboard::new(&place.store, access);
    dashboard.serve(listener, std::future::ready(())).await.unwrap();
}

#[tokio::test]
async fn a_nested_dashboard_links_to_itself_and_leaves_the_service_alone() {
    let place = Place::memory();
    place.queue("mails").await;
    let dashboard = place.dashboard().allow_actions();
    let service = Router::new()
        .route("/health", get(|| async { "ok" }))
        .nest("/ops/queues", dashboard.router());
    let viewer = Viewer::at(service);
    viewer.get("/health").await.shows(&["ok"]);
    viewer.get("/ops/queues").await.shows(&[
        r#"href="/ops/queues">Queues<"#,
        r#"href="/ops/queues/queue?queue=mails""#,
        r#"src="/ops/queues/live.js""#,
        r#"data-live="/ops/queues/live""#,
    ]);
    let page = viewer.get("/ops/queues/queue?queue=mails").await;
    page.shows(&[r#"action="/ops/queues/act""#]);
    viewer.get("/ops/queues/style.css").await.shows(&["color-scheme"]);
    let missing = viewer.get("/ops/queues/none").await;
    assert_eq!(missing.status, StatusCode::NOT_FOUND);
    assert!(missing.text.contains(r#"href="/ops/queues""#), "{}", missing.text);
}

#[tokio::test]
async fn a_base_path_stands_for_what_a_proxy_removed() {
    let place = Place::memory();
    let viewer = Viewer::of(place.dashboard().base_path("/ops/").unwrap());
    viewer.get("/").await.shows(&[r#"href="/ops/store""#]);
    for wrong in ["ops", "//evil.example", "/a?b", "https://evil.example"] {
        assert_eq!(place.dashboard().base_path(wrong).unwrap_err().kind(), ErrorKind::Config);
    }
}
