//! The log of actions: who asked for what, and how it ended.

use std::io;
use std::sync::{Arc, Mutex};

use axum::body::Body;
use axum::http::Request;
use kv_dashboard::{Access, Dashboard, Token};

use crate::place::{Place, Viewer};

/// What was logged.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl io::Write for Log {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn lines(&self) -> Vec<String> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines()
            .filter(|line| line.contains("kv_dashboard::action"))
            .map(str::to_owned)
            .collect()
    }
}

/// A form from ada, who has the token.
fn from_ada(form: &'static str) -> Request<Body> {
    let request = Request::post("/act").header("host", "localhost");
    let request = request.header("content-type", "application/x-www-form-urlencoded");
    let request = request.header("sec-fetch-site", "same-origin");
    // ada:0b4c8d3fb1a94f6e8f0d
    let request = request.header("authorization", "Basic YWRhOjBiNGM4ZDNmYjFhOTRmNmU4ZjBk");
    request.body(Body::from(form)).unwrap()
}

#[tokio::test]
async fn every_action_is_logged_with_who_asked_and_how_it_ended() {
    let log = Log::default();
    let writer = log.clone();
    let subscriber = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone());
    let _logged = tracing::subscriber::set_default(subscriber.finish());
    let place = Place::memory();
    place.dead("mails", &["the customer is Ada", "lost"]).await;
    let access = Access::Token(Token::new("0b4c8d3fb1a94f6e8f0d").unwrap());
    let viewer = Viewer::of(Dashboard::new(&place.store, access).allow_actions());
    for (form, status) in [
        ("queue=mails&action=redrive:reason&reason=the+customer+is+Ada", 303),
        ("queue=none%0aforged&action=pause", 404),
    ] {
        assert_eq!(viewer.send(from_ada(form)).await.status, status);
    }
    let lines = log.lines();
    assert_eq!(lines.len(), 4, "{lines:?}");
    assert!(lines.iter().all(|line| line.contains("ada at ")), "{lines:?}");
    assert!(lines[0].contains("asks for an action") && lines[0].contains("redrive"), "{lines:?}");
    assert!(lines[1].contains("has ended") && lines[1].contains("changed=1"), "{lines:?}");
    assert!(lines[3].contains("failed=") && lines[3].contains("none\\nforged"), "{lines:?}");
    assert!(!lines.concat().contains("customer"), "a reason may quote a payload: {lines:?}");
}
