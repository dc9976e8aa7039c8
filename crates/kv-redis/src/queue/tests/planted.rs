//! One planted bug a test: a script in which a text is another one.

mod asking;
mod claims;
mod groups;
mod jobs;

use std::sync::Arc;

use kv_core::queue::QueueEngine;
use kv_queue_machine::testing::{
    Script as TestScript, check_scripts, draw, draw_full, draw_plain, run,
};

use super::disturbed::{Disturbance, Disturbed};
use super::subject::{Subjected, frozen};
use crate::RedisConfig;
use crate::driver::Driver;
use crate::queue::{RedisQueues, Scripts};
use crate::scripts::Script;

const SEEDS: std::ops::Range<u64> = 0..30;
const STEPS: usize = 500;

/// For bugs that few scripts show.
const MORE_SEEDS: std::ops::Range<u64> = 0..150;

/// To how many steps a script is shrunk, at most, that shows a bug.
const SHORT: usize = 12;

/// The script with the bug in place of a text that is in it once.
fn planted(script: &'static Script, text: &str, bug: &str) -> &'static Script {
    assert_eq!(script.source.matches(text).count(), 1, "{text:?} in {}", script.name);
    let source = Box::leak(script.source.replace(text, bug).into_boxed_str());
    Box::leak(Box::new(Script { source, sha1: "the server does not know this one", ..*script }))
}

/// Puts the bug into every script of the verb that has the text.
fn plant_in_exchange(scripts: &mut Scripts, text: &str, bug: &str) {
    let Scripts { exchange, exchange_grouped, exchange_keeping, .. } = scripts;
    plant_in([exchange, exchange_grouped, exchange_keeping], text, bug);
}

/// Puts the bug into every script of the verb that has the text.
fn plant_in_submit(scripts: &mut Scripts, text: &str, bug: &str) {
    plant_in([&mut scripts.submit, &mut scripts.submit_grouped], text, bug);
}

fn plant_in<const N: usize>(scripts: [&mut &'static Script; N], text: &str, bug: &str) {
    let with_text = scripts.into_iter().filter(|script| script.source.contains(text));
    let planted = with_text.map(|script| *script = planted(script, text, bug)).count();
    assert!(planted > 0, "{text:?} is in no script");
}

/// An engine with a bug.
pub(super) async fn engine(url: &str, plant: impl FnOnce(&mut Scripts)) -> Arc<RedisQueues> {
    let config = RedisConfig::from_url(url).unwrap();
    let driver = Arc::new(Driver::connect(config.clone()).await.unwrap());
    let mut engine = RedisQueues::new(driver, &config);
    plant(&mut engine.scripts);
    Arc::new(engine)
}

/// Fails unless the oracle catches the bug.
async fn is_caught(plant: impl FnOnce(&mut Scripts)) {
    is_caught_in(draw, None, plant).await;
}

async fn is_caught_in(
    draw: fn(u64, usize) -> TestScript,
    disturbance: Option<Disturbance>,
    plant: impl FnOnce(&mut Scripts),
) {
    let server = frozen();
    let engine = engine(&server.url(), plant).await;
    let make = async || {
        let engine: Arc<dyn QueueEngine> = Arc::clone(&engine) as _;
        let Some(disturbance) = disturbance else { return Subjected::new(&server, engine) };
        Subjected::new(&server, Arc::new(Disturbed::new(&server, engine, disturbance)))
    };
    let checked = check_scripts(make, SEEDS.map(|seed| draw(seed, STEPS))).await;
    let failure = checked.expect_err("the oracle misses the bug");
    assert!(failure.script.steps.len() <= SHORT, "{failure:?}");
}

/// Fails unless the oracle catches the bug, and some script that shows it is shrunk to a short one:
/// a step less moves what later ones pick, so that not every script can be shrunk far.
async fn is_shown(draw: fn(u64, usize) -> TestScript, plant: impl FnOnce(&mut Scripts)) {
    let server = frozen();
    let engine = engine(&server.url(), plant).await;
    let make = async || Subjected::new(&server, Arc::clone(&engine) as _);
    let mut shortest = usize::MAX;
    for seed in MORE_SEEDS {
        if let Err(failure) = check_scripts(make, [draw(seed, STEPS)]).await {
            shortest = shortest.min(failure.script.steps.len());
        }
        if shortest <= SHORT {
            return;
        }
    }
    panic!("the shortest script that shows the bug has {shortest} steps");
}

/// Puts the lease under which a job is held in place of the one that is named.
const ANY_LEASE: &str = "
    for _, held in ipairs(call('ZRANGE', LEASES, 0, -1)) do
      lease = sub(held, 1, 14) == sub(lease, 1, 14) and held or lease
    end ";

#[tokio::test]
async fn an_ack_that_ignores_the_token_is_caught() {
    is_caught(|scripts| {
        let text = "if call('ZREM', LEASES, lease) == 0";
        plant_in_exchange(scripts, text, &[ANY_LEASE, text].concat());
    })
    .await;
}

#[tokio::test]
async fn a_plain_ack_that_ignores_the_token_is_caught() {
    is_caught_in(draw_plain, None, |scripts| {
        let text = "if call('ZREM', LEASES, ARGV[HEADER + i]) == 1";
        let lease = "local lease = ARGV[HEADER + i]";
        let any = format!("{lease} {ANY_LEASE} if call('ZREM', LEASES, lease) == 1");
        plant_in_exchange(scripts, text, &any);
    })
    .await;
}

#[tokio::test]
async fn an_operation_that_ignores_the_token_is_caught() {
    is_caught(|scripts| {
        let text = "if not call('ZSCORE', LEASES, lease)";
        plant_in_exchange(scripts, text, &[ANY_LEASE, text].concat());
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_without_a_lease_is_caught() {
    is_caught(|scripts| {
        let text = "if not call('ZSCORE', LEASES, lease) then";
        let unfenced =
            "if letter == 'c' and call('HEXISTS', RECORDS, sub(lease, 1, 14) .. 'c') == 1 then
            call('HSET', RECORDS, sub(lease, 1, 14) .. 'c', bytes)
          end ";
        plant_in_exchange(scripts, text, &[unfenced, text].concat());
    })
    .await;
}

#[tokio::test]
async fn an_ack_before_the_run_is_caught() {
    is_caught(|scripts| {
        let text = "call('ZADD', LEASES, till, key .. ':' .. token)";
        plant_in_exchange(scripts, text, "forget(key) count('done')");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_loses_its_leases_is_caught() {
    is_caught_in(draw_plain, None, |scripts| {
        let text = "call('ZADD', LEASES, unpack(leases))";
        plant_in_exchange(scripts, text, "");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_leaves_a_job_ready_is_caught() {
    is_caught_in(draw_plain, None, |scripts| {
        let text = "call('ZREMRANGEBYRANK', READY, '0',";
        plant_in_exchange(scripts, text, "call('ZREMRANGEBYRANK', READY, '1',");
    })
    .await;
}

#[tokio::test]
async fn a_plain_claim_of_a_job_with_a_history_is_caught() {
    is_caught_in(draw_plain, None, |scripts| {
        plant_in_exchange(scripts, "plain and not records[i]", "plain");
    })
    .await;
}

#[tokio::test]
async fn duplicates_that_are_let_in_are_caught() {
    is_caught(|scripts| {
        plant_in_submit(scripts, "return holders[unique]", "return false");
    })
    .await;
}

#[tokio::test]
async fn duplicates_inside_a_request_that_are_let_in_are_caught() {
    is_caught(|scripts| {
        plant_in_submit(scripts, "holders[unique] = key", "");
    })
    .await;
}

#[tokio::test]
async fn a_unique_key_that_outlives_its_job_is_caught() {
    is_caught(|scripts| {
        plant_in_exchange(scripts, "call('HDEL', UNIQUE, unique)", "");
    })
    .await;
}

#[tokio::test]
async fn a_window_without_an_end_is_caught() {
    is_caught(|scripts| {
        plant_in_submit(scripts, "if till and tonumber(till) <= now", "if false");
    })
    .await;
}

#[tokio::test]
async fn a_clients_clock_is_caught() {
    is_caught(|scripts| {
        let text = "local now = clock[1] * 1000000";
        scripts.maintain = planted(scripts.maintain, text, "local now = (clock[1] + 1) * 1000000");
    })
    .await;
}

#[tokio::test]
async fn a_due_time_that_is_a_microsecond_late_is_caught() {
    is_caught(|scripts| {
        let text = "'-inf', number(now), 'LIMIT'";
        scripts.maintain = planted(scripts.maintain, text, "'-inf', number(now - 1), 'LIMIT'");
    })
    .await;
}

#[tokio::test]
async fn times_that_lose_digits_are_caught() {
    is_caught(|scripts| {
        let text = "return format('%.0f', value)";
        plant_in_exchange(scripts, text, "return tostring(value)");
    })
    .await;
}

#[tokio::test]
async fn a_repeated_exchange_that_is_done_twice_is_caught() {
    is_caught(|scripts| {
        let text = "local kept, repeated = recall(control[5], request, 'E')";
        plant_in_exchange(scripts, text, &format!("{text} repeated = nil"));
    })
    .await;
}

#[tokio::test]
async fn a_repeated_submit_that_is_done_twice_is_caught() {
    is_caught_in(draw, Some(Disturbance::RepliesLost), |scripts| {
        let text = "local kept, repeated = recall(control[3], request, 'S')";
        plant_in_submit(scripts, text, &format!("{text} repeated = nil"));
    })
    .await;
}

#[tokio::test]
async fn a_session_that_is_forgotten_too_early_is_caught() {
    is_caught(|scripts| {
        let text = "local SESSION_LIFETIME, SESSION_SLACK, PAST_AT_ONCE = 600000000";
        plant_in_exchange(scripts, text, &text.replace("600000000", "500000"));
    })
    .await;
}

#[tokio::test]
async fn a_counter_that_drifts_is_caught() {
    is_caught(|scripts| {
        let text = "call('HINCRBY', CONTROL, counter, by)";
        plant_in_exchange(scripts, text, &text.replace("by)", "1)"));
    })
    .await;
}

#[tokio::test]
async fn jobs_out_of_their_order_are_caught() {
    is_caught(|scripts| {
        let text = "call('ZADD', READY, '0', member";
        plant_in_exchange(scripts, text, "call('ZADD', READY, '1', member");
    })
    .await;
}

#[tokio::test]
async fn a_purge_after_which_keys_come_twice_is_caught() {
    is_caught(|scripts| {
        let text = "'token', 'sequence', 'done', 'cancelled', 'evicted',";
        let lost = "'token', 'done', 'cancelled', 'evicted', 'evicted',";
        scripts.control = planted(scripts.control, text, lost);
    })
    .await;
}

#[tokio::test]
async fn a_redrive_that_keeps_spent_budgets_is_caught() {
    is_caught(|scripts| {
        scripts.control = planted(scripts.control, "local job = fresh()", "local job = dead");
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_too_many_is_caught() {
    is_caught(|scripts| {
        let text = "call('ZCARD', set) - most";
        scripts.maintain = planted(scripts.maintain, text, "call('ZCARD', set) - most - 1");
    })
    .await;
}

#[tokio::test]
async fn a_submit_that_wakes_nobody_is_caught() {
    is_caught_in(draw, Some(Disturbance::WakeUpsTaken), |scripts| {
        plant_in_submit(scripts, "if #ready > 0", "if #ready > 2");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_leaves_jobs_behind_and_wakes_nobody_is_caught() {
    is_caught_in(draw_plain, Some(Disturbance::WakeUpsTaken), |scripts| {
        let text = "if call('LLEN', WAKE) == 0 and call('ZCARD', READY) > 0";
        plant_in_exchange(scripts, text, "if false");
    })
    .await;
}

/// Fails unless requests as large as they may be show the bug.
async fn is_caught_by_full_requests(plant: impl FnOnce(&mut Scripts)) {
    let server = frozen();
    let engine = engine(&server.url(), plant).await;
    let subject = Subjected::new(&server, engine);
    run(&subject, &draw_full(0, 30)).await.expect_err("full requests miss the bug");
}

#[tokio::test]
async fn a_submit_that_looks_for_fewer_unique_keys_than_it_may_have_is_caught() {
    is_caught_by_full_requests(|scripts| {
        plant_in_submit(scripts, "unpack(wanted)", "unpack(wanted, 1, 200)");
    })
    .await;
}

#[tokio::test]
async fn a_submit_that_stores_fewer_jobs_than_it_may_have_is_caught() {
    is_caught_by_full_requests(|scripts| {
        let text = "call(command, key, unpack(pairs))";
        let fewer = "call(command, key, unpack(pairs, 1, math.min(#pairs, 1000)))";
        plant_in_submit(scripts, text, fewer);
    })
    .await;
}

#[tokio::test]
async fn more_values_than_a_call_can_have_are_caught() {
    is_caught_by_full_requests(|scripts| {
        let text = "call(command, key, unpack(pairs))";
        plant_in_submit(scripts, text, &text.replace("pairs)", "pairs, 1 - 7000)"));
    })
    .await;
}
