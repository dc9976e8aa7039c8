//! Dead letters: the jobs that failed for good, oldest first.

use std::cmp::Reverse;
use std::collections::{BinaryHeap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream::{self, StreamExt, TryStreamExt};
use kv_core::queue::{DeadLetter, Inspect, Inspected, JobKey, MAX_BATCH};
use kv_core::{Error, ErrorKind, Result};

use super::handle::Queue;
use super::job::JobId;
use super::operate::{no_further, unexpected};

/// How many partitions a call asks at once.
const AT_ONCE: usize = 16;

/// How often a walk starts anew in a partition because the letter that it stood at is gone.
const RESTARTS: usize = 100;

/// A job that failed for good, with its history.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct DeadJob {
    /// The job.
    pub id: JobId,
    /// The payload as stored, even if it does not decode; empty if the store has lost it.
    pub payload: Bytes,
    /// Why the job became a dead letter.
    pub reason: String,
    /// The job's failures since its progress last advanced.
    pub failures: u32,
    /// The job's leases that ended before it was settled.
    pub crashes: u32,
    /// The job's deliveries.
    pub deliveries: u32,
    /// When the job became a dead letter, by the store's clock: time since 1970-01-01T00:00:00Z.
    pub died: Duration,
}

impl<T> Queue<T> {
    /// Up to `limit` dead letters of the queue, the oldest first. To read many, use
    /// [`walk_dead_letters`](Self::walk_dead_letters).
    ///
    /// # Errors
    /// Those of the store.
    pub async fn dead_letters(&self, limit: usize) -> Result<Vec<DeadJob>> {
        let mut walk = self.walk_dead_letters();
        let mut letters = Vec::new();
        while letters.len() < limit {
            let page = walk.next(limit - letters.len()).await?;
            if page.is_empty() {
                break;
            }
            letters.extend(page);
        }
        Ok(letters)
    }

    /// A walk over all dead letters of the queue, the oldest first, a page at a time.
    ///
    /// ```
    /// # use kv_queue::Queue;
    /// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
    /// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    /// let queue = Queue::<u32>::open(&store, "orders").await?;
    /// queue.enqueue_many([1, 2, 3]).await?;
    /// for delivery in queue.dequeue(3).await? {
    ///     delivery.fail("no such customer").await?;
    /// }
    /// let mut walk = queue.walk_dead_letters();
    /// let mut reasons = Vec::new();
    /// loop {
    ///     let page = walk.next(2).await?;
    ///     if page.is_empty() {
    ///         break;
    ///     }
    ///     reasons.extend(page.into_iter().map(|letter| letter.reason));
    /// }
    /// assert_eq!(reasons, ["no such customer"; 3]);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// ```
    pub fn walk_dead_letters(&self) -> DeadLetters<T> {
        DeadLetters { queue: self.clone(), partitions: None, oldest: BinaryHeap::new() }
    }
}

/// A walk over the dead letters of a queue, from [`Queue::walk_dead_letters`].
///
/// A walk holds about one page of letters for each partition with dead letters. It may miss letters
/// that come after it has begun. It shows no letter twice, unless the job was redriven and died
/// again.
#[derive(Debug)]
pub struct DeadLetters<T> {
    queue: Queue<T>,
    /// None before the walk has begun.
    partitions: Option<Vec<Letters>>,
    /// For each partition: the time of the oldest letter that was read and not shown.
    oldest: BinaryHeap<Reverse<(Duration, u32)>>,
}

/// The letters of one partition.
#[derive(Debug, Default)]
struct Letters {
    read: VecDeque<DeadLetter>,
    /// The place of the last letter that was read.
    last: Option<(Duration, JobKey)>,
}

impl<T> DeadLetters<T> {
    /// Up to `limit` letters. Fewer letters mean that the walk is at its end.
    ///
    /// # Errors
    /// Those of the store; after an error the walk can go on. `Conflict` if letters go away again
    /// and again while the walk looks for its place.
    ///
    /// # Cancel safety
    /// A dropped future loses only the letters that it had read for its page.
    pub async fn next(&mut self, limit: usize) -> Result<Vec<DeadJob>> {
        self.begin(limit).await?;
        let mut page = Vec::new();
        while page.len() < limit {
            let Some(Reverse((_, number))) = self.oldest.pop() else { break };
            let Some(letter) = self.letters(number).and_then(|own| own.read.pop_front()) else {
                continue;
            };
            page.push(dead_job(number, letter));
            self.read_on(number, limit - page.len()).await?;
        }
        Ok(page)
    }

