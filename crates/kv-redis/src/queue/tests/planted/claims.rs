//! Bugs in what a claim takes, and what a repeat of it brings.

use kv_queue_machine::testing::{draw, draw_plain};

use super::{is_shown, plant_in_exchange, plant_in_submit};

#[tokio::test]
async fn a_claim_above_its_bytes_is_caught() {
    is_shown(draw, |scripts| {
        let text = "if sum and sum + size > bytes";
        plant_in_exchange(scripts, text, "if sum and sum > bytes");
    })
    .await;
}

#[tokio::test]
async fn a_plain_claim_above_its_bytes_is_caught() {
    is_shown(draw_plain, |scripts| {
        plant_in_exchange(scripts, "plain = sum <= bytes", "plain = true");
    })
    .await;
}

#[tokio::test]
async fn a_longest_body_that_is_not_noted_is_caught() {
    is_shown(draw_plain, |scripts| {
        let text = "if longest > largest then";
        plant_in_submit(scripts, text, "if false then");
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_does_not_count_among_the_bytes_is_caught() {
    is_shown(draw, |scripts| {
        plant_in_exchange(scripts, "false, size + state", "false, size");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_does_not_look_past_what_it_buries_is_caught() {
    is_shown(draw, |scripts| {
        let text = "local ready = first(READY, math.min(left, limit - #keys))";
        let once = "local ready = met and {} or first(READY, math.min(left, limit - #keys))";
        plant_in_exchange(scripts, text, once);
    })
    .await;
}

#[tokio::test]
async fn a_short_claim_that_does_not_say_that_there_is_more_is_caught() {
    is_shown(draw, |scripts| {
        let text = "due = more and MORE or";
        plant_in_exchange(scripts, text, "due = more and now or");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_that_brings_more_than_it_asks_for_is_caught() {
    is_shown(draw, |scripts| {
        plant_in_exchange(scripts, "full = full or #told == limit", "");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_that_does_not_release_the_rest_is_caught() {
    is_shown(draw, |scripts| {
        plant_in_exchange(scripts, "operate('u', lease, '', '')", "");
    })
    .await;
}
