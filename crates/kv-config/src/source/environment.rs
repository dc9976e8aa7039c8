//! Variables as an environment has them.
//!
//! Not `config`'s environment source: that one skips names which are not UTF-8, quotes values
//! which are not, and lowercases names, so that a slip would pass or a secret would show.

use std::ffi::OsString;

use super::Given;
use crate::value::Raw;
use crate::variable::PREFIX;

/// The process's own variables: the one place that reads them.
pub(crate) fn of_process() -> impl Iterator<Item = (OsString, OsString)> {
    std::env::vars_os()
}

/// Those variables that are the store's.
pub(crate) fn read(variables: impl IntoIterator<Item = (OsString, OsString)>) -> Vec<Given> {
    variables
        .into_iter()
        .filter_map(|(name, value)| given(&name.to_string_lossy(), value))
        .collect()
}

/// A name in other letters is ours too: as a slip that has to be told.
fn given(name: &str, value: OsString) -> Option<Given> {
    let (head, _) = name.split_at_checked(PREFIX.len())?;
    let raw = || value.into_string().map_or(Raw::Unreadable, Raw::Untyped);
    head.eq_ignore_ascii_case(PREFIX).then(|| Given::variable(name, raw()))
}
