//! Many large values on a Cluster: in parts, slot by slot.

use kv_core::{Bytes, KeyValueStore, Lifetime};

use crate::support::{config, connect, refs, three};

/// Keys of many slots, and as many of one; each has a value of its own, every third a large one.
fn values() -> Vec<(String, Bytes)> {
    let names = (0..40).flat_map(|at| [format!("k{at}"), format!("{{tag}}{at}")]);
    let value = |at: usize, name: &String| {
        let mut value = name.clone().into_bytes();
        value.resize(if at.is_multiple_of(3) { 400 << 10 } else { 20 }, b'.');
        Bytes::from(value)
    };
    names.enumerate().map(|(at, name)| (name.clone(), value(at, &name))).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn large_values_of_many_slots_come_back_in_order() {
    let cluster = three();
    let store = connect(config(&cluster)).await;
    let mut names: Vec<String> = values().into_iter().map(|(name, _)| name).collect();
    names.extend(["none".to_owned(), "{tag}none".to_owned(), names[0].clone()]);
    for lifetime in [Lifetime::Never, Lifetime::In(std::time::Duration::from_secs(600))] {
        store.set_many(values(), lifetime).await.unwrap();
        for store in [&store, &connect(config(&cluster)).await] {
            let read = store.get_many(&refs(&names)).await.unwrap();
            let read: Vec<_> = read.into_iter().map(|it| it.map(|it| it.value)).collect();
            let mut expected: Vec<_> = values().into_iter().map(|(_, it)| Some(it)).collect();
            expected.extend([None, None, expected[0].clone()]);
            assert!(read == expected);
        }
        assert_eq!(store.delete_many(&refs(&names)).await.unwrap(), 80);
    }
}
