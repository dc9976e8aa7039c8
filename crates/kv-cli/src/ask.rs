//! Asking before many things change.

use std::io::{IsTerminal as _, Write as _};

use crate::arguments::Consent;
use crate::failure::{Failure, Result};
use crate::output::print;

/// Says what is about to happen, and asks; with `--yes` it does not ask, with `--dry-run` it
/// answers `false`.
///
/// # Errors
/// `Declined` if the answer is not yes, or nobody is there to answer.
pub(crate) fn may_change(consent: Consent, what: &str) -> Result<bool> {
    if consent.dry_run {
        print(&format!("would {what}; nothing was changed"));
        return Ok(false);
    }
    if consent.yes {
        return Ok(true);
    }
    if !std::io::stdin().is_terminal() {
        return Err(Failure::Declined("nobody is there to ask; repeat with --yes"));
    }
    eprint!("{what}? [y/N] ");
    let _ = std::io::stderr().flush();
    let mut answer = String::new();
    let read = std::io::stdin().read_line(&mut answer);
    match read.map(|_| answer.trim().to_ascii_lowercase()) {
        Ok(answer) if answer == "y" || answer == "yes" => Ok(true),
        _ => Err(Failure::Declined("the answer was not yes")),
    }
}
