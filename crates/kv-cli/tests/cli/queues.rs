//! The verbs on queues.

use kv_core::Store;
use kv_queue::Queue;
use serde_json::{Value, json};

use crate::place::Place;

fn add(place: &Place, payload: &str) -> String {
    let added = place.json(&["enqueue", "mails", payload, "--create", "2"]);
    added[0]["id"].as_str().unwrap().to_owned()
}

/// Fails every job that waits, each with its payload as the reason.
fn bury_all(place: &Place) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = kv_config::Config::from_vars([("OC_KV_STORE_URL", place.url())]).unwrap();
        let store: Store = config.open().await.unwrap();
        let queue = Queue::<Value>::attach(&store, "mails").await.unwrap().unwrap();
        for delivery in queue.dequeue(10).await.unwrap() {
            let reason = delivery.payload().to_string();
            delivery.fail(reason).await.unwrap();
        }
        store.close().await.unwrap();
    });
}

pub(crate) fn a_queue_is_made_listed_and_deleted(place: &Place) {
    assert_eq!(place.run(&["enqueue", "mails", "1"]).code, 3, "only --create makes a queue");
    add(place, "1");
    let twice = ["enqueue", "mails", "1", "--unique", "one", "--delay", "1h", "--priority", "2"];
    let id = place.json(&twice)[0]["id"].clone();
    assert_eq!(place.json(&twice), [json!({ "id": id, "duplicate": true })]);
    let listed = place.json(&["queues"]);
    let age = listed[0]["oldest_ready_s"].as_u64().expect("a job waits");
    assert!(age < 600, "{age}");
    let expected = json!({ "queue": "mails", "partitions": 2, "ready": 1, "timed": 1,
        "running": 0, "dead": 0, "done": 0, "paused": false, "oldest_ready_s": age });
    assert_eq!(listed, [expected]);
    assert_eq!(place.json(&["queue", "mails"])[0]["entered"], 2);
    place.ok(&["delete", "mails", "--yes"]);
    assert_eq!(place.json(&["queues"]), [] as [Value; 0]);
}

