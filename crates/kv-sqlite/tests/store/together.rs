//! Several stores on one file, as several processes have them.

use kv_core::{KeyValueStore, Lifetime};

use crate::support::{Place, assert_whole, put, value};

#[tokio::test(flavor = "multi_thread")]
async fn what_one_was_told_is_written_the_other_sees() {
    let place = Place::new();
    let (one, two) = (place.open().await, place.open().await);
    for number in 0..50 {
        put(&one, "k", &number.to_string()).await;
        assert_eq!(value(&two, "k").await.unwrap(), number.to_string());
        put(&two, "k", "other").await;
        assert_eq!(value(&one, "k").await.unwrap(), "other");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn many_that_open_a_new_file_at_once_share_it_and_lose_no_count() {
    let place = Place::new();
    let opened = (0..8).map(|_| place.open());
    let stores = futures_util::future::join_all(opened).await;
    let counting = stores.iter().map(async |store| {
        for _ in 0..100 {
            store.increment("n", 1, Lifetime::Never).await.unwrap();
        }
    });
    futures_util::future::join_all(counting).await;
    assert_eq!(value(&stores[0], "n").await.unwrap(), "800");
    for store in &stores {
        store.close().await.unwrap();
    }
    assert_whole(&place.path());
}
