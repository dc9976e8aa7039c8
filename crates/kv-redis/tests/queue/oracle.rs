//! The engine answers as the queue's machine does, whatever disturbs it.

use std::ops::Range;
use std::sync::Arc;

use kv_core::queue::QueueEngine;
use kv_queue_machine::testing::{
    Coverage, Script, check, check_scripts, draw, draw_full, draw_plain,
};
use kv_testbed::{RedisServer, eventually};

use crate::disturbed::{Disturbance, Disturbed};
use crate::subject::{Subjected, frozen};
use crate::support::{PATIENCE, engine};

pub(crate) const STEPS: usize = 500;

/// Seeds from here on: so many, or as many as the variable says.
pub(crate) fn seeds(first: u64, count: u64) -> Range<u64> {
    let wanted = std::env::var("OC_KV_SOAK_SEEDS").ok();
    let count = wanted.map_or(count, |text| text.parse().expect("OC_KV_SOAK_SEEDS is a number"));
    first..first + count
}

async fn agree_on(
    server: &RedisServer,
    engine: Arc<dyn QueueEngine>,
    scripts: impl Iterator<Item = Script>,
) -> Coverage {
    let make = async || Subjected::new(server, Arc::clone(&engine));
    check_scripts(make, scripts).await.unwrap()
}

async fn agree(server: &RedisServer, engine: Arc<dyn QueueEngine>, seeds: Range<u64>) -> Coverage {
    let scripts = seeds.map(|seed| draw(seed, STEPS));
    agree_on(server, engine, scripts).await
}

async fn agree_although(disturbance: Disturbance, seeds: Range<u64>) {
    let server = frozen();
    let engine = engine(&server.url()).await;
    // One that begins anew with each script.
    let make = async || {
        let engine = Disturbed::new(&server, Arc::clone(&engine), disturbance);
        Subjected::new(&server, Arc::new(engine))
    };
    check(make, seeds, STEPS).await.unwrap();
}

#[tokio::test]
async fn it_answers_as_the_machine_does_and_every_case_is_met() {
    let server = frozen();
    let engine = engine(&server.url()).await;
    let seen = agree(&server, engine, seeds(3_000, 60)).await;
    for what in Coverage::CASES {
        assert!(seen.of(what) >= 20, "{what} was met {} times: {seen:?}", seen.of(what));
    }
}

#[tokio::test]
async fn plain_jobs_take_the_shorter_way_with_the_same_answers() {
    let server = frozen();
    let engine = engine(&server.url()).await;
    let seen =
        agree_on(&server, engine, seeds(8_000, 15).map(|seed| draw_plain(seed, STEPS))).await;
    assert!(seen.of("claimed") > 1_000, "{seen:?}");
}

#[tokio::test]
async fn requests_as_large_as_they_may_be_get_the_same_answers() {
    let server = frozen();
    let engine = engine(&server.url()).await;
    let seen = agree_on(&server, engine, seeds(9_000, 2).map(|seed| draw_full(seed, 30))).await;
    assert!(seen.of("claimed") > 1_000 && seen.of("Applied") > 1_000, "{seen:?}");
}

#[tokio::test]
async fn a_reply_that_is_lost_is_made_up_for_by_a_repeat() {
    agree_although(Disturbance::RepliesLost, seeds(4_000, 10)).await;
}

#[tokio::test]
async fn a_server_that_forgets_its_scripts_is_not_noticed() {
    agree_although(Disturbance::ScriptsForgotten, seeds(5_000, 4)).await;
}

#[tokio::test]
async fn a_claim_that_leaves_jobs_behind_leaves_a_wake_up_for_them() {
    agree_although(Disturbance::WakeUpsTaken, seeds(6_000, 10)).await;
}

#[tokio::test]
async fn a_cluster_finds_all_keys_of_a_step_in_one_slot() {
    // Its clock runs until it is up, since a node waits a while before it says so.
    let server = RedisServer::builder().config("cluster-enabled", "yes").clock().start().unwrap();
    server.cli(&["CLUSTER", "ADDSLOTSRANGE", "0", "16383"]).unwrap();
    let is_up = || {
        let info = server.cli(&["CLUSTER", "INFO"]).unwrap().text()?;
        info.contains("cluster_state:ok").then_some(())
    };
    eventually(PATIENCE, is_up).expect("the cluster comes up");
    let engine = engine(&server.url()).await;
    agree(&server, engine, seeds(7_000, 3)).await;
}