pub(crate) fn jobs_are_shown_without_their_payloads(place: &Place) {
    add(place, r#"{"to": "ada"}"#);
    assert!(!place.ok(&["jobs", "mails"]).contains("ada"));
    assert!(place.ok(&["jobs", "mails", "--payloads"]).contains("ada"));
}

pub(crate) fn a_job_is_found_by_its_unique_key(place: &Place) {
    let added = place.json(&["enqueue", "mails", "1", "--create", "2", "--unique", "order 7"]);
    let found = place.json(&["job", "mails", "--unique", "order 7"]);
    assert_eq!(found[0]["id"], added[0]["id"]);
    assert_eq!(place.run(&["job", "mails", "--unique", "order 8"]).code, 3);
    assert_eq!(place.run(&["job", "mails", "--unique", "order 7", "--group", "g"]).code, 3);
    assert_eq!(place.run(&["job", "mails"]).code, 2, "neither an id nor a key");
    assert_eq!(place.run(&["job", "mails", "0-80000000000001", "--unique", "order 7"]).code, 2);
}

pub(crate) fn jobs_are_listed_asked_about_and_run(place: &Place) {
    add(place, "1");
    let late = place.json(&["enqueue", "mails", "2", "--delay", "1h"]);
    let late = late[0]["id"].as_str().unwrap();
    let delayed = place.json(&["jobs", "mails", "--state", "delayed"]);
    assert_eq!((delayed.len(), delayed[0]["id"].as_str()), (1, Some(late)));
    let job = place.json(&["job", "mails", late]);
    assert_eq!((&job[0]["state"], &job[0]["why"]), (&json!("delayed"), &json!("delay")));
    assert!(job[0].get("payload").is_none());
    assert_eq!(place.json(&["job", "mails", late, "--payloads"])[0]["payload"], 2);
    assert_eq!(place.json(&["run-now", "mails", late]), [json!({ "changed": 1 })]);
    assert_eq!(place.json(&["jobs", "mails"]).len(), 2);
    assert_eq!(place.json(&["jobs", "mails", "--limit", "1"]).len(), 1);
    assert_eq!(place.json(&["workers", "mails"]), [] as [Value; 0]);
    place.ok(&["cancel", "mails", late, "--yes"]);
    assert_eq!(place.run(&["job", "mails", late]).code, 3);
    assert_ne!(place.run(&["jobs", "mails", "--state", "lost"]).code, 0);
}

pub(crate) fn dead_letters_are_told_by_reason_and_redriven(place: &Place) {
    for payload in [r#""refused""#, r#""refused""#, r#""lost""#] {
        add(place, payload);
    }
    bury_all(place);
    let reasons = place.json(&["dead", "mails", "--by-reason"]);
    assert_eq!(reasons[0], json!({ "letters": 2, "reason": "\"refused\"" }));
    let letters = place.json(&["dead", "mails", "--payloads"]);
    assert_eq!(letters.len(), 3);
    let id = letters[0]["id"].as_str().unwrap();
    assert!(letters[0]["payload"].is_string());
    assert!(place.json(&["dead", "mails"])[0].get("payload").is_none());
    assert_eq!(place.json(&["redrive", "mails", id, "--yes"]), [json!({ "changed": 1 })]);
    let second = letters[1]["id"].as_str().unwrap();
    assert_eq!(place.json(&["discard", "mails", second, "--yes"]), [json!({ "changed": 1 })]);
    let all = ["redrive", "mails", "--limit", "9", "--yes"];
    assert_eq!(place.json(&all), [json!({ "changed": 1 })]);
    let figures = &place.json(&["queue", "mails"])[0];
    assert_eq!((&figures["ready"], &figures["dead"]), (&json!(2), &json!(0)));
}

pub(crate) fn a_paused_queue_says_so(place: &Place) {
    add(place, "1");
    place.ok(&["pause", "mails"]);
    assert_eq!(place.json(&["queue", "mails"])[0]["paused"], true);
    place.ok(&["resume", "mails"]);
    assert_eq!(place.json(&["queue", "mails"])[0]["paused"], false);
}

pub(crate) fn a_queue_that_is_not_there_is_told_with_those_that_are(place: &Place) {
    add(place, "1");
    let ended = place.run(&["queue", "mial"]);
    assert_eq!(ended.code, 3);
    assert!(ended.err.contains("\"mial\"") && ended.err.contains("mails"), "{}", ended.err);
}

pub(crate) fn nothing_changes_in_a_dry_run_or_without_consent(place: &Place) {
    let id = add(place, "1");
    let verbs: [&[&str]; 4] = [
        &["clear", "mails"],
        &["delete", "mails"],
        &["cancel", "mails", &id],
        &["redrive", "mails"],
    ];
    for verb in verbs {
        let dry = place.ok(&[verb, &["--dry-run"]].concat());
        assert!(dry.contains("nothing was changed"), "{dry}");
        assert_eq!(place.run(verb).code, 4, "{verb:?}");
    }
    assert_eq!(place.json(&["queue", "mails"])[0]["ready"], 1);
    assert_eq!(place.json(&["cancel", "mails", &id, "--yes"]), [json!({ "changed": 1 })]);
    assert_eq!(place.json(&["clear", "mails", "--yes"]), [json!({ "changed": 0 })]);
}

/// A queue that a program opened and used.
fn open(place: &Place, work: impl AsyncFnOnce(&Queue<Value>)) {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let config = kv_config::Config::from_vars([("OC_KV_STORE_URL", place.url())]).unwrap();
        let store: Store = config.open().await.unwrap();
        work(&Queue::<Value>::open(&store, "fetch").await.unwrap()).await;
        store.close().await.unwrap();
    });
}

pub(crate) fn groups_are_shown_and_paused(place: &Place) {
    open(place, async |queue| {
        queue.enqueue(kv_queue::Job::new(json!(1)).group("example.org")).await.unwrap();
    });
    let group = |waiting| {
        json!({ "group": "example.org", "waiting": waiting, "running": 0,
        "limited_by": null, "for_s": null })
    };
    assert_eq!(place.json(&["groups", "fetch"]), [group(1)]);
    place.ok(&["pause-group", "fetch", "example.org", "1h"]);
    let paused = &place.json(&["groups", "fetch"])[0];
    assert_eq!(paused["limited_by"], "paused");
    assert!(paused["for_s"].as_f64().unwrap() > 3_500.0, "{paused}");
    place.ok(&["pause-group", "fetch", "example.org", "0s"]);
    assert_eq!(place.json(&["groups", "fetch"]), [group(1)]);
}

pub(crate) fn schedules_are_shown_paused_and_run(place: &Place) {
    open(place, async |queue| {
        let cron = kv_queue::Cron::new("30 2 * * *", "Europe/London").unwrap();
        queue.schedule("daily", cron, kv_queue::Job::new(json!("report"))).await.unwrap();
    });
    let shown = || place.json(&["schedules", "fetch"]).remove(0);
    assert_eq!(
        (&shown()["schedule"], &shown()["zone"]),
        (&json!("daily"), &json!("Europe/London"))
    );
    assert!(shown()["next_at_s"].is_u64());
    place.ok(&["pause-schedule", "fetch", "daily"]);
    assert_eq!(shown()["paused"], true);
    place.ok(&["resume-schedule", "fetch", "daily"]);
    assert_eq!(shown()["paused"], false);
    place.ok(&["run-schedule", "fetch", "daily"]);
    assert_eq!(place.json(&["queue", "fetch"])[0]["ready"], 1);
    assert_eq!(place.run(&["pause-schedule", "fetch", "weekly"]).code, 3);
}
