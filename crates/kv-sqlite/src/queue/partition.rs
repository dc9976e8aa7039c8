//! Queues and partitions by their numbers.

use kv_core::queue::{MAX_PARTITIONS, Partition};
use kv_core::{Error, ErrorKind, Result};

use super::tables::{Found, SqlTables};
use crate::file::Session;

/// The number of a queue, and that of its partitions.
pub(super) fn describe(session: &Session, queue: &str) -> Result<Option<(i64, u32)>> {
    let sql = "SELECT id, partitions FROM queues WHERE name = ?1";
    session.row(sql, [queue], |row| Ok((row.get(0)?, row.get(1)?)))
}

/// # Errors
/// `Config` for a partition of a queue that was not opened.
pub(super) fn find(session: &Session, partition: &Partition) -> Result<Found> {
    place(describe(session, &partition.queue)?, partition)
}

/// Where a partition is, by the description of its queue.
///
/// # Errors
/// Those of [`find`].
pub(super) fn place(described: Option<(i64, u32)>, partition: &Partition) -> Result<Found> {
    match described {
        Some((queue, count)) if partition.number < count => Ok(Found::of(queue, partition.number)),
        _ => Err(not_open(partition)),
    }
}

fn not_open(partition: &Partition) -> Error {
    let message = format!("partition {} is not open in this store", partition.number);
    Error::new(ErrorKind::Config, message).key(&partition.queue)
}

/// Describes a new queue, unless another process was first; how many partitions it has.
pub(super) fn make(session: &Session, queue: &str, partitions: u32) -> Result<u32> {
    let sql = "INSERT INTO queues(name, partitions) VALUES(?1, ?2) ON CONFLICT(name) DO NOTHING";
    session.execute(sql, (queue, partitions))?;
    Ok(describe(session, queue)?.map_or(partitions, |(_, known)| known))
}

/// Takes a queue away: what is stored of it is garbage from now on.
pub(super) fn remove(session: &Session, queue: &str) -> Result<()> {
    let Some((id, partitions)) = describe(session, queue)? else { return Ok(()) };
    for number in 0..partitions {
        let found = Found::of(id, number);
        for place in SqlTables::load(session, found)?.places() {
            session.execute("INSERT OR IGNORE INTO garbage VALUES(?1)", [place])?;
        }
        session.execute("DELETE FROM partitions WHERE id = ?1", [found.partition])?;
    }
    session.execute("DELETE FROM queues WHERE id = ?1", [id])?;
    session.wake(id);
    Ok(())
}

/// The partitions of a queue that have a job which is claimable, timed or leased, in their order:
/// of many, few have one, and a wait reads no row of the others.
pub(super) fn busy(session: &Session, queue: i64) -> Result<Vec<i64>> {
    let sql = "SELECT id FROM partitions WHERE id BETWEEN ?1 AND ?2
               AND ((ready > 0 AND paused = 0) OR timed > 0 OR leases > 0) ORDER BY id";
    let [first, last] = [0, MAX_PARTITIONS - 1].map(|number| Found::of(queue, number).partition);
    session.rows(sql, &[&first, &last], |row| row.get(0))
}

/// Whether a job is claimable, due or past its lease.
pub(super) fn has_work(session: &Session, found: Found) -> Result<bool> {
    let tables = SqlTables::load(session, found)?;
    if tables.is_claimable() {
        return Ok(true);
    }
    tables.has_due(session.now())
}
