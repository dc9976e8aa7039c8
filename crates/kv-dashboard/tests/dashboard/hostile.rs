//! What nobody may do: requests that must not get through, and texts that must not be shown as they
//! are.

use std::net::SocketAddr;

use axum::body::Body;
use axum::extract::ConnectInfo;
use axum::http::Request;
use kv_dashboard::{Access, Dashboard, Token};
use kv_queue::{Cron, Job, Queue};
use serde_json::{Value, json};

use crate::place::{Place, Viewer, posted};

const TOKEN: &str = "0b4c8d3fb1a94f6e8f0d";

/// A request: its name, its method, its path, its headers, and the status that it must get.
type Case<'a> = (&'static str, &'static str, &'static str, &'a [(&'static str, &'a str)], u16);

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

const HOST: (&str, &str) = ("host", "localhost:8420");
const FORM: (&str, &str) = ("content-type", "application/x-www-form-urlencoded");
const SAME: (&str, &str) = ("sec-fetch-site", "same-origin");

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
            expect(&viewer, &[("foreign name", "GET", path, &host, 421)], [127, 0, 0, 1]).await;
        }
        expect(
            &viewer,
            &[("foreign name", "POST", "/act", &[("host", name), FORM, SAME], 421)],
            [127, 0, 0, 1],
        )
        .await;
    }
    let cases: [Case<'_>; 3] = [
        ("no name", "GET", "/", &[], 421),
        ("two names", "GET", "/", &[HOST, ("host", "evil.example")], 421),
        ("another name in the address", "GET", "http://evil.example/", &[HOST], 421),
    ];
    expect(&viewer, &cases, [127, 0, 0, 1]).await;
    assert!(!queue.stats().await.unwrap().paused);
}

#[tokio::test]
async fn no_request_from_elsewhere_or_without_the_token_gets_through() {
    let place = Place::memory();
    place.queue("mails").await;
    let viewer = place.operator();
    let cases: [Case<'_>; 6] = [
        ("another machine", "GET", "/", &[HOST], 403),
        ("another machine acts", "POST", "/act", &[HOST, FORM, SAME], 403),
        ("another machine says it is this", "GET", "/", &[HOST, ("x-real-ip", "127.0.0.1")], 403),
        ("metrics from another machine", "GET", "/metrics", &[HOST], 403),
        ("the style too", "GET", "/style.css", &[HOST], 403),
        ("a page that is not there", "GET", "/none", &[HOST], 403),
    ];
    expect(&viewer, &cases, [192, 0, 2, 1]).await;
    let cases: [Case<'_>; 3] = [
        ("through a proxy", "GET", "/", &[HOST, ("x-forwarded-for", "192.0.2.1")], 403),
        ("through a newer proxy", "GET", "/", &[HOST, ("forwarded", "for=192.0.2.1")], 403),
        ("through a cache", "GET", "/", &[HOST, ("via", "1.1 cache")], 403),
    ];
    expect(&viewer, &cases, [127, 0, 0, 1]).await;
    let unknown = Request::get("/").header("host", "localhost").body(Body::empty()).unwrap();
    assert_eq!(viewer.send(unknown).await.status, 403, "nobody knows from where");

    let access = Access::Token(Token::new(TOKEN).unwrap());
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
        expect(&viewer, &[("wrong token", "GET", "/", &headers, 401)], [127, 0, 0, 1]).await;
    }
    let cases: [Case<'_>; 4] = [
        ("no token", "GET", "/", &[HOST], 401),
        ("the token in the address", "GET", "/?token=0b4c8d3fb1a94f6e8f0d", &[HOST], 401),
        (
            "two tokens",
            "GET",
            "/",
            &[
                HOST,
                ("authorization", "Bearer a"),
                ("authorization", "Bearer 0b4c8d3fb1a94f6e8f0d"),
            ],
            401,
        ),
        ("an action without a token", "POST", "/act", &[HOST, FORM, SAME], 401),
    ];
    expect(&viewer, &cases, [127, 0, 0, 1]).await;
    let right: [Case<'_>; 2] = [
        ("a token", "GET", "/", &[HOST, ("authorization", "Bearer 0b4c8d3fb1a94f6e8f0d")], 200),
        (
            "a password",
            "GET",
            "/",
            &[HOST, ("authorization", "Basic YWRhOjBiNGM4ZDNmYjFhOTRmNmU4ZjBk")],
            200,
        ),
    ];
    expect(&viewer, &right, [192, 0, 2, 1]).await;
}

