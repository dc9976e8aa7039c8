//! Many verbs in one round trip: a pipeline of a few, with a typed tuple of answers, and a batch
//! of any number, with a ticket for each answer.
//!
//! Both run in order; neither is a transaction.
//!
//! ```text
//! cargo run --package kv-config --example batch_pipeline
//! ```

use kv_core::{ErrorKind, Result, SetOptions, Store};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Page {
    pub(crate) title: String,
    pub(crate) links: u32,
}

/// What the recipe came to.
#[derive(Debug, PartialEq)]
pub(crate) struct Found {
    pub(crate) page: Option<Page>,
    pub(crate) absent: bool,
    pub(crate) titles: Vec<String>,
    pub(crate) unreadable: usize,
}

/// Writes and reads a few pages in three round trips.
pub(crate) async fn run(store: &Store) -> Result<Found> {
    let store = store.namespace("pages");
    let front = Page { title: "Front".into(), links: 12 };

    // An error of one verb is the error of the pipeline.
    let ((), (), page, there) = store
        .pipeline()
        .set("front", &front)
        .set("odd", "no page at all")
        .get::<Page>("front")
        .exists("missing")
        .execute()
        .await?;

    let mut batch = store.batch();
    let hour = std::time::Duration::from_secs(3_600);
    let written: Vec<_> = (1..=3)
        .map(|number| {
            let page = Page { title: format!("Page {number}"), links: number };
            batch.set_with(&format!("{number}"), &page, SetOptions::new().ttl(hour))
        })
        .collect();
    let mut replies = batch.execute().await?;
    for ticket in written {
        replies.take(ticket)?;
    }

    // An error of one verb is in its answer, and the others are not lost.
    let mut batch = store.batch();
    let tickets: Vec<_> = ["1", "2", "3", "odd"].map(|key| batch.get::<Page>(key)).into();
    let mut replies = batch.execute().await?;
    let mut found = Found { page, absent: !there, titles: Vec::new(), unreadable: 0 };
    for ticket in tickets {
        match replies.take(ticket) {
            Ok(page) => found.titles.extend(page.map(|page| page.title)),
            Err(error) if error.kind() == ErrorKind::Serialization => found.unreadable += 1,
            Err(error) => return Err(error),
        }
    }
    Ok(found)
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    let store = kv_config::from_env().await?;
    println!("{:#?}", run(&store).await?);
    store.close().await
}
