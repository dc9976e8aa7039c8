//! Our globs against the server's.

use std::collections::HashSet;

use fastrand::Rng;
use kv_core::{Bytes, KeyValueStore, Lifetime, Pattern};

use kv_testbed::{Connection, Reply};

use crate::support::{direct, walk};

const KEYS: usize = 300;
const PATTERNS: usize = 350;
const KEY_PARTS: [&str; 12] = ["a", "b", "c", "-", "[", "]", "^", "\\", "*", "?", "é", "a"];
const PATTERN_PARTS: [&str; 30] = [
    "*", "*", "*", "*", "*", "*", "*", "*", "*", "*", "?", "?", "a", "b", "c", "-", "é", "[a-c]",
    "[^a]", "[^-]", "[c-a]", "[a-]", "[]]", "[\\]]", "[!a]", "[", "]", "^", "\\", "[^",
];

fn text(rng: &mut Rng, parts: &[&str], most: usize) -> String {
    (0..rng.usize(1..=most)).map(|_| parts[rng.usize(..parts.len())]).collect()
}

/// Half are a key with some of its characters made wild, half are any; each is what it is, and
/// how often they match is measured below.
fn pattern(rng: &mut Rng, keys: &[String]) -> String {
    if rng.bool() {
        let inner = text(rng, &PATTERN_PARTS, 4);
        return if rng.u8(..3) > 0 { format!("*{inner}*") } else { inner };
    }
    let key = &keys[rng.usize(..keys.len())];
    let wild = key.chars().map(|c| match rng.u8(..9) {
        0..=5 => "*".to_owned(),
        6 => "?".repeat(c.len_utf8()),
        _ => Pattern::escape(&c.to_string()),
    });
    wild.collect()
}

/// Which keys the server itself finds, in one page that looks at all of them.
fn theirs(connection: &mut Connection, pattern: &str) -> HashSet<String> {
    let scan = ["SCAN", "0", "MATCH", pattern, "COUNT", "10000"];
    let Reply::Array(parts) = connection.command(&scan).unwrap() else { panic!("no page") };
    let [end, Reply::Array(keys)] = parts.as_slice() else { panic!("no page") };
    assert_eq!(end.text().as_deref(), Some("0"));
    keys.iter().filter_map(Reply::text).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn our_globs_match_what_the_servers_match() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let (server, store) = direct().await;
    let mut connection = server.connection().unwrap();
    let mut keys: HashSet<String> = HashSet::new();
    while keys.len() < KEYS {
        keys.insert(text(&mut rng, &KEY_PARTS, 6));
    }
    let keys: Vec<String> = keys.into_iter().collect();
    let pairs = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
    store.set_many(pairs, Lifetime::Never).await.unwrap();
    let (mut pairs, mut matches) = (0, 0);
    for _ in 0..PATTERNS {
        let text = pattern(&mut rng, &keys);
        let pattern = Pattern::new(text.clone()).unwrap();
        let theirs = theirs(&mut connection, &text);
        for key in &keys {
            let ours = pattern.matches(key);
            assert_eq!(ours, theirs.contains(key), "seed {seed}: {text:?} on {key:?}");
            pairs += 1;
            matches += usize::from(ours);
        }
    }
    assert!(pairs >= 100_000, "{pairs} pairs");
    assert!(matches * 10 >= pairs * 3, "seed {seed}: {matches} of {pairs} match");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_prefix_lets_a_pattern_out() {
    let seed = fastrand::u64(..);
    let mut rng = Rng::with_seed(seed);
    let (_server, store) = direct().await;
    let prefixes: HashSet<String> = (0..60).map(|_| text(&mut rng, &KEY_PARTS, 3) + ":").collect();
    let pairs = prefixes.iter().map(|prefix| (format!("{prefix}key"), Bytes::new())).collect();
    store.set_many(pairs, Lifetime::Never).await.unwrap();
    for prefix in &prefixes {
        for rest in ["*", "?*", "k[a-z]y", "[^a]*"] {
            let found = walk(&store, &Pattern::within(prefix, rest).unwrap()).await;
            let expected = vec![format!("{prefix}key")];
            assert_eq!(found, expected, "seed {seed}: {prefix:?} and {rest:?}");
        }
    }
}

/// Redis compares a range's bytes as C's `char`, which is signed on x86-64.
#[tokio::test(flavor = "multi_thread")]
async fn a_range_of_bytes_beyond_ascii_is_the_servers() {
    let (server, store) = direct().await;
    let mut connection = server.connection().unwrap();
    let keys = ["-", "a", "z", "~", "é", "ÿ"].map(str::to_owned);
    let pairs = keys.iter().map(|key| (key.clone(), Bytes::new())).collect();
    store.set_many(pairs, Lifetime::Never).await.unwrap();
    for text in ["*[é-*]*", "*[é-*", "*[a-é]*", "*[^a-é]*", "[~-é]*", "*[é-ÿ]*"] {
        let theirs = theirs(&mut connection, text);
        let pattern = Pattern::new(text).unwrap();
        let ours = keys.iter().filter(|key| pattern.matches(key)).cloned().collect();
        assert_eq!(theirs, ours, "{text:?}");
    }
}
