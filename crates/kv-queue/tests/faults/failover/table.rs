//! The faults as a table, and what they add up to.

use std::time::Duration;

use tokio::time::Instant;

use super::books::{Audit, Toll, Window};

/// How long it took until the servers were ok, and then until everything worked again.
#[derive(Clone, Copy)]
pub(super) struct Recovery {
    pub(super) servers: Duration,
    pub(super) work: Duration,
}

pub(super) struct Table {
    start: Instant,
    rows: Vec<(Window, Recovery)>,
}

impl Table {
    pub(super) fn new() -> Self {
        println!("fault      at  what         servers ok after  all work after that");
        Self { start: Instant::now(), rows: Vec::new() }
    }

    pub(super) fn note(&mut self, window: Window, work: Duration) {
        let recovery = Recovery { servers: window.to - window.from, work };
        self.rows.push((window, recovery));
        let (at, servers) = (window.from - self.start, recovery.servers);
        println!(
            "{:>5} {:>5.1} s  {:<12} {:>14.2} s  {:>17.3} s",
            self.rows.len(),
            at.as_secs_f64(),
            window.fault,
            servers.as_secs_f64(),
            work.as_secs_f64(),
        );
    }

    pub(super) fn windows(&self) -> Vec<Window> {
        self.rows.iter().map(|(window, _)| *window).collect()
    }

    /// The longest time from when the servers were ok until everything worked.
    pub(super) fn longest(&self) -> Duration {
        self.rows.iter().map(|(_, it)| it.work).max().unwrap_or_default()
    }

    /// Prints what each fault did to the jobs.
    pub(super) fn print(&self, audit: &Audit) {
        println!("fault  what           lost  repeated  errors");
        for (number, (window, toll)) in (1..).zip(&audit.tolls) {
            let Toll { lost, repeated, errors } = toll;
            let fault = window.fault;
            println!("{number:>5}  {fault:<12} {lost:>6} {repeated:>9} {errors:>7}");
        }
        println!("errors: {:?}, {} of them without a fault", audit.errors, audit.stray_errors);
    }
}
