//! Bugs in what is told and kept of jobs.

use kv_queue_machine::testing::draw;

use super::{is_caught, is_shown, plant_in_exchange, planted};

#[tokio::test]
async fn a_value_that_is_lost_is_caught() {
    is_shown(draw, |scripts| {
        let text = "call('HSET', RECORDS, key .. 'c', value)";
        scripts.exchange_keeping = planted(scripts.exchange_keeping, text, "");
    })
    .await;
}

#[tokio::test]
async fn a_done_job_too_many_is_caught() {
    is_shown(draw, |scripts| {
        let text = "surplus(DONE, policy.keep_done,";
        let more = "surplus(DONE, policy.keep_done + 1,";
        scripts.exchange_keeping = planted(scripts.exchange_keeping, text, more);
    })
    .await;
}

#[tokio::test]
async fn a_done_job_that_takes_the_shorter_way_is_caught() {
    is_shown(draw, |scripts| scripts.exchange_keeping = scripts.exchange).await;
}

#[tokio::test]
async fn a_past_of_one_failure_is_caught() {
    is_shown(draw, |scripts| {
        let text = "while #past > 2 + 2 * MAX_HISTORY do";
        plant_in_exchange(scripts, text, "while #past > 4 do");
    })
    .await;
}

#[tokio::test]
async fn a_noted_time_that_is_lost_when_the_job_comes_back_is_caught() {
    is_shown(draw, |scripts| {
        let text = "past[1], past[2] = at or past[1], letter";
        plant_in_exchange(scripts, text, "past[2] = letter");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_skips_jobs_of_one_time_is_caught() {
    is_shown(draw, |scripts| {
        let text = "local low = call('ZCOUNT', set, '-inf', '(' .. score)";
        let bug = "local low = call('ZCOUNT', set, '-inf', score)";
        scripts.inspect = planted(scripts.inspect, text, bug);
    })
    .await;
}

#[tokio::test]
async fn a_ready_job_that_cannot_be_made_to_wait_is_caught() {
    is_caught(|scripts| {
        let text = "delay > 0 and (is_timed or take_ready(key, job))";
        scripts.control = planted(scripts.control, text, "delay > 0 and is_timed");
    })
    .await;
}
