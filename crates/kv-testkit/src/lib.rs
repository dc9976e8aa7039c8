//! What a backend author runs: the conformance suite, a manual clock, and faulty stores.
//!
//! # One line per backend
//! [`conformance!`] becomes one `#[test]` for each rule of the contract, each under its own name.
//! What the suite needs to know of a backend is [`Backend`]: how to make an empty store, and how
//! to step its time.
//!
//! ```
//! use std::time::Duration;
//!
//! use kv_testkit::{Backend, ManualClock};
//! # mod kv_yours {
//! #     pub struct YourStore;
//! #     impl YourStore {
//! #         pub fn with_clock(_: impl kv_core::Clock) -> Self { Self }
//! #     }
//! #     #[kv_core::async_trait]
//! #     impl kv_core::KeyValueStore for YourStore {
//! #         async fn get(&self, _: &str) -> kv_core::Result<Option<kv_core::Entry>> { Ok(None) }
//! #         async fn set(&self, _: &str, _: kv_core::Bytes, _: kv_core::Write) -> kv_core::Result<kv_core::Outcome> { Ok(kv_core::Outcome::ConditionFailed) }
//! #         async fn delete(&self, _: &str, _: kv_core::Condition) -> kv_core::Result<bool> { Ok(false) }
//! #         async fn ttl(&self, _: &str) -> kv_core::Result<Option<kv_core::Remaining>> { Ok(None) }
//! #         async fn scan(&self, _: kv_core::ScanRequest<'_>) -> kv_core::Result<kv_core::ScanPage> { Ok(Default::default()) }
//! #     }
//! # }
//! # use kv_yours::YourStore;
//!
//! #[derive(Default)]
//! struct Yours {
//!     clock: ManualClock,
//! }
//!
//! impl Backend for Yours {
//!     type Store = YourStore;
//!
//!     async fn fresh(&self) -> Result<YourStore, kv_core::BoxError> {
//!         Ok(YourStore::with_clock(self.clock.clone()))
//!     }
//!
//!     fn advance(&self, by: Duration) {
//!         self.clock.advance(by);
//!     }
//! }
//!
//! kv_testkit::conformance!(Yours::default());
//! # fn main() {}
//! ```
//!
//! The expression is evaluated once for each test, so each has a backend of its own. A backend
//! with a server keeps it in the value, starts it in [`fresh`](Backend::fresh), and lets the
//! server's clock stand still between the steps.
//!
//! # More than the suite
//! [`compare()`] drives two backends with the same random operations and wants equal answers.
//! [`Faulty`] fails calls by script, for tests of retries and fallbacks. [`Recorder`] and
//! [`forwards`] show that a decorator forwards every method.

mod answer;
mod backend;
mod cases;
mod clock;
mod compare;
mod failure;
mod faulty;
mod guard;
mod method;
mod moves;
mod recorder;
mod refusals;
mod show;
mod suite;
mod told;
mod trial;
mod watch;

pub use backend::Backend;
pub use clock::ManualClock;
pub use compare::{Comparison, Report, compare};
pub use failure::Failure;
pub use faulty::{Fault, Faulty};
pub use guard::PATIENCE;
pub use method::Method;
pub use recorder::{Recorder, Treatment, forwards};
pub use suite::{Case, cases};
pub use trial::Trial;
#[doc(hidden)]
pub use watch::run_test;
pub use watch::{run_apart, run_case, runtime};

/// The guide's code is a test.
#[cfg(doctest)]
#[doc = include_str!("../../../docs/BACKENDS.md")]
struct Guide;
