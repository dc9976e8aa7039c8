//! One page of SCAN.

use kv_core::{Cursor, Error, ErrorKind, Pattern, Result, ScanPage};

use crate::driver::Answer;
use crate::verbs::unexpected;

/// Where both a walk begins and the server says that it ended.
const ENDS: &str = "0";

/// The server's own note of where a walk stands: a decimal number.
pub(crate) fn cursor(cursor: Option<&Cursor>) -> Result<String> {
    let Some(cursor) = cursor else { return Ok(ENDS.to_owned()) };
    let number: Option<u64> = cursor.as_str().parse().ok();
    number.map(|number| number.to_string()).ok_or_else(|| {
        Error::new(ErrorKind::InvalidKey, "the cursor is none of this store; expected a page's own")
    })
}

/// Reads a page. The pattern is checked again here; keys that are no UTF-8 are left out, since
/// nothing could name them.
pub(crate) fn page(answer: Answer, pattern: &Pattern) -> Result<ScanPage> {
    let Answer::List(parts) = answer else { return Err(unexpected()) };
    let Ok([Answer::Data(next), Answer::List(keys)]) = <[Answer; 2]>::try_from(parts) else {
        return Err(unexpected());
    };
    let next = String::from_utf8(next.into()).map_err(|_| unexpected())?;
    let keys = keys.into_iter().filter_map(|key| match key {
        Answer::Data(key) if pattern.matches_bytes(&key) => String::from_utf8(key.into()).ok(),
        _ => None,
    });
    Ok(ScanPage { keys: keys.collect(), next: (next != ENDS).then(|| Cursor::new(next)) })
}
