//! The work: counting the words of a text.

use std::collections::BTreeMap;

use kv_queue::{Delivery, Outcome};
use serde::{Deserialize, Serialize};

/// A text to count.
#[derive(Serialize, Deserialize)]
pub(crate) struct Text(pub(crate) String);

/// How often each word is there.
#[derive(Serialize, Deserialize)]
pub(crate) struct Counts(BTreeMap<String, u64>);

/// Handles one delivery.
pub(crate) async fn count(delivery: Delivery<Text>) -> Outcome {
    let Text(text) = delivery.payload();
    if text.trim().is_empty() {
        return Outcome::fail("the text has no words");
    }
    let mut counts = BTreeMap::new();
    for word in text.split_whitespace() {
        *counts.entry(word.to_lowercase()).or_default() += 1;
    }
    Outcome::done_with(Counts(counts))
}
