//! Bugs in how jobs come back, and how they go.

use kv_queue_machine::testing::draw;

use super::{is_shown, plant_in_exchange, plant_in_submit, planted};

#[tokio::test]
async fn a_release_that_charges_a_delivery_is_caught() {
    is_shown(draw, |scripts| {
        let text = "local held = now - token";
        plant_in_exchange(
            scripts,
            text,
            &format!("job.snoozes = job.snoozes + 1 save(key, job) {text}"),
        );
    })
    .await;
}

#[tokio::test]
async fn a_release_that_gives_no_time_back_is_caught() {
    is_shown(draw, |scripts| {
        plant_in_exchange(scripts, "job.deadline + held", "job.deadline");
    })
    .await;
}

#[tokio::test]
async fn a_released_job_that_loses_its_place_is_caught() {
    is_shown(draw, |scripts| {
        let text = "  make_ready(key, job)\n  return 'a'";
        plant_in_exchange(scripts, text, "  come_back(key, job)\n  return 'a'");
    })
    .await;
}

#[tokio::test]
async fn a_job_that_comes_back_before_those_that_wait_is_caught() {
    is_shown(draw, |scripts| {
        let text = "job.place = tonumber(call('HGET', CONTROL, 'sequence') or 0) or 0";
        plant_in_exchange(scripts, text, "job.place = 0");
    })
    .await;
}

#[tokio::test]
async fn jobs_that_come_back_out_of_turn_are_caught() {
    is_shown(draw, |scripts| {
        plant_in_exchange(scripts, "job.since = now", "job.since = 0");
    })
    .await;
}

#[tokio::test]
async fn a_delayed_job_that_loses_its_rank_is_caught() {
    is_shown(draw, |scripts| {
        let text = "return_to_ready(key, job, due)\n    promoted";
        scripts.maintain = planted(scripts.maintain, text, "come_back(key, job)\n    promoted");
    })
    .await;
}

#[tokio::test]
async fn a_dead_letter_that_is_kept_too_long_is_caught() {
    is_shown(draw, |scripts| {
        let text = "age < 0 or";
        scripts.maintain = planted(scripts.maintain, text, "age ~= 0 or");
    })
    .await;
}

#[tokio::test]
async fn a_cancelled_job_that_holds_its_unique_key_is_caught() {
    is_shown(draw, |scripts| {
        let text = "  if job.unique then\n    free_unique(job.unique, key)\n    job.unique = nil";
        scripts.control = planted(scripts.control, text, "  if false then");
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_passes_over_dead_letters_is_caught() {
    is_shown(draw, |scripts| {
        let text = "elseif not discard(key) and";
        let over = "elseif not call('ZSCORE', DEAD, key) and";
        scripts.control = planted(scripts.control, text, over);
    })
    .await;
}

#[tokio::test]
async fn a_cancel_that_does_not_find_a_job_that_came_back_is_caught() {
    is_shown(draw, |scripts| {
        let text = "call('ZREM', READY, name) == 1";
        scripts.control = planted(scripts.control, text, "call('ZREM', READY, key) == 1");
    })
    .await;
}

#[tokio::test]
async fn a_purge_that_leaves_unique_keys_is_caught() {
    is_shown(draw, |scripts| {
        let text = "DEAD, UNIQUE, WINDOWS, SESSIONS,\n    GROUPED";
        scripts.control = planted(scripts.control, text, "DEAD, SESSIONS, GROUPED");
    })
    .await;
}

#[tokio::test]
async fn an_idle_worker_that_brings_a_purged_partition_back_is_caught() {
    is_shown(draw, |scripts| {
        let text = "if not control[5] and is_blank() then";
        plant_in_exchange(scripts, text, "if false then");
    })
    .await;
}

#[tokio::test]
async fn counters_that_end_although_jobs_are_there_are_caught() {
    is_shown(draw, |scripts| {
        plant_in_submit(scripts, "call('PERSIST', CONTROL)", "");
    })
    .await;
}

#[tokio::test]
async fn a_discard_that_is_not_counted_is_caught() {
    is_shown(draw, |scripts| {
        let text = "    forget(key)\n    count('evicted')\n    affected";
        scripts.control = planted(scripts.control, text, "    forget(key)\n    affected");
    })
    .await;
}

#[tokio::test]
async fn a_page_above_its_bytes_is_caught() {
    is_shown(draw, |scripts| {
        let text = "if sum and sum + length > bytes then";
        scripts.inspect = planted(scripts.inspect, text, "if false then");
    })
    .await;
}

#[tokio::test]
async fn a_page_that_begins_at_the_job_it_should_be_behind_is_caught() {
    is_shown(draw, |scripts| {
        scripts.inspect = planted(scripts.inspect, "rank and rank + 1", "rank and rank");
    })
    .await;
}
