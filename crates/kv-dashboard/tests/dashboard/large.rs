//! What a page costs, on a real server that counts its commands and bytes: as much with very many jobs
//! and keys as with few.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use kv_core::Expiry;
use kv_queue::Job;
use kv_testkit::ManualClock;
use serde_json::json;

use crate::place::{Place, Viewer};

/// As few jobs and keys as fill every page.
const FEW: usize = 20_000;
const MANY: usize = 150_000;

const PAGES: [&str; 12] = [
    "/",
    "/queue?queue=fetch",
    "/jobs?queue=fetch",
    "/jobs?queue=fetch&state=dead",
    "/workers?queue=fetch",
    "/waiting?queue=fetch",
    "/dead?queue=fetch",
    "/groups?queue=fetch",
    "/schedules?queue=fetch",
    "/store?prefix=k",
    "/store",
    "/metrics?groups=1",
];

/// What a server has done since it began: commands, those of scripts included, and bytes that it
/// sent.
fn done(place: &Place) -> (u64, u64) {
    let info = place.server.as_ref().unwrap().command(&[b"INFO", b"stats"]).unwrap();
    let info = info.text().unwrap();
    let figure = |name: &str| -> u64 {
        let line = info.lines().find_map(|line| line.strip_prefix(name)).unwrap();
        line.trim_start_matches(':').trim().parse().unwrap()
    };
    (figure("total_commands_processed"), figure("total_net_output_bytes"))
}

/// Adds jobs, of which a tenth is dead and a tenth has groups, and as many keys.
async fn fill(place: &Place, many: usize) {
    let queue = place.queue("fetch").await;
    let job = |n: usize| {
        let job = Job::new(json!({ "page": n }));
        if n.is_multiple_of(10) { job.group(format!("host-{n}")) } else { job }
    };
    for first in (0..many).step_by(10_000) {
        let part = first..many.min(first + 10_000);
        queue.enqueue_many(part.clone().map(job)).await.unwrap();
        let keys = part.map(|n| (format!("k:{n}"), n));
        place.store.set_many(keys, Expiry::Never).await.unwrap();
    }
    let mut dead = 0;
    while dead < many / 10 {
        let claimed = queue.dequeue(500).await.unwrap();
        dead += claimed.len();
        join_all(claimed.iter().map(|delivery| delivery.fail("refused"))).await;
    }
}

/// What each page costs in commands and bytes.
async fn costs(many: usize) -> Vec<(u64, u64)> {
    let place = Place::redis().await;
    fill(&place, many).await;
    let clock = Arc::new(ManualClock::new());
    let dashboard = place.dashboard().show_payloads().clock(Arc::clone(&clock));
    let operator = Viewer::of(dashboard.allow_actions());
    let mut costs = Vec::new();
    for page in PAGES {
        // The first time, the server learns the scripts.
        operator.get(page).await.shows(&[]);
        // A page of an earlier time would take its count.
        clock.advance(Duration::from_secs(60));
        let before = done(&place);
        let answer = operator.get(page).await;
        assert!(answer.text.len() < 512 << 10, "{page} has {} bytes", answer.text.len());
        let after = done(&place);
        costs.push((after.0 - before.0, after.1 - before.1));
    }
    costs
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_costs_more_with_very_many_jobs_and_keys() {
    let (few, many) = (costs(FEW).await, costs(MANY).await);
    for (page, (few, many)) in PAGES.iter().zip(few.into_iter().zip(many)) {
        println!("{page}: {few:?} with {FEW}, {many:?} with {MANY}");
        // Numbers have a digit more, and a walk of the server's own examines a little more or less.
        assert!(many.0 <= few.0 + few.0 / 4 + 10, "{page}: commands {few:?}, then {many:?}");
        assert!(many.1 <= few.1 + few.1 / 3 + 2_000, "{page}: bytes {few:?}, then {many:?}");
    }
}
