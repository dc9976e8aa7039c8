//! What every engine refuses before it writes anything.

use super::{
    Control, Exchange, Export, Import, Inspect, ListPlace, MAX_BATCH, MAX_PRIORITY, MAX_STAMP,
    Maintain, NewJob, Session, State, Submit, check_group,
};
use crate::{Error, ErrorKind, Result};

/// The longest unique key in bytes.
pub const MAX_UNIQUE_BYTES: usize = 1_024;

/// The longest name of a session in bytes.
pub const MAX_SESSION_BYTES: usize = 64;

/// The longest reason that is kept, in bytes; a longer reason is cut at a character.
pub const MAX_REASON_BYTES: usize = 1_024;

/// The most partitions of a queue.
pub const MAX_PARTITIONS: u32 = 1_024;

/// Checks a number of partitions.
///
/// # Errors
/// `Config` for zero, and for more than [`MAX_PARTITIONS`].
pub fn check_partitions(queue: &str, partitions: u32) -> Result<()> {
    if (1..=MAX_PARTITIONS).contains(&partitions) {
        return Ok(());
    }
    let message = format!("{partitions} partitions; expected 1 to {MAX_PARTITIONS}");
    Err(Error::new(ErrorKind::Config, message).operation("open").key(queue))
}

/// Checks the limits of a submit.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit. `InvalidKey` for a name that no group can
/// have.
pub fn check_submit(request: &Submit) -> Result<()> {
    request.session.as_ref().map_or(Ok(()), session)?;
    check_batch("jobs", request.jobs.len())?;
    request.jobs.iter().try_for_each(job)
}

/// Checks the limits of an exchange.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_exchange(request: &Exchange) -> Result<()> {
    session(&request.session)?;
    check_batch("acks", request.acks.len())?;
    check_batch("operations", request.operations.len())?;
    check_batch("claims", request.claim.map_or(0, |claim| claim.limit))
}

/// Checks the limit of a maintenance.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_maintain(request: &Maintain) -> Result<()> {
    check_batch("items to maintain", request.limit)
}

/// Checks the limits of an operator's action.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit. Those of [`check_group`] and
/// [`GroupLimit::check`](super::GroupLimit::check).
pub fn check_control(request: &Control) -> Result<()> {
    match request {
        Control::Pause | Control::Resume | Control::Purge => Ok(()),
        Control::Cancel { keys } | Control::Discard { keys } | Control::Reschedule { keys, .. } => {
            check_batch("keys", keys.len())
        }
        Control::Redrive { keys, limit } => {
            check_batch("keys", keys.len())?;
            check_batch("dead letters", *limit)
        }
        Control::LimitGroup { group, limit } => {
            check_group(group)?;
            limit.as_ref().map_or(Ok(()), super::GroupLimit::check)
        }
        Control::PauseGroup { group, .. } => check_group(group),
    }
}

/// Checks the limits of an inspection.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit. `InvalidKey` for a place in the list of
/// another state, or a name that no group can have.
pub fn check_inspect(request: &Inspect) -> Result<()> {
    match request {
        Inspect::Counts | Inspect::Job { .. } => Ok(()),
        Inspect::Unique { key } => check_unique(key.len()),
        Inspect::Peek { limit, .. } => check_batch("jobs", *limit),
        Inspect::Dead { limit, .. } => check_batch("dead letters", *limit),
        Inspect::Groups { limit, .. } => check_batch("groups", *limit),
        Inspect::List { state, group, after, limit } => {
            check_batch("jobs", *limit)?;
            group.as_deref().map_or(Ok(()), check_group)?;
            match after.as_ref().map(ListPlace::state).filter(|other| other != state) {
                Some(other) => Err(other_list(*state, other)),
                None => Ok(()),
            }
        }
    }
}

/// Checks the limit of an export.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_export(request: &Export) -> Result<()> {
    check_batch("jobs to export", request.limit)
}

/// Checks the limits of an import.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_import(request: &Import) -> Result<()> {
    check_batch("jobs", request.jobs.len())?;
    check_batch("unique keys", request.unique.len())?;
    let keys = request.unique.iter().map(|unique| &unique.key);
    let keys = keys.chain(request.jobs.iter().filter_map(|job| job.unique.as_ref()));
    keys.map(String::len).try_for_each(check_unique)
}

/// Checks a number of items, or a limit on items.
fn check_batch(what: &str, items: usize) -> Result<()> {
    if items <= MAX_BATCH {
        return Ok(());
    }
    Err(too_large(format!("{items} {what} in one request; expected at most {MAX_BATCH}")))
}

/// A reason, cut at a character to at most [`MAX_REASON_BYTES`].
pub fn cut_reason(reason: &str) -> &str {
    let mut end = reason.len().min(MAX_REASON_BYTES);
    while !reason.is_char_boundary(end) {
        end -= 1;
    }
    reason.get(..end).unwrap_or_default()
}

fn job(job: &NewJob) -> Result<()> {
    if job.priority > MAX_PRIORITY {
        let message = format!("priority {}; expected 0 to {MAX_PRIORITY}", job.priority);
        return Err(too_large(message));
    }
    job.unique.as_ref().map_or(Ok(()), |unique| check_unique(unique.key.len()))?;
    job.group.as_deref().map_or(Ok(()), check_group)
}

fn check_unique(bytes: usize) -> Result<()> {
    if bytes <= MAX_UNIQUE_BYTES {
        return Ok(());
    }
    Err(too_large(format!("a unique key of {bytes} bytes; expected at most {MAX_UNIQUE_BYTES}")))
}

fn session(session: &Session) -> Result<()> {
    let bytes = session.name.len();
    if bytes > MAX_SESSION_BYTES {
        let message =
            format!("a session's name of {bytes} bytes; expected at most {MAX_SESSION_BYTES}");
        return Err(too_large(message));
    }
    if session.request > MAX_STAMP {
        let message = format!("request number {}; expected at most {MAX_STAMP}", session.request);
        return Err(too_large(message));
    }
    Ok(())
}

fn other_list(state: State, other: State) -> Error {
    let message = format!("a place in the list of {other} jobs; expected one of {state} jobs");
    Error::new(ErrorKind::InvalidKey, message)
}

fn too_large(message: String) -> Error {
    Error::new(ErrorKind::TooLarge, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_cut_at_a_character() {
        let long = format!("{}é", "x".repeat(MAX_REASON_BYTES - 1));
        assert_eq!(cut_reason(&long).len(), MAX_REASON_BYTES - 1);
        assert_eq!(cut_reason("short"), "short");
    }
}
