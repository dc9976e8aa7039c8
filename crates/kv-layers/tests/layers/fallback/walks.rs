//! A walk over keys stays on the store on which it began, or ends with an error.

use kv_core::{Cursor, ErrorKind, KeyValueStore, Pattern, Result, ScanPage, ScanRequest};

use super::Rig;
use crate::support::put;

async fn page(rig: &Rig, cursor: Option<&Cursor>) -> Result<ScanPage> {
    let pattern = Pattern::new("*")?;
    rig.store.scan(ScanRequest { pattern: &pattern, cursor, limit: 1 }).await
}

async fn fill(rig: &Rig) {
    for number in 0..2_000 {
        put(&*rig.store, &format!("k{number}"), "v").await.unwrap();
    }
}

/// Where the first page ends.
async fn begun(rig: &Rig) -> Cursor {
    fill(rig).await;
    page(rig, None).await.unwrap().next.unwrap()
}

async fn assert_interrupted(rig: &Rig, cursor: &Cursor) {
    let error = page(rig, Some(cursor)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Connection);
    assert!(error.to_string().contains("begin it again"), "{error}");
}

#[tokio::test]
async fn a_walk_that_began_on_the_primary_is_interrupted_by_an_outage_and_goes_on_after_it() {
    let rig = Rig::new(1);
    let cursor = begun(&rig).await;
    rig.begin_outage().await;
    assert_interrupted(&rig, &cursor).await;
    assert_eq!(page(&rig, None).await.unwrap().keys, [""; 0]);
    rig.end_outage().await;
    page(&rig, Some(&cursor)).await.unwrap();
}

#[tokio::test]
async fn a_walk_that_began_in_an_outage_ends_with_it_and_is_not_taken_up_in_the_next() {
    let rig = Rig::away().await;
    let cursor = begun(&rig).await;
    page(&rig, Some(&cursor)).await.unwrap();
    rig.end_outage().await;
    assert_interrupted(&rig, &cursor).await;
    rig.begin_outage().await;
    assert_interrupted(&rig, &cursor).await;
}

#[tokio::test]
async fn a_cursor_of_another_store_is_refused_before_and_in_an_outage() {
    let rig = Rig::new(1);
    for _ in 0..2 {
        for foreign in ["", "x", "s", "s:", "sx:1", "0", "スキャン"] {
            let error = page(&rig, Some(&Cursor::new(foreign))).await.unwrap_err();
            assert_eq!(error.kind(), ErrorKind::InvalidKey, "{foreign:?}");
        }
        rig.begin_outage().await;
    }
}
