//! Random bytes and pickles with random changes: an error or a bounded value, never a panic.

use fastrand::Rng;
use serde_json::Value;

use crate::{cases, describe, pickle, seed, short_goldens};

/// What random pickles are made of more often than chance would have it.
const OPCODES: &[u8] = b"\x80\x95.(012pqr\x94ghjN\x88\x89IJKML\x8a\x8bFGSTUVX\x8c\x8dBC\x8e\x96\
    ]lae)t\x85\x86\x87}dsu\x8f\x90\x91c\x93RbioPQ\x81\x92\x82\x83\x84\x97\x98\x00\x01\x02\x04\n";

/// Changes a pickle in some of its bytes, or puts a part of another one in.
pub(crate) fn changed(rng: &mut Rng, pickles: &[Vec<u8>]) -> Vec<u8> {
    let any = |rng: &mut Rng| pickles[rng.usize(..pickles.len())].clone();
    let mut bytes = any(rng);
    for _ in 0..rng.usize(1..6) {
        let at = rng.usize(..bytes.len().max(1)).min(bytes.len());
        match rng.u8(..5) {
            0 => bytes.truncate(at),
            1 => bytes.insert(at, OPCODES[rng.usize(..OPCODES.len())]),
            2 => drop(bytes.splice(at..(at + rng.usize(..4)).min(bytes.len()), [])),
            3 => {
                let other = any(rng);
                let from = rng.usize(..other.len());
                let to = (from + rng.usize(..20)).min(other.len());
                bytes.splice(at..at, other[from..to].iter().copied());
            }
            _ => {
                if let Some(byte) = bytes.get_mut(at) {
                    *byte = rng.u8(..);
                }
            }
        }
    }
    bytes
}

/// Opcodes in a random order, with some bytes between.
fn invented(rng: &mut Rng) -> Vec<u8> {
    let byte = |rng: &mut Rng| match rng.u8(..8) {
        0 => rng.u8(..),
        _ => OPCODES[rng.usize(..OPCODES.len())],
    };
    (0..rng.usize(..60)).map(|_| byte(rng)).collect()
}

fn case(rng: &mut Rng, pickles: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = match rng.u8(..4) {
        0 => invented(rng),
        1 => (0..rng.usize(..40)).map(|_| rng.u8(..)).collect(),
        _ => changed(rng, pickles),
    };
    if rng.u8(..4) > 0 && bytes.last() != Some(&b'.') {
        bytes.push(b'.');
    }
    bytes
}

#[test]
fn random_bytes_give_an_error_or_a_bounded_value() {
    let cases = cases(200_000);
    let (rng, pickles) = (&mut Rng::with_seed(seed()), short_goldens());
    let mut read = 0;
    for _ in 0..cases {
        let bytes = case(rng, &pickles);
        if let Ok(text) = describe(&bytes) {
            read += 1;
            // Each byte becomes two digits; the budget of the crate is the rest.
            assert!(text.len() <= 2 * (64 * bytes.len() + (4 << 20)), "{bytes:?}");
        }
        let _ = pickle().decode::<Value>(&bytes);
        let _ = pickle().decode::<(Option<i64>, Vec<(String, f64)>)>(&bytes);
    }
    println!("{read} of them were read");
    assert!(read > cases / 100, "too few cases are pickles at all: {read}");
}

#[test]
fn a_value_that_is_read_from_random_bytes_is_written_and_read_again_as_the_same() {
    let (rng, pickles) = (&mut Rng::with_seed(seed()), short_goldens());
    let mut compared = 0;
    for _ in 0..20_000 {
        let Ok(value) = pickle().decode::<Value>(&case(rng, &pickles)) else { continue };
        let bytes = pickle().encode(&value).unwrap();
        assert_eq!(pickle().decode::<Value>(&bytes).unwrap(), value);
        compared += 1;
    }
    assert!(compared > 200, "{compared}");
}
