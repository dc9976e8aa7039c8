//! `fmt`: the code is formatted.

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    shell::need_component("fmt", "rustfmt")?;
    shell::cargo(&["fmt", "--all", "--check"])
}
