//! `doc`: the documentation builds without a warning.

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    shell::cargo_with(
        &["doc", "--no-deps", "--workspace", "--all-features"],
        &[("RUSTDOCFLAGS", "-D warnings")],
    )
}
