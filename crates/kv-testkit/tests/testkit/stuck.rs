//! A store that hangs fails its case by name, and whoever ran it goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use kv_core::{
    BoxError, Bytes, Condition, Cursor, Entry, ErrorKind, KeyValueStore, Outcome, Remaining,
    Result, ScanPage, ScanRequest, Store, Write, async_trait,
};
use kv_testkit::{Backend, Failure, run_apart, runtime};

/// What hangs always reaches it.
const PATIENCE: Duration = Duration::from_millis(200);
/// What ends by itself never does.
const LONG: Duration = Duration::from_secs(600);

/// How a store hangs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    Spins,
    Blocks,
    Waits,
    Yields,
    HangsWhenDropped,
    /// Each walk comes to the same cursors over and over.
    Cycles(u32),
    Panics,
}

/// A store that hangs until it is let go.
struct Stuck {
    way: Way,
    let_go: Arc<AtomicBool>,
}

impl Stuck {
    /// Holds the thread.
    fn hold(&self, way: Way) {
        while self.way == way && !self.let_go.load(Ordering::Acquire) {
            if way == Way::Spins {
                std::hint::spin_loop();
            } else {
                std::thread::park_timeout(Duration::from_millis(1));
            }
        }
    }

    async fn hang(&self) {
        self.hold(Way::Spins);
        self.hold(Way::Blocks);
        if self.way == Way::Waits {
            std::future::pending::<()>().await;
        }
        if self.way == Way::Yields {
            loop {
                tokio::task::yield_now().await;
            }
        }
        assert!(self.way != Way::Panics, "the store is beside itself");
    }
}

impl Drop for Stuck {
    fn drop(&mut self) {
        self.hold(Way::HangsWhenDropped);
    }
}

#[async_trait]
impl KeyValueStore for Stuck {
    async fn get(&self, _: &str) -> Result<Option<Entry>> {
        self.hang().await;
        Ok(None)
    }

    async fn set(&self, _: &str, _: Bytes, _: Write) -> Result<Outcome> {
        Ok(Outcome::ConditionFailed)
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        Ok(false)
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        Ok(None)
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let at = request.cursor.and_then(|cursor| cursor.as_str().parse().ok()).unwrap_or(0);
        let Way::Cycles(length) = self.way else { return Ok(ScanPage::default()) };
        let next = Some(Cursor::new(((at + 1) % length).to_string()));
        Ok(ScanPage { keys: vec![format!("k{at}")], next })
    }
}

struct Hanging {
    way: Way,
    let_go: Arc<AtomicBool>,
}

impl Backend for Hanging {
    type Store = Stuck;

    async fn fresh(&self) -> Result<Stuck, BoxError> {
        Ok(Stuck { way: self.way, let_go: Arc::clone(&self.let_go) })
    }

    fn advance(&self, _: Duration) {}
}

/// What a case says of a store that hangs.
fn tried(name: &str, way: Way) -> Result<(), Failure> {
    let ends = matches!(way, Way::Panics | Way::Cycles(_));
    let patience = if ends { LONG } else { PATIENCE };
    let let_go = Arc::<AtomicBool>::default();
    let given = Arc::clone(&let_go);
    let outcome = run_apart(name, patience, move || Hanging { way, let_go: given });
    let_go.store(true, Ordering::Release);
    outcome
}

#[test]
fn a_store_that_holds_its_thread_fails_the_case_by_name() {
    for way in [Way::Spins, Way::Blocks, Way::HangsWhenDropped] {
        let told = tried("a_missing_key_is_none", way).unwrap_err().to_string();
        let expected = "a_missing_key_is_none: no end after 200ms: the store blocks its thread";
        assert!(told.starts_with(expected), "{way:?}: {told}");
    }
}

#[test]
fn a_store_that_waits_or_yields_for_ever_fails_the_case_by_name() {
    for way in [Way::Waits, Way::Yields] {
        let told = tried("a_missing_key_is_none", way).unwrap_err().to_string();
        // Which of the two watches sees it first is for the machine to say.
        let expected = "a_missing_key_is_none: no end after 200ms: ";
        assert!(told.starts_with(expected), "{way:?}: {told}");
    }
}

#[test]
#[should_panic(expected = "the store is beside itself")]
fn a_store_that_panics_fails_the_test_with_its_own_message() {
    let _ = tried("a_missing_key_is_none", Way::Panics);
}

#[test]
fn a_walk_that_comes_to_a_cursor_again_is_an_error_of_the_backend() {
    let runtime = runtime().unwrap();
    for length in [1, 2, 3, 1_000] {
        let store = Stuck { way: Way::Cycles(length), let_go: Arc::default() };
        let error = runtime.block_on(Store::new(store).keys("*")).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Backend, "{error}");
        assert!(error.to_string().contains("does not end"), "{error}");
    }
}

#[test]
fn a_walk_that_does_not_end_fails_the_cases_that_walk() {
    for name in ["a_scan_of_an_empty_store_ends", "namespaces_do_not_see_each_other"] {
        let told = tried(name, Way::Cycles(3)).unwrap_err().to_string();
        assert!(told.starts_with(name), "{told}");
    }
}
