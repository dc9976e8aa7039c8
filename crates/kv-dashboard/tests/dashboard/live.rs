//! Live updates: one count for all viewers, begun by the first and ended with the last.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use futures_util::{FutureExt as _, StreamExt as _};
use kv_testkit::ManualClock;
use serde_json::{Value, json};
use tokio::time::{advance, timeout};

use crate::place::{Place, Viewer};

/// A viewer's open stream.
struct Stream(axum::body::BodyDataStream);

impl Stream {
    async fn open(viewer: &Viewer, path: &str) -> Self {
        let response = viewer.open(path).await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        Self(response.into_body().into_data_stream())
    }

    async fn next(&mut self) -> Option<String> {
        let event = timeout(Duration::from_secs(3_600), self.0.next()).await.expect("an event");
        event.map(|event| String::from_utf8(event.unwrap().to_vec()).unwrap())
    }

    /// Whether nothing is to be read now.
    fn is_quiet(&mut self) -> bool {
        self.0.next().now_or_never().is_none()
    }
}

/// A place whose clock and timers the test moves together.
struct Timed {
    place: Place,
    clock: Arc<ManualClock>,
    viewer: Viewer,
}

impl Timed {
    fn new() -> Self {
        let (place, clock) = (Place::memory(), Arc::new(ManualClock::new()));
        let viewer = Viewer::of(place.dashboard().clock(Arc::clone(&clock)));
        Self { place, clock, viewer }
    }

    async fn pass(&self, time: Duration) {
        self.clock.advance(time);
        advance(time).await;
    }
}

/// How many tasks the runtime has, beside the test.
fn tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

const PERIOD: Duration = Duration::from_secs(2);

#[tokio::test(start_paused = true)]
async fn a_stream_shows_the_figures_at_once_and_after_each_period() {
    let timed = Timed::new();
    let queue = timed.place.queue("mails").await;
    let mut stream = Stream::open(&timed.viewer, "/live?queue=mails").await;
    let first = stream.next().await.unwrap();
    assert!(first.starts_with("retry: 2000\n\ndata: "), "{first}");
    assert!(first.contains("<dt>Ready</dt><dd>0</dd>"), "{first}");
    assert!(stream.is_quiet());
    queue.enqueue_many([json!(1), json!(2)]).await.unwrap();
    for delivery in queue.dequeue(1).await.unwrap() {
        delivery.ack().await.unwrap();
    }
    timed.pass(PERIOD).await;
    let second = stream.next().await.unwrap();
    assert!(second.contains("<dt>Ready</dt><dd>1</dd>"), "{second}");
    assert!(second.contains("<dt>Done</dt><dd>0.5/s</dd>"), "{second}");
}

#[tokio::test(start_paused = true)]
async fn all_viewers_share_one_count() {
    let timed = Timed::new();
    let queue = timed.place.queue("mails").await;
    let mut streams = Vec::new();
    for _ in 0..10 {
        streams.push(Stream::open(&timed.viewer, "/live").await);
    }
    for stream in &mut streams {
        assert!(stream.next().await.unwrap().contains(r#"<td class="number">0</td>"#));
    }
    // Within the period no page counts: it shows what everybody sees.
    queue.enqueue(json!(1)).await.unwrap();
    timed.pass(PERIOD / 2).await;
    timed
        .viewer
        .get("/")
        .await
        .shows(&[r#"<td class="number">0</td>"#])
        .hides(&[r#"<td class="number">1</td>"#]);
    timed.pass(PERIOD / 2).await;
    for stream in &mut streams {
        assert!(stream.next().await.unwrap().contains(r#"<td class="number">1</td>"#));
    }
}

#[tokio::test(start_paused = true)]
async fn counting_ends_with_the_last_viewer_and_begins_with_the_next() {
    let timed = Timed::new();
    let queue = timed.place.queue("mails").await;
    let mut first = Stream::open(&timed.viewer, "/live").await;
    let second = Stream::open(&timed.viewer, "/live").await;
    first.next().await.unwrap();
    drop(second);
    timed.pass(PERIOD).await;
    first.next().await.expect("one viewer is left");
    assert!(tasks() > 0);
    drop(first);
    tokio::task::yield_now().await;
    assert_eq!(tasks(), 0, "nobody looks, so nobody counts");
    queue.enqueue(json!(1)).await.unwrap();
    timed.pass(PERIOD).await;
    let mut again = Stream::open(&timed.viewer, "/live").await;
    assert!(again.next().await.unwrap().contains(r#"<td class="number">1</td>"#));
}

#[tokio::test(start_paused = true)]
async fn a_viewer_who_reads_slowly_gets_the_latest_figures_and_no_backlog() {
    let timed = Timed::new();
    let queue = timed.place.queue("mails").await;
    let mut slow = Stream::open(&timed.viewer, "/live?queue=mails").await;
    slow.next().await.unwrap();
    for job in 0..20 {
        queue.enqueue(Value::from(job)).await.unwrap();
        timed.pass(PERIOD).await;
        tokio::task::yield_now().await;
    }
    timed.viewer.get("/").await;
    let latest = slow.next().await.unwrap();
    assert!(latest.contains("<dt>Ready</dt><dd>20</dd>"), "{latest}");
    assert!(slow.is_quiet(), "one event is left, not twenty");
}

#[tokio::test(start_paused = true)]
async fn a_stream_ends_after_a_while_so_that_nobody_holds_a_place_for_ever() {
    let timed = Timed::new();
    timed.place.queue("mails").await;
    let mut stream = Stream::open(&timed.viewer, "/live").await;
    let mut events = 0;
    while stream.next().await.is_some() {
        events += 1;
        timed.clock.advance(PERIOD);
        assert!(events < 200, "four minutes have passed");
    }
    assert!(events > 1);
}

#[tokio::test(start_paused = true)]
async fn live_viewers_are_bounded_and_a_place_is_free_again() {
    let timed = Timed::new();
    let mut streams = Vec::new();
    for _ in 0..64 {
        streams.push(Stream::open(&timed.viewer, "/live").await);
    }
    let refused = timed.viewer.get("/live").await;
    assert_eq!(refused.status, 503, "{}", refused.text);
    timed.viewer.get("/").await.shows(&["Queues"]);
    streams.pop();
    Stream::open(&timed.viewer, "/live").await.next().await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_form_that_does_not_arrive_is_given_up() {
    let place = Place::memory();
    place.queue("mails").await;
    let part = futures_util::stream::iter([Ok::<_, std::io::Error>("queue=mails&act")]);
    let body = Body::from_stream(part.chain(futures_util::stream::pending()));
    let answer = place.operator().send(crate::place::posted().body(body).unwrap()).await;
    assert_eq!(answer.status, 408, "{}", answer.text);
}
