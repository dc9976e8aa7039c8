//! `package`: each published crate can be packaged.

use crate::metadata::Metadata;
use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    let metadata = Metadata::load()?;
    let mut line = vec!["package", "--quiet", "--workspace", "--no-verify", "--allow-dirty"];
    for package in metadata.members().filter(|package| !package.published) {
        line.extend(["--exclude", package.name.as_str()]);
    }
    shell::cargo(&line)
}
