//! Counters and durations of each operation, in this process.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use kv_core::ErrorKind;

use super::latencies::{Buckets, Latencies};
use super::{Ended, Meter};
use crate::Operation;

/// Counts calls in memory; a program can read the counts at any time. Clones share their counts.
///
/// It takes about 300 bytes for each operation. Counting takes no lock, except for a failed call.
#[derive(Clone, Debug)]
pub struct Metrics {
    /// In the order of [`Operation::ALL`].
    cells: Arc<[Cell]>,
}

#[derive(Debug, Default)]
struct Cell {
    done: AtomicU64,
    dropped: AtomicU64,
    failed: Mutex<HashMap<ErrorKind, u64>>,
    latencies: Buckets,
}

/// The counts of one operation. They are read one after another, so a call that ends meanwhile may
/// be in some of them only.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Figures {
    /// Calls that were answered.
    pub done: u64,
    /// Calls that were dropped before they ended.
    pub dropped: u64,
    /// Calls that were errors, by their kind.
    pub errors: HashMap<ErrorKind, u64>,
    /// How long the ended calls took, whether they succeeded or failed.
    pub latencies: Latencies,
}

impl Figures {
    /// Calls that were errors.
    pub fn failed(&self) -> u64 {
        self.errors.values().sum()
    }
}

impl Metrics {
    /// Nothing counted yet.
    pub fn new() -> Self {
        Self { cells: Operation::ALL.iter().map(|_| Cell::default()).collect() }
    }

    /// The counts of an operation so far.
    pub fn snapshot(&self, operation: Operation) -> Figures {
        let Some(cell) = self.cells.get(operation as usize) else { return Figures::default() };
        Figures {
            done: cell.done.load(Ordering::Relaxed),
            dropped: cell.dropped.load(Ordering::Relaxed),
            errors: cell.failed.lock().unwrap_or_else(PoisonError::into_inner).clone(),
            latencies: cell.latencies.snapshot(),
        }
    }
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Meter for Metrics {
    fn record(&self, operation: Operation, ended: Ended, took: Duration) {
        let Some(cell) = self.cells.get(operation as usize) else { return };
        match ended {
            Ended::Done => {
                cell.done.fetch_add(1, Ordering::Relaxed);
            }
            Ended::Dropped => {
                cell.dropped.fetch_add(1, Ordering::Relaxed);
                return;
            }
            Ended::Failed(kind) => {
                let mut failed = cell.failed.lock().unwrap_or_else(PoisonError::into_inner);
                *failed.entry(kind).or_default() += 1;
            }
        }
        cell.latencies.add(took);
    }
}
