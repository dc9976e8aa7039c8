//! What programs are told: the pages as JSON, under the same rules.

use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use kv_queue::{Cron, GroupLimit, Job};
use serde_json::{Value, json};

use crate::place::{Place, Viewer, local};

/// A page as a program asks for it.
async fn ask(viewer: &Viewer, path: &str) -> (u16, Value) {
    let request = local(Request::get(path)).header("accept", "application/json");
    let answer = viewer.send(request.body(Body::empty()).unwrap()).await;
    assert_eq!(answer.headers["content-type"], "application/json", "{path}: {}", answer.text);
    assert!(answer.headers.contains_key("content-security-policy"));
    (answer.status.as_u16(), serde_json::from_str(&answer.text).unwrap())
}

#[track_caller]
fn has(told: &Value, fields: &Value) {
    for (name, value) in fields.as_object().unwrap() {
        assert_eq!(&told[name], value, "{name} in {told:#}");
    }
}

pub(crate) async fn every_page_of_a_queue_is_json_for_a_program(place: &Place) {
    let queue = place.dead("mails", &["gone: no such host", "gone: no such host"]).await;
    queue.limit_group("a.b", Some(GroupLimit::new().concurrency(1))).await.unwrap();
    let grouped = Job::new(json!({ "to": "ada" })).group("a.b").delay(Duration::from_secs(60));
    let id = queue.enqueue(grouped).await.unwrap().id();
    let daily = Cron::new("30 2 * * *", "Europe/London").unwrap();
    queue.schedule("daily", daily, Job::new(json!("report"))).await.unwrap();

    let viewer = place.viewer();
    let (_, queues) = ask(&viewer, "/").await;
    has(&queues["queues"][0], &json!({ "queue": "mails", "timed": 1, "dead": 2, "paused": false }));
    let (_, figures) = ask(&viewer, "/queue?queue=mails").await;
    has(&figures, &json!({ "queue": "mails", "partitions": 2, "entered": 3, "dead": 2 }));
    let (_, jobs) = ask(&viewer, "/jobs?queue=mails&state=delayed").await;
    let expected =
        json!({ "id": id.to_string(), "state": "delayed", "why": "delay", "group": "a.b" });
    has(&jobs["jobs"][0], &expected);
    let (_, dead) = ask(&viewer, "/dead?queue=mails").await;
    has(&dead["reasons"][0], &json!({ "reason": "gone: no such host", "letters": 2 }));
    assert!(dead["letters"][0].get("payload").is_none(), "payloads are hidden: {dead}");
    let (_, groups) = ask(&viewer, "/groups?queue=mails").await;
    has(&groups["groups"][0], &json!({ "group": "a.b", "waiting": 0, "running": 0 }));
    let (_, schedules) = ask(&viewer, "/schedules?queue=mails").await;
    has(&schedules["schedules"][0], &json!({ "schedule": "daily", "zone": "Europe/London" }));
    let (_, workers) = ask(&viewer, "/workers?queue=mails").await;
    has(&workers, &json!({ "workers": [], "in_all": 0 }));
    let (_, waiting) = ask(&viewer, "/waiting?queue=mails").await;
    has(&waiting, &json!({ "ready": 0, "payloads": null }));
}

pub(crate) async fn a_program_sees_payloads_and_values_only_where_that_is_allowed(place: &Place) {
    let queue = place.queue("mails").await;
    let id = queue.enqueue(json!({ "to": "ada" })).await.unwrap().id();
    place.store.set("user:1", &"Ada").await.unwrap();
    let path = format!("/job?queue=mails&id={id}");
    let (_, hidden) = ask(&place.viewer(), &path).await;
    assert!(hidden.get("payload").is_none() && !hidden.to_string().contains("ada"), "{hidden}");
    has(&ask(&place.operator(), &path).await.1, &json!({ "payload": { "to": "ada" } }));
    let (_, hidden) = ask(&place.viewer(), "/key?key=user%3A1").await;
    has(&hidden, &json!({ "key": "user:1", "ttl_s": null }));
    assert!(hidden.get("value").is_none(), "{hidden}");
    has(&ask(&place.operator(), "/key?key=user%3A1").await.1, &json!({ "value": "Ada" }));
    let (_, store) = ask(&place.viewer(), "/store?prefix=user").await;
    has(&store, &json!({ "keys": [{ "key": "user:1", "ttl_s": null }], "next": null }));
    let secret = Viewer::of(place.dashboard().show_values().secret_namespace("user"));
    assert_eq!(ask(&secret, "/store").await.1["keys"], json!([]));
    assert_eq!(ask(&secret, "/key?key=user%3A1").await.0, 403);
}

#[tokio::test]
async fn a_program_is_told_why_there_is_no_answer() {
    let place = Place::memory();
    let (status, told) = ask(&place.viewer(), "/queue?queue=none").await;
    assert_eq!(status, 404, "{told}");
    assert!(told["error"].as_str().unwrap().contains("none"), "{told}");
    assert_eq!(ask(&place.viewer(), "/jobs?queue=none&state=asleep").await.0, 400);
    assert_eq!(ask(&place.viewer(), "/nothing").await.0, 404);
}

#[tokio::test]
async fn a_browser_gets_a_page_unless_its_address_asks_for_json() {
    let place = Place::memory();
    let browser = "text/html,application/xhtml+xml,application/json;q=0.9,*/*;q=0.8";
    for (path, kind) in [("/", "text/html; charset=utf-8"), ("/?format=json", "application/json")] {
        let request = local(Request::get(path)).header("accept", browser);
        let answer = place.viewer().send(request.body(Body::empty()).unwrap()).await;
        assert_eq!(answer.headers["content-type"], kind);
    }
}
