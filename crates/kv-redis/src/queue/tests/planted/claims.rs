//! Bugs in what a claim takes, and what a repeat of it brings.

use kv_queue_machine::testing::{draw, draw_plain};

use super::{is_shown, planted};

#[tokio::test]
async fn a_claim_above_its_bytes_is_caught() {
    is_shown(draw, |scripts| {
        let text = "if sum and sum + size > bytes";
        scripts.exchange = planted(scripts.exchange, text, "if sum and sum > bytes");
    })
    .await;
}

#[tokio::test]
async fn a_plain_claim_above_its_bytes_is_caught() {
    is_shown(draw_plain, |scripts| {
        scripts.exchange = planted(scripts.exchange, "plain = sum <= bytes", "plain = true");
    })
    .await;
}

#[tokio::test]
async fn a_longest_body_that_is_not_noted_is_caught() {
    is_shown(draw_plain, |scripts| {
        let text = "if longest > largest then";
        scripts.submit = planted(scripts.submit, text, "if false then");
    })
    .await;
}

#[tokio::test]
async fn a_checkpoint_that_does_not_count_among_the_bytes_is_caught() {
    is_shown(draw, |scripts| {
        scripts.exchange = planted(scripts.exchange, "false, size + state", "false, size");
    })
    .await;
}

#[tokio::test]
async fn a_claim_that_does_not_look_past_what_it_buries_is_caught() {
    is_shown(draw, |scripts| {
        let text = "local ready = first(READY, math.min(left, limit - #keys))";
        let once = "local ready = met and {} or first(READY, math.min(left, limit - #keys))";
        scripts.exchange = planted(scripts.exchange, text, once);
    })
    .await;
}

#[tokio::test]
async fn a_short_claim_that_does_not_say_that_there_is_more_is_caught() {
    is_shown(draw, |scripts| {
        let text = "due = more and MORE or";
        scripts.exchange = planted(scripts.exchange, text, "due = more and now or");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_that_brings_more_than_it_asks_for_is_caught() {
    is_shown(draw, |scripts| {
        scripts.exchange = planted(scripts.exchange, "full = full or #told == limit", "");
    })
    .await;
}

#[tokio::test]
async fn a_repeat_that_does_not_release_the_rest_is_caught() {
    is_shown(draw, |scripts| {
        scripts.exchange = planted(scripts.exchange, "operate('u', lease, '', '')", "");
    })
    .await;
}
