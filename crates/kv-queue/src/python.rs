//! Jobs that the Python original left in its queue.
//!
//! Its queue `NS` has an item for each waiting job at `NS:items:N`, numbered from 0 in the order of
//! the jobs, and two counters, `NS:next_id` and `NS:size`. What an item holds is a value of the
//! store's format, JSON or pickle, and that value is a text of JSON.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use kv_core::{Error, ErrorKind, Expiry, Pattern, Result, Serializer, Store};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};

use crate::queue::{Job, Queue};

/// What stands between a queue's name and the number of an item.
const ITEMS: &str = ":items:";

/// How many items go into the new queue before they leave the old one.
const BATCH: usize = 256;

/// How many refused items a report names; all are counted.
const MOST_NAMED: usize = 1_000;

/// Whether an import changes anything.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Each item leaves the old queue once the new one has acknowledged its job.
    Move,
    /// Every item is read as an import would, and nothing is written.
    DryRun,
}

/// What an import did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Imported {
    /// How many jobs were added; in a dry run, how many would be.
    pub added: u64,
    /// How many items an import that was cut short had added already; they are removed now.
    pub repeated: u64,
    /// How many numbers between the first and the last item have none.
    pub missing: u64,
    /// How many items are left since they could not be read.
    pub refused: u64,
    /// Those items, up to 1,000 of them, each by its key and why; never its content.
    pub reasons: Vec<(String, String)>,
}

/// The queues of the original under a store's prefix, by name, with the number of items in each.
///
/// A name that has no item is not among them. For each item, some bytes are held in memory.
///
/// # Errors
/// Those of the store.
///
/// # Cancel safety
/// Nothing is written.
pub async fn queues(store: &Store) -> Result<BTreeMap<String, u64>> {
    let mut found: BTreeMap<String, BTreeSet<u64>> = BTreeMap::new();
    let mut scan = store.scan(&format!("*{ITEMS}*"));
    while let Some(key) = scan.next().await {
        let key = key?;
        let Some((name, number)) = item(&key) else { continue };
        match found.get_mut(name) {
            Some(numbers) => numbers.insert(number),
            None => found.insert(name.to_owned(), BTreeSet::from([number])).is_none(),
        };
    }
    Ok(found.into_iter().map(|(name, numbers)| (name, numbers.len() as u64)).collect())
}

/// Brings the jobs of a queue of the original into a queue, in their order.
///
/// An item is removed after the queue acknowledged its job, so a job is in one of the two at any time.
/// An import that was cut short is repeated: what was added already is not added again. What cannot be
/// read is left where it is and told, and the others go on. In the end the original's `size` says what
/// is left, so that its consumers find it.
///
/// The order holds within a partition, as always; a queue of one partition keeps all of it. Consumers in
/// Python are to be stopped: one that takes an item while it is read does its job a second time.
/// Producers in Python may go on; another import brings what they added.
///
/// The name is stripped of space around it, as the original does. For each item, some bytes are held
/// in memory, and the payloads of 256 items.
///
/// # Errors
/// `InvalidKey` for a blank name; those of the store and of [`Queue::enqueue_many`], after which what
/// was brought is brought.
///
/// # Cancel safety
/// As after an error: call it again.
///
/// ```
/// # async fn example() -> kv_core::Result<()> {
/// use kv_queue::{Queue, python};
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// // Python: await KVStoreQueue(store, "fetch", JSONSerializer()).enqueue([{"page": 7}])
/// store.set("fetch:items:0", r#"{"page": 7}"#).await?;
/// let queue = Queue::<serde_json::Value>::open(&store, "fetch").await?;
/// let imported = python::import(&store, "fetch", &queue, python::Mode::Move).await?;
/// assert_eq!((imported.added, queue.size().await?), (1, 1));
/// assert!(!store.exists("fetch:items:0").await?);
/// # Ok(()) }
/// # let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
/// # runtime.block_on(example()).unwrap();
/// ```
pub async fn import<T>(store: &Store, name: &str, queue: &Queue<T>, mode: Mode) -> Result<Imported>
where
    T: Serialize + DeserializeOwned + Send + Sync,
{
    let name = name.trim();
    if name.is_empty() {
        let blank = Error::new(ErrorKind::InvalidKey, "a blank queue name; expected a name");
        return Err(blank.operation("import"));
    }
    let numbers = numbers(store, name).await?;
    let mut imported = Imported { missing: gaps(&numbers), ..Imported::default() };
    for some in numbers.chunks(BATCH) {
        let items = read(store, name, some, &mut imported).await?;
        match mode {
            Mode::DryRun => imported.added += items.len() as u64,
            Mode::Move => bring(store, name, queue, items, &mut imported).await?,
        }
    }
    if mode == Mode::Move && imported.added + imported.repeated > 0 {
        tell_size(store, name).await?;
    }
    Ok(imported)
}

/// The queue and the number that a key is of. A number has no zeros before it.
fn item(key: &str) -> Option<(&str, u64)> {
    let (head, digits) = key.rsplit_once(':')?;
    let name = head.strip_suffix(":items")?;
    let number: u64 = digits.parse().ok()?;
    (!name.is_empty() && number.to_string() == digits).then_some((name, number))
}

