//! Pickles of Python's, pickles of ours, and bytes of nobody's good will.

#![cfg(test)]

mod any;
mod bombs;
mod golden;
mod hostile;
mod mirror;
mod oracle;
mod random;
mod store;
mod typed;
mod words;

use kv_core::Serializer;
use kv_pickle::Pickle;
use mirror::Mirror;

/// The pickles that Python wrote: a name, the protocol, hexadecimal text, the value's text.
const READ: &str = include_str!("../golden/read.tsv");

fn pickle() -> Serializer {
    Serializer::custom(Pickle)
}

/// The bytes as the format itself writes them, of a value that no store would take.
pub(crate) fn written(value: &dyn kv_core::erased_serde::Serialize) -> Vec<u8> {
    kv_core::Format::encode(&Pickle, value).unwrap()
}

/// The value that raw bytes or hexadecimal text say.
fn describe(bytes: &[u8]) -> kv_core::Result<String> {
    pickle().decode::<Mirror>(bytes).map(|mirror| mirror.0)
}

/// Why the bytes are refused, without the outer error's own words.
fn cause(bytes: &[u8]) -> String {
    let error = describe(bytes).expect_err("the bytes are refused");
    assert_eq!(error.kind(), kv_core::ErrorKind::Serialization);
    std::error::Error::source(&error).expect("a cause is told").to_string()
}

fn from_hex(text: &str) -> Vec<u8> {
    let digit = |at: usize| u8::from_str_radix(&text[at..at + 2], 16).unwrap();
    (0..text.len()).step_by(2).map(digit).collect()
}

/// The pickles that Python wrote, as raw bytes, without those too long for many repetitions.
fn short_goldens() -> Vec<Vec<u8>> {
    let pickles = READ.lines().filter_map(|line| line.split('\t').nth(2)).map(from_hex);
    pickles.filter(|pickle| pickle.len() < 1_000).collect()
}

/// The seed of a random test, printed with how to set it.
fn seed() -> u64 {
    let seed = std::env::var("OC_KV_SOAK_SEED").map_or(fastrand::u64(..), |s| s.parse().unwrap());
    println!("seed {seed}; OC_KV_SOAK_SEED and OC_KV_SOAK_CASES set seed and cases");
    seed
}

/// How many cases a random test has unless `OC_KV_SOAK_CASES` says otherwise.
fn cases(usual: u64) -> u64 {
    std::env::var("OC_KV_SOAK_CASES").map_or(usual, |text| text.parse().unwrap())
}
