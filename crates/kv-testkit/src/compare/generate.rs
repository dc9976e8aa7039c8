//! Random operations.

use std::time::Duration;

use fastrand::Rng;
use kv_core::Lifetime;

use super::operation::{KEYS, Key, Many, Operation, Text, Verb, When};

const PATTERNS: [&str; 6] = ["*", "a*", "a", "a\\*", "[^a]*", "??"];

/// Makes operations, each value of which is written only once.
pub(super) struct Generator {
    rng: Rng,
    values: u64,
}

impl Generator {
    pub(super) fn new(seed: u64, sequence: usize) -> Self {
        // Neighbouring seeds and sequences must not lead to the same operations.
        let mixed = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ sequence as u64;
        Self { rng: Rng::with_seed(mixed), values: 0 }
    }

    pub(super) fn operation(&mut self) -> Operation {
        match self.rng.u8(0..100) {
            0..76 => {
                let (key, verb) = self.command();
                Operation::One(key, verb)
            }
            76..84 => Operation::Batch((0..self.rng.usize(0..6)).map(|_| self.command()).collect()),
            84..88 => Operation::GetMany(Many(self.keys())),
            88..92 => {
                // With no pairs, a store may refuse a zero lifetime or not.
                let count = self.count().max(1);
                let pairs = (0..count).map(|_| (self.key(), self.value())).collect();
                Operation::SetMany(Many(pairs), self.lifetime())
            }
            92..96 => Operation::DeleteMany(Many(self.keys())),
            _ => Operation::Scan(PATTERNS[self.rng.usize(0..PATTERNS.len())]),
        }
    }

    fn key(&mut self) -> Key {
        self.rng.usize(0..KEYS.len())
    }

    fn keys(&mut self) -> Vec<Key> {
        (0..self.count()).map(|_| self.key()).collect()
    }

    /// A few, and sometimes more than the variables of a statement of SQL were.
    fn count(&mut self) -> usize {
        if self.rng.u8(0..100) == 0 { self.rng.usize(1_000..1_100) } else { self.rng.usize(0..5) }
    }

    fn command(&mut self) -> (Key, Verb) {
        let verb = match self.rng.u8(0..100) {
            0..18 => Verb::Get,
            18..48 => {
                let (value, when) = (self.value(), self.when());
                Verb::Set { value, lifetime: self.lifetime(), when }
            }
            48..54 => Verb::Delete { when: self.when() },
            54..60 => Verb::Exists,
            60..68 => Verb::Ttl,
            68..78 => Verb::Touch { lifetime: self.lifetime() },
            78..84 => Verb::Take,
            _ => Verb::Increment { by: self.summand(), lifetime: self.lifetime() },
        };
        (self.key(), verb)
    }

    fn when(&mut self) -> When {
        match self.rng.u8(0..10) {
            0..5 => When::Always,
            5 => When::Absent,
            6 => When::Present,
            _ => When::Seen(self.rng.usize(0..3)),
        }
    }

    fn value(&mut self) -> Text {
        self.values += 1;
        let number = self.values;
        Text(match self.rng.u8(0..10) {
            0..5 => number.to_string(),
            5 => format!("-{number}"),
            // Numbers that a counter must not take.
            6 => format!("0{number}"),
            7 => format!("+{number}"),
            8 => format!("value {number}"),
            _ if self.rng.u8(0..50) == 0 => {
                format!("value {number}, {}", "and on ".repeat(self.rng.usize(1_000..10_000)))
            }
            _ => format!("value {number} %_\u{fc}\0"),
        })
    }

    /// So many different ones that no two sums are equal by chance; some overflow.
    fn summand(&mut self) -> i64 {
        match self.rng.u8(0..10) {
            0 => i64::MAX - self.rng.i64(0..1 << 40),
            1 => i64::MIN + self.rng.i64(0..1 << 40),
            2..5 => -self.rng.i64(1..1 << 40),
            _ => self.rng.i64(1..1 << 40),
        }
    }

    /// An odd number of milliseconds once it is rounded up, or none; see [`LONGEST_STEP`](super::LONGEST_STEP).
    fn lifetime(&mut self) -> Lifetime {
        match self.rng.u8(0..100) {
            0..70 => Lifetime::In(Duration::from_millis(2 * self.rng.u64(0..25) + 1)),
            70..80 => Lifetime::Never,
            80..89 => Lifetime::Keep,
            89..92 => Lifetime::In(Duration::from_millis(self.rng.u64(1..=1_000) * 1_000 + 1)),
            92..95 => {
                let millis = 2 * self.rng.u64(0..2);
                Lifetime::In(Duration::from_micros(millis * 1_000 + self.rng.u64(1..=1_000)))
            }
            95..97 => Lifetime::In(Duration::MAX),
            _ => Lifetime::In(Duration::ZERO),
        }
    }
}
