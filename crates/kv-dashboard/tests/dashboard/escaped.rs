//! Stored texts and fields of forms that must not be shown as they are.

use kv_queue::{Cron, Job, Queue};
use serde_json::{Value, json};

use crate::place::{Place, Viewer};

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

const PAGES: [&str; 13] = [
    "",
    "queue",
    "jobs",
    "job",
    "workers",
    "waiting",
    "dead",
    "groups",
    "schedules",
    "store",
    "key",
    "none",
    "live.css",
];

/// A place in which every text is the script.
async fn filled(script: &str) -> Place {
    let place = Place::memory();
    let queue = Queue::<Value>::open(&place.store, script).await.unwrap();
    queue.enqueue(Job::new(json!({ script: script })).group(script)).await.unwrap();
    queue.enqueue(Job::new(json!(script))).await.unwrap();
    let cron = Cron::new("@daily", "UTC").unwrap();
    queue.schedule(script, cron, Job::new(json!(script))).await.unwrap();
    for delivery in queue.dequeue(1).await.unwrap() {
        delivery.fail(format!("{script}\n{script}")).await.unwrap();
    }
    place.store.namespace(script).set(script, &script).await.unwrap();
    place
}

/// A query in which every field is the script.
fn query(script: &str) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for field in ["queue", "reason", "filter", "after", "prefix", "done", "group", "id"] {
        query.append_pair(field, script);
    }
    query.append_pair("key", &[script, ":", script].concat()).finish()
}

#[tokio::test]
async fn no_stored_text_is_shown_unescaped() {
    for script in SCRIPTS {
        let operator: Viewer = filled(script).await.operator();
        for page in PAGES {
            for path in [format!("/{page}?{}", query(script)), format!("/{page}")] {
                assert_escaped(&operator.get(&path).await.text, &path);
            }
        }
        let shown = [('&', "&amp;"), ('<', "&lt;"), ('>', "&gt;"), ('"', "&quot;")];
        let shown =
            shown.iter().fold(script.to_owned(), |text, (c, as_text)| text.replace(*c, as_text));
        operator.get("/").await.shows(&[&format!(">{shown}</a>")]);
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