async fn numbers(store: &Store, name: &str) -> Result<Vec<u64>> {
    let mut numbers = BTreeSet::new();
    let mut scan = store.scan(&format!("{}{ITEMS}*", Pattern::escape(name)));
    while let Some(key) = scan.next().await {
        let key = key?;
        // The pattern finds those of longer names too.
        numbers.extend(item(&key).filter(|(of, _)| *of == name).map(|(_, number)| number));
    }
    Ok(numbers.into_iter().collect())
}

fn gaps(numbers: &[u64]) -> u64 {
    match (numbers.first(), numbers.last()) {
        (Some(first), Some(last)) => (last - first).saturating_sub(numbers.len() as u64 - 1),
        _ => 0,
    }
}

/// An item that was read.
struct Item<T> {
    key: String,
    /// What tells it from another item that Python gives the same number later.
    mark: String,
    payload: T,
}

async fn read<T: DeserializeOwned>(
    store: &Store,
    name: &str,
    numbers: &[u64],
    imported: &mut Imported,
) -> Result<Vec<Item<T>>> {
    let mut items = Vec::with_capacity(numbers.len());
    for number in numbers {
        let key = format!("{name}{ITEMS}{number}");
        let read = match store.get::<String>(&key).await {
            Ok(None) => {
                imported.missing += 1;
                continue;
            }
            Ok(Some(text)) => {
                let payload = Serializer::Json.decode(text.as_bytes());
                payload.map(|payload| (payload, format!("{number}:{}", digest(&text))))
            }
            Err(error) => Err(error),
        };
        match read {
            Ok((payload, mark)) => items.push(Item { key, mark, payload }),
            Err(error) if is_of_one(&error) => refuse(imported, key, &error),
            Err(error) => return Err(error),
        }
    }
    Ok(items)
}

/// Adds a batch, removes it, and begins another: until then a repeat finds each job by its mark.
async fn bring<T>(
    store: &Store,
    name: &str,
    queue: &Queue<T>,
    items: Vec<Item<T>>,
    imported: &mut Imported,
) -> Result<()>
where
    T: Serialize + DeserializeOwned + Send + Sync,
{
    if items.is_empty() {
        return Ok(());
    }
    let batches = format!("import:{name}");
    let batch = store.counter(&batches).await?.unwrap_or_default();
    let (keys, jobs): (Vec<String>, Vec<Job<T>>) = items
        .into_iter()
        .map(|item| {
            let unique = format!("import:{name}:{batch}:{}", item.mark);
            (item.key, Job::new(item.payload).unique(unique))
        })
        .unzip();
    let enqueued = queue.enqueue_many(jobs).await?;
    imported.added += enqueued.added as u64;
    imported.repeated += enqueued.duplicates as u64;
    store.delete_many(&keys).await?;
    store.increment(&batches, 1, Expiry::Never).await?;
    Ok(())
}

/// Lets Python's counter say what is left. One that cannot be read is Python's to mend, as it does at
/// its start.
async fn tell_size(store: &Store, name: &str) -> Result<()> {
    let left = numbers(store, name).await?.len() as u64;
    let told = store.update(&format!("{name}:size"), |old: Option<u64>| old.map(|_| left)).await;
    match told {
        Err(error) if is_of_one(&error) => Ok(()),
        told => told.map(drop),
    }
}

/// Whether an error is about one value or key alone.
fn is_of_one(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Serialization | ErrorKind::WrongType | ErrorKind::TooLarge)
}

fn refuse(imported: &mut Imported, key: String, error: &Error) {
    imported.refused += 1;
    if imported.reasons.len() < MOST_NAMED {
        let cause = std::error::Error::source(error).map(ToString::to_string);
        imported.reasons.push((key, cause.unwrap_or_else(|| error.to_string())));
    }
}

fn digest(text: &str) -> String {
    let digest = Sha256::digest(text.as_bytes());
    digest.iter().take(16).fold(String::new(), |mut hex, byte| {
        let _ = write!(hex, "{byte:02x}");
        hex
    })
}

#[cfg(test)]
mod tests {
    use super::{gaps, item};

    #[test]
    fn an_item_is_of_the_longest_name_and_has_a_plain_number() {
        for (key, expected) in [
            ("fetch:items:0", Some(("fetch", 0))),
            ("fetch:run-1:items:12", Some(("fetch:run-1", 12))),
            ("a:items:items:5", Some(("a:items", 5))),
            ("a:items:3:items:5", Some(("a:items:3", 5))),
            ("fetch:items:00", None),
            ("fetch:items:+1", None),
            ("fetch:items:-1", None),
            ("fetch:items:", None),
            ("fetch:items", None),
            ("fetch:items:1:2", None),
            (":items:1", None),
            ("items:1", None),
            ("fetch:items:18446744073709551616", None),
        ] {
            assert_eq!(item(key), expected, "{key}");
        }
    }

    #[test]
    fn numbers_without_an_item_are_counted_between_the_first_and_the_last() {
        assert_eq!((gaps(&[]), gaps(&[7]), gaps(&[3, 4, 9])), (0, 0, 4));
        assert_eq!(gaps(&[0, u64::MAX]), u64::MAX - 1);
    }
}
