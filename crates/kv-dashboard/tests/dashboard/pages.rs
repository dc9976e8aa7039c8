//! What the pages of queues show.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use kv_dashboard::{Access, Dashboard};
use kv_layers::Statistics;
use kv_queue::{CancellationToken, Cron, GroupLimit, Job, Queue, Worker};
use serde_json::{Value, json};
use tokio::sync::Notify;

use crate::place::{Place, Viewer};

pub(crate) async fn the_first_page_lists_queues_with_their_counts(place: &Place) {
    let mails = place.queue("mails").await;
    mails.enqueue_many((0..1_234).map(Value::from)).await.unwrap();
    mails.enqueue(Job::new(json!(1)).delay(Duration::from_secs(3_600))).await.unwrap();
    place.dead("fetch:run 42", &["gone"]).await.pause().await.unwrap();
    let page = place.viewer().get("/").await;
    page.shows(&[
        r#"<a href="/queue?queue=mails">mails</a>"#,
        r#"<a href="/queue?queue=fetch%3Arun+42">fetch:run 42</a> <span class="warn">paused</span>"#,
        r#"<td class="number">1,234</td><td class="number">1</td><td class="number">0</td>"#,
        r#"<td class="number bad">1</td>"#,
        r#"data-live="/live""#,
    ]);
    let filtered = place.viewer().get("/?filter=mai").await;
    filtered.shows(&[">mails<", r#"data-live="/live?filter=mai""#]).hides(&["fetch:run"]);
    place.viewer().get("/?after=mails").await.shows(&["No queue."]);
}

pub(crate) async fn a_queues_page_shows_figures_and_offers_actions_only_where_they_are_allowed(
    place: &Place,
) {
    place.queue("mails").await.enqueue(json!(1)).await.unwrap();
    let page = place.viewer().get("/queue?queue=mails").await;
    page.shows(&["<h1>mails</h1>", "<dt>Ready</dt><dd>1</dd>", "<dt>Partitions</dt><dd>2</dd>"]);
    page.shows(&[r#"aria-current="page">Figures<"#]).hides(&["<button", "/act"]);
    let page = place.operator().get("/queue?queue=mails").await;
    page.shows(&[r#"method="post" action="/act""#, r#"value="pause""#, r#"value="delete""#]);
}

pub(crate) async fn waiting_jobs_show_what_they_carry_only_where_that_is_allowed(place: &Place) {
    let queue = place.queue("mails").await;
    queue.enqueue_many((0..30).map(|n| json!({ "to": format!("ada {n}") }))).await.unwrap();
    let hidden = place.viewer().get("/waiting?queue=mails").await;
    hidden.shows(&["30 jobs are ready", "Payloads are hidden"]).hides(&["ada"]);
    let shown = place.operator().get("/waiting?queue=mails").await;
    shown.shows(&["&quot;to&quot;: &quot;ada 0&quot;"]);
    assert_eq!(shown.text.matches("ada ").count(), 20, "no page shows all of very many");
}

pub(crate) async fn jobs_are_listed_by_state_and_group_a_page_at_a_time(place: &Place) {
    let queue = place.queue("mails").await;
    queue.enqueue_many((0..120).map(Value::from)).await.unwrap();
    queue.enqueue(Job::new(json!(1)).delay(Duration::from_secs(3_600)).group("a.b")).await.unwrap();
    let (mut path, mut ids) = ("/jobs?queue=mails".to_owned(), BTreeSet::new());
    for _ in 0..3 {
        let page = place.viewer().get(&path).await;
        ids.extend(
            page.text.split("/job?queue=mails&amp;id=").skip(1).map(|it| it[..16].to_owned()),
        );
        let Some((_, next)) = page.text.split_once(r#"rel="next" href=""#) else { break };
        path = next.split('"').next().unwrap().replace("&amp;", "&");
    }
    assert_eq!(ids.len(), 120, "each is on some page");
    let delayed = place.viewer().get("/jobs?queue=mails&state=delayed&group=a.b").await;
    delayed
        .shows(&["delayed until", "a.b", r#"aria-current="true">delayed<"#])
        .hides(&["Next page"]);
    place.viewer().get("/jobs?queue=mails&state=delayed&group=c.d").await.shows(&["No job here."]);
    for wrong in ["state=asleep", "after=nowhere", "state=dead&after=0/x"] {
        assert_eq!(
            place.viewer().get(&format!("/jobs?queue=mails&{wrong}")).await.status,
            400,
            "{wrong}"
        );
    }
}

pub(crate) async fn a_job_shows_where_it_is_what_went_wrong_and_what_it_carries(place: &Place) {
    let queue = place.queue("mails").await;
    let id = queue.enqueue(Job::new(json!({ "to": "ada" })).priority(3)).await.unwrap().id();
    let path = format!("/job?queue=mails&id={id}");
    place.viewer().get(&path).await.shows(&["<strong>ready", "<dd>3</dd>", "Payloads are hidden"]);
    let held = queue.dequeue(1).await.unwrap();
    place.operator().get(&path).await.shows(&["running since", "&quot;ada&quot;", ">Cancel<"]);
    held[0].retry(Duration::from_secs(60)).await.unwrap();
    let page = place.operator().get(&path).await;
    page.shows(&["waits for a retry until", "<pre>retry asked for</pre>", "Failures", ">Run now<"]);
    place.viewer().get(&path).await.hides(&["ada", "<button"]);
    assert_eq!(place.viewer().get("/job?queue=mails&id=0-80000000000fff").await.status, 404);
    assert_eq!(place.viewer().get("/job?queue=mails&id=7").await.status, 400);
}

pub(crate) async fn a_job_is_found_by_its_unique_key(place: &Place) {
    let queue = place.queue("mails").await;
    let job = |n, key| Job::new(json!(n)).unique_while_live(key);
    queue.enqueue(job(1, "order 7").priority(3)).await.unwrap();
    queue.enqueue(job(2, "order 7").priority(4).group("a.b")).await.unwrap();
    place.viewer().get("/jobs?queue=mails").await.shows(&[r#"name="unique""#]);
    let found = async |query| place.viewer().get(&format!("/job?queue=mails&{query}")).await;
    found("unique=order+7&group=").await.shows(&["<strong>ready", "<dd>3</dd>"]);
    found("unique=order+7&group=a.b").await.shows(&["<strong>ready", "<dd>4</dd>"]);
    assert_eq!(found("unique=order+8").await.status, 404);
    assert_eq!(found("unique=").await.status, 400);
}

pub(crate) async fn workers_show_what_they_run(place: &Place) {
    let queue = place.queue("mails").await;
    place.viewer().get("/workers?queue=mails").await.shows(&["0 workers."]);
    let id = queue.enqueue(json!(1)).await.unwrap().id();
    let stop = CancellationToken::new();
    let worker = Worker::new(queue).name("post <1>").version("4.2").stop_on(stop.clone());
    let begun = Arc::new(Notify::new());
    let begins = Arc::clone(&begun);
    let running = tokio::spawn(worker.run(move |_| {
        begins.notify_one();
        std::future::pending::<()>()
    }));
    begun.notified().await;
    let mut page = place.viewer().get("/workers?queue=mails").await;
    // The worker says so beside its first claim.
    while !page.text.contains("1 workers.") {
        page = place.viewer().get("/workers?queue=mails").await;
    }
    page.shows(&["post &lt;1&gt;", ">4.2<"]);
    place.viewer().get(&format!("/job?queue=mails&id={id}")).await.shows(&["running since"]);
    stop.cancel();
    running.abort();
}

pub(crate) async fn dead_letters_are_grouped_by_reason(place: &Place) {
    place.dead("mails", &["refused", "lost\nat line 1", "refused", "lost\nat line 2"]).await;
    let page = place.viewer().get("/dead?queue=mails").await;
    page.shows(&[
        "4 dead letters.",
        r#"<td class="number">2</td><td><a href="/dead?queue=mails&amp;reason=lost">lost</a></td>"#,
        "at line 2",
    ]);
    page.hides(&["<th scope=\"col\">Payload</th>", "/act\"><p"]);
    let lost = place.operator().get("/dead?queue=mails&reason=lost").await;
    lost.shows(&["at line 1", "&quot;lost\\nat line 2&quot;", r#"name="reason" value="lost""#]);
    assert_eq!(lost.text.matches(r#"name="id""#).count(), 2);
}

pub(crate) async fn a_payload_that_does_not_decode_is_shown_as_far_as_it_goes(place: &Place) {
    let other = place.store.clone().with_serializer(kv_core::Serializer::MessagePack);
    let queue = Queue::<Value>::open(&other, "mails").await.unwrap();
    queue.enqueue(json!({ "to": "<ada>" })).await.unwrap();
    queue.dequeue(1).await.unwrap()[0].fail("refused").await.unwrap();
    let page = place.operator().get("/dead?queue=mails").await;
    page.shows(&["bytes that do not decode as json", "&lt;ada&gt;"]).hides(&["<ada>"]);
}

pub(crate) async fn groups_show_what_limits_them_and_until_when(place: &Place) {
    let limit = GroupLimit::new().concurrency(1);
    let queue =
        Queue::<Value>::builder("fetch").group_limit(limit).open(&place.store).await.unwrap();
    let jobs = ["a.example", "a.example", "b.example"].map(|host| Job::new(json!(1)).group(host));
    queue.enqueue_many(jobs).await.unwrap();
    let held = queue.dequeue(1).await.unwrap();
    queue.pause_group("b.example", Duration::from_secs(7_200)).await.unwrap();
    let page = place.viewer().get("/groups?queue=fetch").await;
    page.shows(&[
        "a.example",
        "jobs at a time",
        "b.example",
        "a pause",
        " for ",
        ", until ",
        " UTC",
    ]);
    page.hides(&["<button"]);
    held[0].ack().await.unwrap();
    place.queue("empty").await;
    place
        .viewer()
        .get("/groups?queue=empty")
        .await
        .shows(&["No job that waits or runs has a group"]);
}

pub(crate) async fn schedules_show_next_and_last(place: &Place) {
    let queue = place.queue("reports").await;
    let cron = Cron::new("30 2 * * *", "Europe/London").unwrap();
    queue.schedule("daily", cron.clone(), Job::new(json!("report"))).await.unwrap();
    queue.schedule("other", cron, Job::new(json!("report"))).await.unwrap();
    queue.schedules().pause("other").await.unwrap();
    let job = queue.schedules().run_now("daily").await.unwrap().unwrap();
    let page = place.viewer().get("/schedules?queue=reports").await;
    page.shows(&["daily", "<code>30 2 * * *</code>", "Europe/London", ":30:00 UTC", ">in "]);
    page.shows(&[&format!("<code>{job}</code>"), "never", ">paused<"]).hides(&["<button"]);
    place.queue("empty").await;
    place.viewer().get("/schedules?queue=empty").await.shows(&["No schedule."]);
}

pub(crate) async fn a_queue_that_is_not_there_is_told(place: &Place) {
    for page in ["queue", "jobs", "waiting", "dead", "groups", "schedules", "workers"] {
        let answer = place.viewer().get(&format!("/{page}?queue=none")).await;
        assert_eq!(answer.status, 404, "{page}");
        assert!(answer.text.contains("no queue &quot;none&quot;"), "{}", answer.text);
        assert_eq!(place.viewer().get(&format!("/{page}")).await.status, 400, "{page}");
    }
    assert!(kv_queue::queue_names(&place.store).await.unwrap().is_empty(), "looking makes nothing");
}

pub(crate) async fn metrics_tell_queues_groups_and_the_store(place: &Place) {
    let queue = place.dead("mails \"1\"", &["refused"]).await;
    queue.enqueue(Job::new(json!(1)).group("example.org")).await.unwrap();
    queue.pause_group("example.org", Duration::MAX).await.unwrap();
    queue.pause().await.unwrap();
    let answer = place.viewer().get("/metrics?groups=1").await;
    let of = "queue=\"mails \\\"1\\\"\"";
    for line in [
        "oc_kv_up 1".to_owned(),
        format!("oc_kv_queue_up{{{of}}} 1"),
        format!("oc_kv_queue_jobs{{{of},state=\"ready\"}} 1"),
        format!("oc_kv_queue_jobs{{{of},state=\"dead\"}} 1"),
        format!("oc_kv_queue_paused{{{of}}} 1"),
        format!("oc_kv_queue_added_total{{{of}}} 2"),
        format!("oc_kv_queue_groups{{{of},limited_by=\"pause\"}} 1"),
        "# TYPE oc_kv_queue_done_total counter".to_owned(),
    ] {
        assert!(answer.text.lines().any(|own| own == line), "{line} is not in {}", answer.text);
    }
    let kind = answer.headers["content-type"].to_str().unwrap();
    assert_eq!(kind, "text/plain; version=0.0.4; charset=utf-8");
    place
        .viewer()
        .get("/metrics")
        .await
        .shows(&["oc_kv_queue_jobs"])
        .hides(&["oc_kv_queue_groups"]);
    assert_well_formed(&answer.text);
}

/// Each line is a comment or a sample of the family whose `HELP` and `TYPE` came before it.
fn assert_well_formed(text: &str) {
    let mut family = "";
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap();
        } else if let Some(kind) = line.strip_prefix("# TYPE ") {
            assert!(kind.starts_with(family), "{line}");
            assert_eq!(kind.ends_with(" counter"), family.ends_with("_total"), "{line}");
        } else {
            let own = line.strip_prefix(family).is_some_and(|it| it.starts_with(['{', ' ']));
            assert!(own && line.rsplit(' ').next().unwrap().parse::<f64>().is_ok(), "{line}");
        }
    }
}

#[tokio::test]
async fn metrics_tell_what_the_statistics_layer_counted() {
    let statistics = Statistics::new();
    let store = kv_core::Store::from(statistics.on(kv_memory::MemoryStore::new()));
    for namespace in ["pages", "sessions"] {
        store.namespace(namespace).set("a", &1).await.unwrap();
        store.namespace(namespace).get::<u8>("b").await.unwrap();
    }
    let dashboard = Dashboard::new(&store, Access::Loopback).statistics(&statistics);
    let answer = Viewer::of(dashboard.secret_namespace("sessions")).get("/metrics").await;
    answer.shows(&["oc_kv_namespace_misses_total{namespace=\"pages\"} 1\n"]).hides(&["sessions"]);
    assert_well_formed(&answer.text);
}

#[tokio::test]
async fn a_store_that_does_not_answer_is_told_in_the_page_and_in_the_metrics() {
    let place = Place::memory();
    place.queue("mails").await;
    let viewer = place.viewer();
    viewer.get("/").await.shows(&["mails"]);
    place.store.close().await.unwrap();
    let failed = Viewer::of(place.dashboard());
    failed.get("/").await.shows(&["The queues could not be counted", "closed"]);
    failed.get("/metrics").await.shows(&["oc_kv_up 0\n"]).hides(&["oc_kv_queue_jobs{"]);
    assert_eq!(failed.get("/store").await.status, 503);
}
