//! `lint`: clippy has no warning.

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    shell::need_component("clippy", "clippy")?;
    shell::cargo(&[
        "clippy",
        "--workspace",
        "--all-targets",
        "--all-features",
        "--",
        "-D",
        "warnings",
    ])
}