#[tokio::test]
async fn no_page_of_another_site_acts_or_reads() {
    let place = Place::memory();
    let queue = place.queue("mails").await;
    let own = ("origin", "http://localhost:8420");
    let cases: [Case<'_>; 19] = [
        ("another site", "POST", "/act", &[HOST, FORM, ("sec-fetch-site", "cross-site")], 403),
        (
            "another host of the site",
            "POST",
            "/act",
            &[HOST, FORM, ("sec-fetch-site", "same-site")],
            403,
        ),
        ("nobody's page", "POST", "/act", &[HOST, FORM, ("sec-fetch-site", "none")], 403),
        ("an unknown word", "POST", "/act", &[HOST, FORM, ("sec-fetch-site", "SAME-ORIGIN")], 403),
        (
            "another site with our origin",
            "POST",
            "/act",
            &[HOST, FORM, own, ("sec-fetch-site", "cross-site")],
            403,
        ),
        (
            "our site with another origin",
            "POST",
            "/act",
            &[HOST, FORM, SAME, ("origin", "http://evil.example")],
            403,
        ),
        ("neither word", "POST", "/act", &[HOST, FORM], 403),
        ("another origin", "POST", "/act", &[HOST, FORM, ("origin", "http://evil.example")], 403),
        ("no origin", "POST", "/act", &[HOST, FORM, ("origin", "null")], 403),
        ("another port", "POST", "/act", &[HOST, FORM, ("origin", "http://localhost:9")], 403),
        ("another scheme", "POST", "/act", &[HOST, FORM, ("origin", "file://localhost:8420")], 403),
        (
            "an origin with more",
            "POST",
            "/act",
            &[HOST, FORM, ("origin", "http://localhost:8420.evil.example")],
            403,
        ),
        ("two origins", "POST", "/act", &[HOST, FORM, own, ("origin", "http://evil.example")], 403),
        (
            "a picture of a page",
            "GET",
            "/",
            &[HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "no-cors")],
            403,
        ),
        (
            "a script of a page",
            "GET",
            "/live.js",
            &[HOST, ("sec-fetch-site", "same-site"), ("sec-fetch-mode", "no-cors")],
            403,
        ),
        (
            "another site's live updates",
            "GET",
            "/live",
            &[HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "cors")],
            403,
        ),
        (
            "JSON in place of a form",
            "POST",
            "/act",
            &[HOST, SAME, ("content-type", "application/json")],
            415,
        ),
        (
            "plain text in place of a form",
            "POST",
            "/act",
            &[HOST, SAME, ("content-type", "text/plain")],
            415,
        ),
        ("no kind of form", "POST", "/act", &[HOST, SAME], 415),
    ];
    let viewer = place.operator();
    expect(&viewer, &cases, [127, 0, 0, 1]).await;
    assert!(!queue.stats().await.unwrap().paused);
    let allowed: [Case<'_>; 4] = [
        (
            "a link to a page",
            "GET",
            "/",
            &[HOST, ("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")],
            200,
        ),
        ("a bookmark", "GET", "/", &[HOST, ("sec-fetch-site", "none")], 200),
        ("an older browser", "POST", "/act", &[HOST, FORM, own], 303),
        ("a browser", "POST", "/act", &[HOST, FORM, own, SAME], 303),
    ];
    expect(&viewer, &allowed, [127, 0, 0, 1]).await;
    assert!(queue.stats().await.unwrap().paused);
}

#[tokio::test]
async fn no_path_method_or_size_leads_astray() {
    let place = Place::memory();
    place.queue("mails").await;
    let cases: [Case<'_>; 18] = [
        ("up", "GET", "/../etc/passwd", &[HOST], 404),
        ("up, encoded", "GET", "/%2e%2e/%2e%2e/etc/passwd", &[HOST], 404),
        ("up from a page", "GET", "/queue/../act?queue=mails", &[HOST], 404),
        ("two slashes", "GET", "//evil.example/", &[HOST], 404),
        ("a backslash", "GET", "/%5cevil.example", &[HOST], 404),
        ("an end of a line", "GET", "/%0d%0aset-cookie:%20a=b", &[HOST], 404),
        ("a file of the dashboard", "GET", "/assets/style.css", &[HOST], 404),
        ("an action by a link", "GET", "/act?queue=mails&action=pause", &[HOST], 405),
        ("a page by a form", "POST", "/queue?queue=mails", &[HOST, SAME, FORM], 405),
        ("a deletion", "DELETE", "/queue?queue=mails", &[HOST, SAME], 405),
        ("a put", "PUT", "/act", &[HOST, SAME, FORM], 405),
        ("a put of another site", "PUT", "/act", &[HOST, FORM], 403),
        (
            "another method by a header",
            "GET",
            "/act",
            &[HOST, ("x-http-method-override", "POST")],
            405,
        ),
        ("another path by a header", "GET", "/none", &[HOST, ("x-original-url", "/act")], 404),
        ("a queue that is a path", "GET", "/queue?queue=..%2f..%2fmails", &[HOST], 404),
        ("a queue with a null", "GET", "/queue?queue=mails%00", &[HOST], 404),
        ("a key of the library", "GET", "/key?key=%21kv%3Aqueues", &[HOST], 400),
        ("a queue that is no UTF-8", "GET", "/queue?queue=%ff%fe", &[HOST], 404),
    ];
    let viewer = place.operator();
    expect(&viewer, &cases, [127, 0, 0, 1]).await;
    let long = format!("/?filter={}", "a".repeat(9_000));
    assert_eq!(viewer.get(&long).await.status, 414);
    let many = format!("/?{}", "a=1&".repeat(1_500));
    assert_eq!(viewer.get(&many).await.status, 400);
    let large = Body::from("queue=mails&action=pause&x=".to_owned() + &"a".repeat(1 << 20));
    assert_eq!(viewer.send(posted().body(large).unwrap()).await.status, 413);
    let key = format!("/key?key={}", "k".repeat(2_000));
    assert_eq!(viewer.get(&key).await.status, 400);
}

