//! Reading dead letters: the oldest, no more than a page or an action can bear.

use kv_queue::{DeadJob, Queue};

use crate::failure::Result;

/// How many letters a page reads, to group them by reason.
pub(crate) const MOST_READ: usize = 1_000;

/// How many letters an action changes at most; it is repeated for more.
pub(crate) const MOST_CHANGED: usize = 10_000;

/// How many bytes of bodies are read before reading stops.
const MOST_BYTES: usize = 8 << 20;

/// How many letters are asked for together, of each partition at first.
const TOGETHER: usize = 100;

/// The oldest dead letters of a queue.
#[derive(Debug, Default)]
pub(crate) struct Letters {
    pub(crate) read: Vec<DeadJob>,
    /// Whether reading stopped before the last letter.
    pub(crate) is_cut: bool,
}

/// Reads up to so many letters. `keep` says which are kept; all of them count.
pub(crate) async fn read<T>(
    queue: &Queue<T>,
    most: usize,
    keep: impl Fn(&DeadJob) -> bool + Send,
) -> Result<Letters> {
    let mut walk = queue.walk_dead_letters();
    let (mut letters, mut count, mut bytes) = (Letters::default(), 0, 0);
    while count < most && bytes < MOST_BYTES {
        let page = walk.next(TOGETHER.min(most - count)).await?;
        if page.is_empty() {
            return Ok(letters);
        }
        count += page.len();
        bytes += page.iter().map(|letter| letter.payload.len()).sum::<usize>();
        letters.read.extend(page.into_iter().filter(&keep));
    }
    letters.is_cut = !walk.next(1).await?.is_empty();
    Ok(letters)
}

/// What letters are grouped by: the first line of the reason.
pub(crate) fn first_line(letter: &DeadJob) -> &str {
    letter.reason.lines().next().unwrap_or_default()
}
