//! Requests that must not get through: under a foreign name, from elsewhere, without the token, from
//! another site's page, to paths that lead nowhere, too large.

mod cases;

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use kv_dashboard::{Access, Dashboard, Token};

use crate::place::{Place, Viewer, posted};
use cases::{
    Case, ELSEWHERE, FORM, FORWARDED, HOST, NAMES, OWN_SITE, PATHS, SAME, SITES, TOKENS, TOLD,
};

const HERE: [u8; 4] = [127, 0, 0, 1];
const THERE: [u8; 4] = [192, 0, 2, 1];

async fn send(viewer: &Viewer, case: &Case<'_>, peer: [u8; 4]) -> u16 {
    let (_, method, path, headers, _) = case;
    let mut request = Request::builder().method(*method).uri(*path);
    for (name, value) in *headers {
        request = request.header(*name, *value);
    }
    let request = request.extension(ConnectInfo(SocketAddr::from((peer, 50_000))));
    let form = "queue=mails&action=pause";
    let body = if *method == "POST" { Body::from(form) } else { Body::empty() };
    let answer = viewer.send(request.body(body).unwrap()).await;
    assert!(answer.headers.contains_key("content-security-policy"), "{case:?}");
    assert!(!answer.text.contains("<dt>Ready</dt>") || answer.status == 200, "{case:?}");
    answer.status.as_u16()
}

/// Sends each, and expects its status.
async fn expect(viewer: &Viewer, cases: &[Case<'_>], peer: [u8; 4]) {
    for case in cases {
        assert_eq!(send(viewer, case, peer).await, case.4, "{}", case.0);
    }
}

#[tokio::test]
async fn no_request_under_a_foreign_name_gets_through() {
    let place = Place::memory();
    let queue = place.queue("mails").await;
    let names = [
        "",
        "evil.example",
        "evil.example:8420",
        "localhost.evil.example",
        "localhost@evil.example",
        "evil.example@localhost",
        "127.0.0.1.evil.example",
        "localhost:8420:1",
        "localhost:",
        "localhost:abc",
        "0.0.0.0",
        "2130706433",
        "[::2]",
        "[::1",
        "::1",
        "localhost.",
        "127.1",
        "localhost, evil.example",
    ];
    let viewer = place.operator();
    for name in names {
        let host = [("host", name)];
        for path in ["/", "/live", "/metrics", "/style.css"] {
            expect(&viewer, &[("foreign name", "GET", path, &host, 421)], HERE).await;
        }
        expect(
            &viewer,
            &[("foreign name", "POST", "/act", &[("host", name), FORM, SAME], 421)],
            HERE,
        )
        .await;
    }
    expect(&viewer, &NAMES, HERE).await;
    assert!(!queue.stats().await.unwrap().paused);
}

#[tokio::test]
async fn no_request_from_elsewhere_gets_through() {
    let place = Place::memory();
    place.queue("mails").await;
    let viewer = place.operator();
    expect(&viewer, &ELSEWHERE, THERE).await;
    expect(&viewer, &FORWARDED, HERE).await;
    let unknown = Request::get("/").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(viewer.send(unknown).await.status, 403, "nobody knows from where");
}

#[tokio::test]
async fn no_request_without_the_token_gets_through() {
    let place = Place::memory();
    let access = Access::Token(Token::new("0b4c8d3fb1a94f6e8f0d").unwrap());
    let viewer = Viewer::of(Dashboard::new(&place.store, access).allow_actions());
    let long = format!("Bearer {}", "x".repeat(20_000));
    let wrong = [
        "",
        "Bearer",
        "Bearer ",
        "Bearer 0b4c8d3fb1a94f6e8f0",
        "Bearer 0b4c8d3fb1a94f6e8f0dd",
        "bearer null",
        "Basic",
        "Basic !!!",
        "Basic MGI0YzhkM2ZiMWE5NGY2ZThmMGQ=",
        "Basic YWRtaW46YWRtaW4=",
        "Digest username=\"a\"",
        "Token 0b4c8d3fb1a94f6e8f0d",
        &long,
    ];
    for wrong in wrong {
        let headers = [HOST, ("authorization", wrong)];
        expect(&viewer, &[("wrong token", "GET", "/", &headers, 401)], HERE).await;
    }
    expect(&viewer, &TOKENS, HERE).await;
    expect(&viewer, &TOLD, THERE).await;
}

#[tokio::test]
async fn no_page_of_another_site_acts_or_reads() {
    let place = Place::memory();
    let queue = place.queue("mails").await;
    let viewer = place.operator();
    expect(&viewer, &SITES, HERE).await;
    assert!(!queue.stats().await.unwrap().paused);
    expect(&viewer, &OWN_SITE, HERE).await;
    assert!(queue.stats().await.unwrap().paused);
}

#[tokio::test]
async fn no_path_method_or_size_leads_astray() {
    let place = Place::memory();
    place.queue("mails").await;
    let viewer = place.operator();
    expect(&viewer, &PATHS, HERE).await;
    let long = format!("/?filter={}", "a".repeat(9_000));
    assert_eq!(viewer.get(&long).await.status, 414);
    let many = format!("/?{}", "a=1&".repeat(1_500));
    assert_eq!(viewer.get(&many).await.status, 400);
    let large = Body::from("queue=mails&action=pause&x=".to_owned() + &"a".repeat(1 << 20));
    assert_eq!(viewer.send(posted().body(large).unwrap()).await.status, 413);
    let key = format!("/key?key={}", "k".repeat(2_000));
    assert_eq!(viewer.get(&key).await.status, 400);
}
