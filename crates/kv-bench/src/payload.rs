//! Jobs that tell which they are, and a tally of those that were done.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;

use crate::Result;

/// The payload of most scenarios, encoded.
pub(crate) const SMALL: usize = 200;

/// The large one.
pub(crate) const LARGE: usize = 10 * 1024;

/// How many jobs go into one request where jobs are added in bulk.
pub(crate) const BATCH: u64 = 1_000;

const DIGITS: usize = 16;

/// The payload of the job with this number: a text that takes so many bytes as JSON.
pub(crate) fn payload(id: u64, bytes: usize) -> String {
    let filling = bytes.saturating_sub(DIGITS + 2);
    // A width ends at 2^16.
    format!("{id:0DIGITS$}") + &"x".repeat(filling)
}

/// The same as JSON, for those who store bytes.
pub(crate) fn body(id: u64, bytes: usize) -> Bytes {
    Bytes::from(format!("\"{}\"", payload(id, bytes)))
}

/// The jobs 1 to `jobs`, made in batches of so many.
pub(crate) fn batches<T>(jobs: u64, batch: u64, make: impl Fn(u64) -> T) -> Vec<Vec<T>> {
    let firsts = (0..jobs.div_ceil(batch)).map(|number| number * batch + 1);
    firsts.map(|first| (first..=jobs.min(first + batch - 1)).map(&make).collect()).collect()
}

/// Counts jobs, and by their sum and the sum of their squares notices one that was done twice
/// while another was not.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    count: AtomicU64,
    sum: AtomicU64,
    squares: AtomicU64,
}

impl Tally {
    pub(crate) fn new() -> Arc<Self> {
        Arc::default()
    }

    /// Notes the job with this payload.
    pub(crate) fn note(&self, payload: &str) {
        self.note_bytes(payload.as_bytes());
    }

    /// Notes the job with this payload as JSON.
    pub(crate) fn note_body(&self, body: &[u8]) {
        self.note_bytes(body.get(1..).unwrap_or_default());
    }

    fn note_bytes(&self, bytes: &[u8]) {
        let digits = bytes.get(..DIGITS).unwrap_or_default();
        let id = digits.iter().fold(0_u64, |id, digit| {
            id.wrapping_mul(10).wrapping_add(u64::from(digit.wrapping_sub(b'0')))
        });
        self.add(1, id, id.wrapping_mul(id));
    }

    /// Adds what somebody else has counted.
    pub(crate) fn add(&self, count: u64, sum: u64, squares: u64) {
        self.count.fetch_add(count, Ordering::Relaxed);
        self.sum.fetch_add(sum, Ordering::Relaxed);
        self.squares.fetch_add(squares, Ordering::Relaxed);
    }

    /// Fails unless each of the jobs 1 to `jobs` was noted once.
    pub(crate) fn check(&self, jobs: u64) -> Result<()> {
        let seen = [&self.count, &self.sum, &self.squares].map(|it| it.load(Ordering::Relaxed));
        let add = |sums: [u64; 3], id: u64| {
            let [count, sum, squares] = sums;
            [count + 1, sum.wrapping_add(id), squares.wrapping_add(id.wrapping_mul(id))]
        };
        let expected = (1..=jobs).fold([0; 3], add);
        if seen == expected {
            return Ok(());
        }
        Err(format!("not each job was done once: {seen:?}; expected {expected:?}").into())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_has_its_size_as_json_and_tells_its_number() {
        assert_eq!(body(7, SMALL).len(), SMALL);
        assert_eq!(serde_json::to_string(&payload(7, SMALL)).unwrap().as_bytes(), body(7, SMALL));
        let tally = Tally::default();
        tally.note(&payload(1, SMALL));
        tally.note_body(&body(2, LARGE));
        tally.check(2).unwrap();
    }

    #[test]
    fn a_job_that_is_missing_or_done_twice_is_noticed() {
        for ids in [[1, 2, 4], [1, 1, 3], [2, 2, 2]] {
            let tally = Tally::default();
            ids.iter().for_each(|id| tally.note(&payload(*id, SMALL)));
            assert!(tally.check(3).is_err(), "{ids:?}");
        }
    }

    #[test]
    fn batches_hold_every_job_once() {
        let batches = batches(2_500, BATCH, |id| id);
        assert_eq!(batches.iter().map(Vec::len).collect::<Vec<_>>(), [1000, 1000, 500]);
        assert!(batches.into_iter().flatten().eq(1..=2_500));
    }
}