/// Texts that would do something if they were not escaped.
const SCRIPTS: [&str; 6] = [
    "<script>alert(1)</script>",
    "\"><img src=x onerror=alert(1)>",
    "'><svg/onload=alert(1)>",
    "</title></pre></td><script>alert(1)</script>",
    "javascript:alert(1)",
    "&lt;script&gt;alert(1)&lt;/script&gt;<b>",
];

/// What a page may not contain.
#[track_caller]
fn assert_escaped(text: &str, path: &str) {
    for tag in ["<script>", "<img", "<svg/", "<b>", "onerror=alert(1)>", "href=\"javascript:"] {
        assert!(!text.contains(tag), "{tag} in {path}: {text}");
    }
    assert!(!text.contains("style=\""), "an inline style in {path}");
}

#[tokio::test]
async fn no_stored_text_is_shown_unescaped() {
    for script in SCRIPTS {
        let place = Place::memory();
        let name = script;
        let queue = Queue::<Value>::open(&place.store, name).await.unwrap();
        queue.enqueue(Job::new(json!({ script: script })).group(script)).await.unwrap();
        queue.enqueue(Job::new(json!(script))).await.unwrap();
        let cron = Cron::new("@daily", "UTC").unwrap();
        queue.schedule(script, cron, Job::new(json!(script))).await.unwrap();
        for delivery in queue.dequeue(1).await.unwrap() {
            delivery.fail(format!("{script}\n{script}")).await.unwrap();
        }
        place.store.namespace(script).set(script, &script).await.unwrap();
        let operator = place.operator();
        let mut query = form_urlencoded::Serializer::new(String::new());
        let full = [script, ":", script].concat();
        let fields = [
            ("queue", name),
            ("reason", script),
            ("filter", script),
            ("after", script),
            ("prefix", script),
        ];
        let query = query
            .extend_pairs(fields)
            .append_pair("key", &full)
            .append_pair("done", script)
            .finish();
        for page in [
            "",
            "queue",
            "waiting",
            "dead",
            "groups",
            "schedules",
            "store",
            "key",
            "none",
            "live.css",
        ] {
            for path in [format!("/{page}?{query}"), format!("/{page}")] {
                let answer = operator.get(&path).await;
                assert_escaped(&answer.text, &path);
            }
        }
        let first = operator.get("/").await;
        let shown = script
            .replace('&', "&amp;")
            .replace('<', "&lt;")
            .replace('>', "&gt;")
            .replace('"', "&quot;");
        first.shows(&[&format!(">{shown}</a>")]);
    }
}

#[tokio::test]
async fn no_answer_to_a_hostile_form_quotes_it() {
    let place = Place::memory();
    place.queue("mails").await;
    let operator = place.operator();
    for script in SCRIPTS {
        for fields in [
            [("queue", script), ("action", "pause"), ("id", "")],
            [("queue", "mails"), ("action", script), ("id", "")],
            [("queue", "mails"), ("action", "redrive:selected"), ("id", script)],
        ] {
            let answer = operator.act(&fields).await;
            assert!(answer.status.is_client_error(), "{fields:?}");
            assert_escaped(&answer.text, script);
        }
    }
    let spoofed = operator.get("/queue?queue=mails&done=Call+0900+now&count=1").await;
    spoofed.hides(&["0900"]);
    let counted = operator.get("/queue?queue=mails&done=clear&count=%3Cb%3E").await;
    counted.hides(&["<b>", "Jobs removed"]);
}

#[tokio::test]
async fn every_answer_keeps_the_browser_from_the_rest_of_the_world() {
    let place = Place::memory();
    for path in ["/", "/none", "/style.css", "/live.js", "/metrics", "/store"] {
        let answer = place.viewer().get(path).await;
        let policy = answer.headers["content-security-policy"].to_str().unwrap();
        assert!(policy.starts_with("default-src 'none';"), "{policy}");
        assert!(
            !policy.contains("-inline") && !policy.contains("-eval") && !policy.contains('*'),
            "{policy}"
        );
        for (name, value) in [
            ("x-content-type-options", "nosniff"),
            ("x-frame-options", "DENY"),
            ("cache-control", "no-store"),
        ] {
            assert_eq!(answer.headers[name], value, "{path}");
        }
        assert!(!answer.text.contains("http://") && !answer.text.contains("https://"), "{path}");
        assert!(!answer.text.contains("<style") && !answer.text.contains(" onclick"), "{path}");
    }
}