    /// Reads the first letters of every partition, of each as many as are wanted together.
    async fn begin(&mut self, wanted: usize) -> Result<()> {
        if self.partitions.is_some() {
            return Ok(());
        }
        let counts = self.queue.all_counts().await?;
        let dead = counts.iter().filter(|counts| counts.dead > 0).count().max(1);
        let bytes = self.queue.connection().request_bytes() / dead;
        let firsts: Vec<_> = (0..)
            .zip(&counts)
            .map(|(number, counts)| {
                let limit = if counts.dead > 0 { wanted.clamp(1, MAX_BATCH) } else { 0 };
                page(&self.queue, number, None, limit, bytes)
            })
            .collect();
        let firsts: Vec<_> = stream::iter(firsts).buffered(AT_ONCE).try_collect().await?;
        let mut partitions = Vec::with_capacity(firsts.len());
        for (number, first) in (0..).zip(firsts) {
            self.oldest.extend(first.first().map(|letter| Reverse((letter.died, number))));
            let last = first.last().map(place);
            partitions.push(Letters { read: first.into(), last });
        }
        self.partitions = Some(partitions);
        Ok(())
    }

    /// Reads more letters of a partition when all letters read so far were shown.
    async fn read_on(&mut self, number: u32, wanted: usize) -> Result<()> {
        let bytes = self.queue.connection().request_bytes();
        let Some(last) = self.letters(number).map(|own| (own.read.is_empty(), own.last)) else {
            return Ok(());
        };
        if let (true, Some(last)) = last {
            let read = after_all(&self.queue, number, last, wanted, bytes).await?;
            if let Some(own) = self.letters(number) {
                own.last = read.last().map(place).or(own.last);
                own.read = read.into();
            }
        }
        let next = self.letters(number).and_then(|own| own.read.front().map(|it| it.died));
        self.oldest.extend(next.map(|died| Reverse((died, number))));
        Ok(())
    }

    fn letters(&mut self, number: u32) -> Option<&mut Letters> {
        self.partitions.as_mut()?.get_mut(usize::try_from(number).ok()?)
    }
}

/// The next letters that stand after a place. If the letter of the place is gone, the engine shows
/// the oldest ones again, which are passed over.
async fn after_all<T>(
    queue: &Queue<T>,
    number: u32,
    last: (Duration, JobKey),
    wanted: usize,
    bytes: usize,
) -> Result<Vec<DeadLetter>> {
    let (mut after, mut furthest, mut restarts) = (last.1, None, 0);
    loop {
        let limit = wanted.clamp(1, MAX_BATCH);
        let mut read = page(queue, number, Some(after), limit, bytes).await?;
        let end = read.last().map(place);
        read.retain(|letter| place(letter) > last);
        let Some(end) = end.filter(|_| read.is_empty()) else { return Ok(read) };
        after = end.1;
        restarts += usize::from(furthest.is_some_and(|furthest| end <= furthest));
        furthest = furthest.max(Some(end));
        if restarts == RESTARTS {
            let last = JobId { partition: number, key: last.1 };
            return Err(lost(last).operation("dead_letters"));
        }
    }
}

fn lost(last: JobId) -> Error {
    let message = format!(
        "the dead letters that were read went away {RESTARTS} times while those after {last} were \
         looked for"
    );
    Error::new(ErrorKind::Conflict, message)
}

async fn page<T>(
    queue: &Queue<T>,
    number: u32,
    after: Option<JobKey>,
    limit: usize,
    bytes: usize,
) -> Result<Vec<DeadLetter>> {
    if limit == 0 {
        return Ok(Vec::new());
    }
    let partition = queue.connection().partition(number)?;
    let request = Inspect::Dead { after, limit, bytes };
    match queue.inspect("dead_letters", partition, request).await? {
        Inspected::Dead(letters) => match after {
            Some(key) if letters.iter().any(|letter| letter.key == key) => {
                Err(no_further(JobId { partition: number, key }).operation("dead_letters"))
            }
            _ => Ok(letters),
        },
        _ => Err(unexpected()),
    }
}

/// Where a letter stands in the order of its partition.
const fn place(letter: &DeadLetter) -> (Duration, JobKey) {
    (letter.died, letter.key)
}

fn dead_job(partition: u32, letter: DeadLetter) -> DeadJob {
    DeadJob {
        id: JobId { partition, key: letter.key },
        payload: letter.body,
        reason: letter.reason,
        failures: letter.failures,
        crashes: letter.crashes,
        deliveries: letter.deliveries,
        died: letter.died,
    }
}
