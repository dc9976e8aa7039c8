//! The kills as a table, and what they add up to.

use kv_core::queue::Counts;
use tokio::time::Instant;

use super::plan::Kill;

pub(super) struct Table {
    start: Instant,
    kills: usize,
    in_flight: u64,
    at_risk: u64,
}

impl Table {
    pub(super) fn new(start: Instant) -> Self {
        println!("kill       at      done  in flight  what");
        Self { start, kills: 0, in_flight: 0, at_risk: 0 }
    }

    /// Notes a kill with the looks before and after it, and how many jobs the killed can have
    /// had in flight at most.
    pub(super) fn note(&mut self, kill: &Kill, before: &Counts, after: &Counts, at_risk: u64) {
        self.kills += 1;
        let in_flight = before.leased.max(after.leased);
        self.in_flight += in_flight.min(at_risk);
        self.at_risk += at_risk;
        let (at, done) = (self.start.elapsed().as_secs_f64(), before.done);
        println!("{:>4} {at:>6.1} s {done:>9} {in_flight:>10}  {}", self.kills, kill.target);
    }

    /// The most jobs that can have been in flight with what was killed, summed up: each may come
    /// once more.
    pub(super) const fn at_risk(&self) -> u64 {
        self.at_risk
    }

    /// The jobs that were seen in flight at the kills, summed up. Leases that end before the look
    /// after a kill are missing, so this is no bound.
    pub(super) const fn in_flight(&self) -> u64 {
        self.in_flight
    }
}
