//! Bugs in the turns and limits of groups.

use kv_queue_machine::testing::draw;

use super::{is_caught, is_shown, plant_in_exchange, planted};

#[tokio::test]
async fn a_limit_that_counts_for_each_process_is_caught() {
    is_shown(draw, |scripts| {
        let text = "group.running >= terms.most";
        plant_in_exchange(scripts, text, "group.running >= terms.most * 2");
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_is_never_free_again_is_caught() {
    is_caught(|scripts| {
        let text = "group.running = math.max(group.running - 1, 0)";
        plant_in_exchange(scripts, text, "");
    })
    .await;
}

#[tokio::test]
async fn a_slot_that_a_dead_process_keeps_is_caught() {
    is_caught(|scripts| {
        let text = "group.running = math.max(group.running - 1, 0)";
        scripts.maintain = planted(scripts.maintain, text, "");
    })
    .await;
}

#[tokio::test]
async fn a_group_that_is_lost_when_it_is_empty_is_caught() {
    is_shown(draw, |scripts| {
        let text = "local forgotten = math.max(group.next, group.paused)";
        plant_in_exchange(scripts, text, "local forgotten = 0");
    })
    .await;
}

#[tokio::test]
async fn a_group_that_is_starved_is_caught() {
    is_shown(draw, |scripts| {
        let text = "turn = math.min(turn + 1, MAX_SEQUENCE)";
        plant_in_exchange(scripts, text, "turn = math.max(turn - 1, 0)");
    })
    .await;
}

#[tokio::test]
async fn a_start_that_comes_too_early_is_caught() {
    is_shown(draw, |scripts| {
        let text = "if group.next - terms.tolerance > now then";
        let early = "if group.next - terms.tolerance > now + 1 then";
        plant_in_exchange(scripts, text, early);
    })
    .await;
}

#[tokio::test]
async fn a_pause_that_ends_too_late_is_caught() {
    is_shown(draw, |scripts| {
        let text = "'(' .. stamp('b', now + 1)";
        scripts.maintain = planted(scripts.maintain, text, "'(' .. stamp('b', now)");
    })
    .await;
}
