//! What hostile pickles cost: memory in proportion to their bytes, whatever they refer to.
//!
//! A bomb is read in a process of its own, whose peak the kernel tells.

use std::fs;

use kv_testbed::ChildTest;
use serde_json::Value;

use crate::hostile::join;
use crate::pickle;

/// Names the bomb that a child reads.
const BOMB: &str = "OC_KV_TEST_BOMB";

/// How long each bomb is, about, in bytes.
const LENGTH: usize = 1_000_000;

/// What a byte may come to in serde_json's tree, in bytes. The most that was seen is 178.
const MOST: usize = 400;

/// What a process has anyway, in bytes.
const GROUND: usize = 32 << 20;

/// Every bomb by its name.
fn bomb(name: &str) -> Vec<u8> {
    let many = |part: &[u8]| part.repeat(LENGTH / part.len());
    let in_list = |first: &[u8], part: &[u8]| join(&[b"](", first, &many(part), b"e."]);
    let length = u32::try_from(LENGTH).unwrap().to_le_bytes();
    match name {
        "atoms" => in_list(b"", b"N"),
        "empty lists" => in_list(b"", b"]"),
        "dicts" => in_list(b"", b"}U\x00Ns"),
        "nested tuples" => join(&[b"N", &many(b"\x85"), b"."]),
        "dropped tuples" => join(&[b"N", &many(b"N\x850"), b"."]),
        "marks" => join(&[&many(b"("), b"."]),
        "copies" => in_list(b"N", b"2"),
        "memo" => join(&[b"N", &many(b"\x94"), b"."]),
        "wide stack, empty tuples" => join(&[b"(", &many(b"N"), b"1", &many(b"(t0"), b"N."]),
        "references to a dict" => in_list(b"}U\x01aNsq\x00", b"h\x00"),
        "sparse references to a dict" => in_list(b"}U\x00Nsq\x00", b"h\x00N0"),
        "references to references" => in_list(b"}U\x00Nsq\x000(h\x00h\x00tq\x01", b"h\x01"),
        "billion laughs" => join(&[b"]", &b"q\x00h\x00\x86".repeat(LENGTH / 5), b"."]),
        "sets" => in_list(b"](NNNe\x85q\x010cbuiltins\nset\nq\x020", b"h\x02h\x01R"),
        "durations" => {
            in_list(b"K\x01K\x01K\x01\x87q\x010cdatetime\ntimedelta\nq\x020", b"h\x02h\x01R")
        }
        "long integer" => join(&[b"\x8b", &length, &many(b"\xfe"), b"."]),
        "long text of digits" => join(&[b"L", &many(b"9"), b"L\n."]),
        "length of 2^63 - 1" => join(&[b"\x8e\xff\xff\xff\xff\xff\xff\xff\x7f", &many(b"a"), b"."]),
        "frame of 2^63 - 1" => join(&[b"\x95\xff\xff\xff\xff\xff\xff\xff\x7f", &many(b"N"), b"."]),
        _ => panic!("no bomb is called {name}"),
    }
}

const BOMBS: [&str; 19] = [
    "atoms",
    "empty lists",
    "dicts",
    "nested tuples",
    "dropped tuples",
    "marks",
    "copies",
    "memo",
    "wide stack, empty tuples",
    "references to a dict",
    "sparse references to a dict",
    "references to references",
    "billion laughs",
    "sets",
    "durations",
    "long integer",
    "long text of digits",
    "length of 2^63 - 1",
    "frame of 2^63 - 1",
];

/// The most memory that this process ever had, in bytes.
fn peak() -> usize {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let kilobytes: usize = line.trim().trim_end_matches(" kB").parse().unwrap();
    kilobytes << 10
}

#[test]
fn the_child_that_reads_a_bomb() {
    let Ok(name) = std::env::var(BOMB) else { return };
    let bytes = bomb(&name);
    let before = peak();
    let read = pickle().decode::<Value>(&bytes);
    ChildTest::say("read", read.is_ok());
    ChildTest::say("length", bytes.len());
    ChildTest::say("cost", peak().saturating_sub(before));
}

#[test]
fn memory_stays_in_proportion_to_the_bytes_of_a_pickle_whatever_it_refers_to() {
    for name in BOMBS {
        let mut child = ChildTest::start("bombs::the_child_that_reads_a_bomb", &[(BOMB, name)]);
        let child = child.as_mut().unwrap();
        let read = child.hear("read").unwrap();
        let number = |text: String| text.parse::<usize>().unwrap();
        let length = number(child.hear("length").unwrap());
        let cost = number(child.hear("cost").unwrap());
        println!("{name}: {cost} bytes for {length}; read: {read}");
        assert!(cost <= length * MOST + GROUND, "{name}: {cost} bytes for {length}");
        assert!(child.ended().unwrap());
    }
}
