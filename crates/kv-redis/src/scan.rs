//! One page of SCAN.
//!
//! A walk over a Cluster goes from server to server, in the order of their addresses. While slots
//! move, a key can move from a server that the walk has yet to visit to a visited one. So if a slot
//! moved during a pass, the walk goes over all servers again, at most [`MOST_PASSES`] times. It can
//! miss only a key that moved in every pass.

mod place;

use kv_core::{Cursor, Error, ErrorKind, Pattern, Result, ScanPage, ScanRequest};

use self::place::Place;
use crate::config::Address;
use crate::driver::{Answer, Cluster, Driver, Request};
use crate::verbs::unexpected;

/// The cursor with which a walk begins, and with which the server ends it.
const ENDS: &str = "0";

/// How many keys one SCAN examines, at least and at most.
const COUNT: (u32, u32) = (10, 1_000);

/// How often a walk goes over all servers of a Cluster at most.
const MOST_PASSES: u8 = 4;

/// A page of one server.
pub(crate) async fn page(driver: &Driver, request: ScanRequest<'_>) -> Result<ScanPage> {
    let cursor = cursor(request.cursor.map_or(ENDS, Cursor::as_str))?;
    let answer = driver.call(scan(cursor, &request)).await?;
    let (keys, next) = read(answer, request.pattern)?;
    Ok(ScanPage { keys, next: (next != ENDS).then(|| Cursor::new(next)) })
}

/// A page of one of a Cluster's servers.
pub(crate) async fn page_of_cluster(
    cluster: &Cluster<'_>,
    request: ScanRequest<'_>,
) -> Result<ScanPage> {
    let servers = cluster.servers();
    let place = match request.cursor {
        Some(cursor) => Place::read(cursor.as_str()).ok_or_else(foreign)?,
        None => first(cluster, 1).ok_or_else(unexpected)?,
    };
    // A server that is gone has left its keys to others: another pass finds them.
    let Some(server) = servers.iter().find(|server| **server >= place.server) else {
        let next = again(cluster, &place).await?;
        return Ok(ScanPage { keys: Vec::new(), next });
    };
    let is_same = *server == place.server;
    let cursor = if is_same { cursor(&place.cursor)? } else { ENDS.to_owned() };
    let answer = cluster.call_at(server, scan(cursor, &request)).await?;
    let (keys, next) = read(answer, request.pattern)?;
    let following = servers.iter().find(|other| *other > server);
    let next = match (next.as_str(), following) {
        (ENDS, None) => again(cluster, &place).await?,
        (ENDS, Some(following)) => Some(place.at(following, ENDS)),
        (next, _) => Some(place.at(server, next)),
    };
    Ok(ScanPage { keys, next })
}

/// Where the next pass begins, if one is needed.
async fn again(cluster: &Cluster<'_>, place: &Place) -> Result<Option<Cursor>> {
    if place.pass >= MOST_PASSES || !cluster.has_moved(place.digest).await? {
        return Ok(None);
    }
    Ok(first(cluster, place.pass + 1).map(|place| Cursor::new(place.to_string())))
}

fn first(cluster: &Cluster<'_>, pass: u8) -> Option<Place> {
    let server: Address = cluster.servers().into_iter().next()?;
    Some(Place { pass, digest: cluster.digest(), server, cursor: ENDS.to_owned() })
}

fn scan(cursor: String, request: &ScanRequest<'_>) -> Request {
    let (min, max) = COUNT;
    Request::Scan {
        cursor,
        pattern: request.pattern.as_str().to_owned(),
        count: u32::try_from(request.limit).unwrap_or(max).clamp(min, max),
    }
}

/// The server's note of a walk's position: a decimal number.
fn cursor(text: &str) -> Result<String> {
    let number: Option<u64> = text.parse().ok();
    number.map(|number| number.to_string()).ok_or_else(foreign)
}

fn foreign() -> Error {
    let message = "the cursor is none of this store; expected a page's own";
    Error::new(ErrorKind::InvalidKey, message)
}

/// The keys, and the server's next cursor. The pattern is checked again here. Keys that are not
/// UTF-8 are left out, since no caller could name them.
fn read(answer: Answer, pattern: &Pattern) -> Result<(Vec<String>, String)> {
    let Answer::List(parts) = answer else { return Err(unexpected()) };
    let Ok([Answer::Data(next), Answer::List(keys)]) = <[Answer; 2]>::try_from(parts) else {
        return Err(unexpected());
    };
    let next = String::from_utf8(next.into()).map_err(|_| unexpected())?;
    let keys = keys.into_iter().filter_map(|key| match key {
        Answer::Data(key) if pattern.matches_bytes(&key) => String::from_utf8(key.into()).ok(),
        _ => None,
    });
    Ok((keys.collect(), next))
}
