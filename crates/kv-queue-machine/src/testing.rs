//! The oracle: an engine and the machine, driven by the same random requests, must agree.
//!
//! A [`Subject`] is an engine under test with a clock that the test sets. [`check`] draws a script
//! of abstract steps from a seed, runs it on the subject and on the machine over [`NaiveTables`],
//! and compares the replies one by one, up to a renaming of tokens. The steps include repeats (as
//! after a lost reply), older requests of a session, stale and forged handles, duplicates inside a
//! request, and requests that an engine must refuse. A failure is shrunk to a short script and
//! printed with its seed.

mod ask;
mod check;
mod clock;
mod coverage;
mod draw;
mod dump;
mod host;
mod naive;
mod rename;
mod run;
mod script;

pub use check::{Failure, check, check_scripts, shrink};
pub use clock::ManualClock;
pub use coverage::Coverage;
pub use draw::{draw, draw_full, draw_plain};
pub use dump::Dump;
pub use host::MachineHost;
pub use naive::NaiveTables;
pub use run::{START, Subject, run};
pub use script::{Pick, Script, SessionUse, Step};
