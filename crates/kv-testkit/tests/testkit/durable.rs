//! A store that outlives its process, with the ways in which one can fail to.

mod disk;
mod faults;
mod queue;

use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::BoxError;
use kv_testkit::{Backend, ManualClock};

use disk::{Disk, DurableStore};
pub(crate) use faults::Fault;
pub(crate) use faults::PLANTED;

/// Makes stores on one disk, with one fault or none.
pub(crate) struct Durable {
    fault: Option<Fault>,
    clock: ManualClock,
    disk: Mutex<Arc<Mutex<Disk>>>,
}

impl Durable {
    pub(crate) fn new(fault: Option<Fault>) -> Self {
        Self { fault, clock: ManualClock::new(), disk: Mutex::default() }
    }
}

impl Backend for Durable {
    type Store = DurableStore;

    async fn fresh(&self) -> Result<DurableStore, BoxError> {
        let disk = Arc::<Mutex<Disk>>::default();
        *self.disk.lock().unwrap() = Arc::clone(&disk);
        Ok(DurableStore::open(disk, self.clock.restarted(), self.fault))
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    async fn reopen(&self) -> Result<Option<DurableStore>, BoxError> {
        let disk = Arc::clone(&self.disk.lock().unwrap());
        Ok(Some(DurableStore::open(disk, self.clock.restarted(), self.fault)))
    }

    fn set_back(&self, by: Duration) -> bool {
        self.clock.set_back(by);
        true
    }
}

mod without_a_fault {
    kv_testkit::conformance!(super::Durable::new(None));
}

fn is_caught(fault: Fault, name: &str) -> bool {
    kv_testkit::run_case(name, &Durable::new(Some(fault))).is_err()
}

#[test]
fn every_planted_fault_is_caught_by_the_case_of_its_rule() {
    let missed: Vec<_> = PLANTED.iter().filter(|(fault, name)| !is_caught(*fault, name)).collect();
    assert!(missed.is_empty(), "not caught: {missed:#?}");
}

#[test]
fn a_backend_that_does_not_reopen_is_told_so() {
    let name = "a_lifetime_goes_on_over_a_reopen";
    let skipped = crate::five::stderr_of(&format!("five::that_declare_everything::{name}"));
    let line = format!("kv-testkit: {name}: skipped: the backend does not reopen");
    assert!(skipped.contains(&line), "{skipped}");
}
