//! What every engine refuses before it writes anything.

use super::{
    Control, Exchange, Export, Import, Inspect, Lane, MAX_BATCH, MAX_PRIORITY, NewJob, Submit, Tend,
};
use crate::{Error, ErrorKind, Result};

/// The longest unique key in bytes.
pub const MAX_UNIQUE_BYTES: usize = 1_024;

/// The longest name of a lane in bytes.
pub const MAX_LANE_BYTES: usize = 64;

/// The longest reason that is kept, in bytes; a longer reason is cut at a character.
pub const MAX_REASON_BYTES: usize = 1_024;

/// The last point in time, in microseconds since 1970: in the year 2255. Also the largest token and
/// sequence number of a request, so that a double can hold each.
pub const MAX_STAMP: u64 = (1 << 53) - 1;

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
/// `TooLarge`; the message names the item and the limit.
pub fn check_submit(request: &Submit) -> Result<()> {
    request.lane.as_ref().map_or(Ok(()), lane)?;
    check_batch("jobs", request.jobs.len())?;
    request.jobs.iter().try_for_each(job)
}

/// Checks the limits of an exchange.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_exchange(request: &Exchange) -> Result<()> {
    lane(&request.lane)?;
    check_batch("acks", request.acks.len())?;
    check_batch("operations", request.operations.len())?;
    check_batch("claims", request.claim.map_or(0, |claim| claim.limit))
}

/// Checks the limit of a maintenance.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_tend(request: &Tend) -> Result<()> {
    check_batch("items to tend", request.limit)
}

/// Checks the limits of an operator's action.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_control(request: &Control) -> Result<()> {
    match request {
        Control::Pause | Control::Resume => Ok(()),
        Control::Cancel { keys } | Control::Discard { keys } => check_batch("keys", keys.len()),
        Control::Redrive { keys, limit } => {
            check_batch("keys", keys.len())?;
            check_batch("dead letters", *limit)
        }
        Control::Purge { limit } => check_batch("jobs", *limit),
    }
}

/// Checks the limit of an inspection.
///
/// # Errors
/// `TooLarge`; the message names the item and the limit.
pub fn check_inspect(request: &Inspect) -> Result<()> {
    match request {
        Inspect::Counts => Ok(()),
        Inspect::Peek { limit, .. } => check_batch("jobs", *limit),
        Inspect::Dead { limit, .. } => check_batch("dead letters", *limit),
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
    job.unique.as_ref().map_or(Ok(()), |unique| check_unique(unique.key.len()))
}

fn check_unique(bytes: usize) -> Result<()> {
    if bytes <= MAX_UNIQUE_BYTES {
        return Ok(());
    }
    Err(too_large(format!("a unique key of {bytes} bytes; expected at most {MAX_UNIQUE_BYTES}")))
}

fn lane(lane: &Lane) -> Result<()> {
    let bytes = lane.name.len();
    if bytes > MAX_LANE_BYTES {
        let message = format!("a lane's name of {bytes} bytes; expected at most {MAX_LANE_BYTES}");
        return Err(too_large(message));
    }
    if lane.request > MAX_STAMP {
        let message = format!("request number {}; expected at most {MAX_STAMP}", lane.request);
        return Err(too_large(message));
    }
    Ok(())
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
