//! What is written reads back equal, or is refused at the write: random values of 72 types in every
//! format.
//!
//! `OC_KV_SOAK_CASES=1000000` has a million values for each format, in place of the few that are
//! enough to meet every rule; `OC_KV_SOAK_SEED` sets the seed.

#![cfg(test)]

mod random;
mod round;
mod shapes;

use fastrand::Rng;
use kv_core::Serializer;
use round::Round;

/// How many values there are for each format.
const VALUES: usize = 60_000;

const KINDS: [&[(&str, Round)]; 4] =
    [shapes::PLAIN, shapes::OTHERS, shapes::WIDE, shapes::PARTLY_WIDE];

fn types() -> usize {
    KINDS.iter().map(|shapes| shapes.len()).sum()
}

fn rng() -> Rng {
    let seed = std::env::var("OC_KV_SOAK_SEED").map_or(fastrand::u64(..), |s| s.parse().unwrap());
    println!("seed {seed}");
    Rng::with_seed(seed)
}

/// Runs all shapes, and returns how often each was written and refused.
fn count(
    serializer: &Serializer,
    shapes: &[(&'static str, Round)],
    times: usize,
) -> Vec<(&'static str, [usize; 2])> {
    let rng = &mut rng();
    let one = |(name, round): &(&'static str, Round)| {
        let written = (0..times).filter(|_| round(serializer, rng)).count();
        (*name, [written, times - written])
    };
    shapes.iter().map(one).collect()
}

fn check(serializer: &Serializer) {
    let values = std::env::var("OC_KV_SOAK_CASES").map_or(VALUES, |text| text.parse().unwrap());
    let kinds = KINDS;
    let times = values.div_ceil(types());
    let [plain, others, wide, _] = kinds.map(|shapes| count(serializer, shapes, times));
    for (name, [_, refused]) in plain {
        assert_eq!(refused, 0, "{name} in {serializer:?} is plain and refused");
    }
    for (name, [written, _]) in wide {
        assert_eq!(written, 0, "{name} in {serializer:?} holds 128-bit integers and is written");
    }
    println!("{serializer:?}, written and refused: {others:?}");
}

#[test]
fn what_is_written_as_json_reads_back_equal() {
    check(&Serializer::Json);
}

#[test]
fn what_is_written_as_message_pack_reads_back_equal() {
    check(&Serializer::MessagePack);
}

#[test]
fn what_is_written_as_pickle_reads_back_equal() {
    check(&Serializer::custom(kv_pickle::Pickle));
}

#[test]
fn the_documents_tell_the_number_of_types() {
    let header = include_str!("main.rs");
    let decision = include_str!("../../../../docs/decisions/0019-what-is-written-reads-back.md");
    let told = format!("random values of {} types", types());
    for text in [header, decision] {
        assert!(text.contains(&told), "expected {told:?}");
    }
}
