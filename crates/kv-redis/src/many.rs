//! Reading many keys, whose values may be large, in replies of a bounded size.
//!
//! Nobody knows the size of an MGET reply beforehand. While the store's values seem small, MGET
//! asks for all keys; otherwise a script returns the values that fit into the budget, and is sent
//! again for the rest. A late reply is asked for again in smaller parts.

use std::collections::VecDeque;

use bytes::Bytes;
use kv_core::{Entry, Error, ErrorKind, Result};

use crate::driver::{Answer, BUDGET, CallPool, Driver, Request, UNKNOWN, decimal, values_sent};
use crate::scripts::GET_SOME;
use crate::verbs::{self, KEYS_AT_ONCE, unexpected};

/// How many keys the script gets. If only few values fit, naming all keys again each time would
/// cost more than another request.
pub(crate) const KEYS_OF_A_SCRIPT: usize = 100;

/// A reply of at most this estimated size is not late because of its size, so it is not asked for
/// again.
const SMALL: usize = 64 << 10;

/// After this many late parts in a row the call has failed. The last of them asks for one value.
const MOST_LATE: u32 = 3;

/// The entries of keys, in their order.
pub(crate) async fn get_many(
    driver: &Driver,
    calls: &CallPool,
    keys: &[&str],
) -> Result<Vec<Option<Entry>>> {
    let mut entries = values(driver, calls, keys).await?;
    // A GET tells by itself.
    if keys.len() > 1 {
        look_again(driver, keys, &mut entries).await?;
    }
    Ok(entries)
}

/// MGET has no value for a key of another type. So keys without a value are counted, and where some
/// of them exist, each is asked for by itself: it is of another type, or was written meanwhile.
async fn look_again(driver: &Driver, keys: &[&str], entries: &mut [Option<Entry>]) -> Result<()> {
    let (places, missing): (Vec<usize>, Vec<&str>) =
        (0..).zip(keys).zip(&*entries).filter(|(_, it)| it.is_none()).map(|(key, _)| key).unzip();
    let names = verbs::keys(&missing);
    let named = |part: &Vec<usize>| part.iter().filter_map(|at| names.get(*at)).cloned().collect();
    let parts = driver.together(&names, KEYS_AT_ONCE);
    if names.is_empty() {
        return Ok(());
    }
    let counts = driver.run(parts.iter().map(named).map(Request::Exists).collect()).await?;
    let mut found = Vec::new();
    for (part, count) in parts.into_iter().zip(counts) {
        match count? {
            Answer::Int(0) => {}
            Answer::Int(_) => found.extend(part),
            _ => return Err(unexpected()),
        }
    }
    let ask = |at: &usize| names.get(*at).cloned().map(Request::Get);
    let answers = driver.run(found.iter().filter_map(ask).collect()).await?;
    for (at, answer) in found.into_iter().zip(answers) {
        let entry = answer.and_then(verbs::entry);
        let entry = entry.map_err(|e| missing.get(at).into_iter().fold(e, |e, key| e.key(key)))?;
        if let Some(place) = places.get(at).and_then(|place| entries.get_mut(*place)) {
            *place = entry;
        }
    }
    Ok(())
}

/// The values of keys, in their order; none for a key of another type.
async fn values(driver: &Driver, calls: &CallPool, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
    let reader = Reader::new(driver, verbs::keys(keys));
    let Some(bytes) = reader.fits_at_once() else { return reader.read().await };
    // No second copy of the keys: most calls do not need it.
    match verbs::entries(calls.call(verbs::get_many(reader.keys)).await, keys.len()) {
        Ok(entries) => {
            if entries.len() > 1 {
                driver.sizes().learn(entries.iter().filter_map(size).max().unwrap_or(0));
            }
            Ok(entries)
        }
        Err(error) => {
            let mut reader = Reader::new(driver, verbs::keys(keys));
            reader.shrink(keys.len(), bytes, error)?;
            reader.read().await
        }
    }
}

/// A call while it runs.
struct Reader<'a> {
    driver: &'a Driver,
    keys: Vec<Bytes>,
    entries: Vec<Option<Entry>>,
    /// The places of keys still to be read, grouped by request.
    rest: VecDeque<Vec<usize>>,
    budget: usize,
    /// How many parts in a row were late.
    late: u32,
}

/// Requests that are in flight together.
#[derive(Default)]
struct Part {
    pieces: Vec<Piece>,
    keys: usize,
    /// The estimated size of all replies together.
    bytes: usize,
}

/// One request.
struct Piece {
    places: Vec<usize>,
    /// How many bytes the values may have, if the request does not ask for all.
    budget: Option<usize>,
}

impl<'a> Reader<'a> {
    fn new(driver: &'a Driver, keys: Vec<Bytes>) -> Self {
        let rest = driver.together(&keys, KEYS_AT_ONCE).into();
        Self { driver, keys, entries: Vec::new(), rest, budget: BUDGET, late: 0 }
    }

    /// The estimated size of the reply, if a single request for all values is the whole call.
    fn fits_at_once(&self) -> Option<usize> {
        let [places] = self.rest.as_slices().0 else { return None };
        let bytes = self.bytes(places);
        if places.len() == 1 {
            return Some(bytes.unwrap_or(UNKNOWN));
        }
        // A late request would be repeated as a whole, which helps only if it is small.
        let most = if self.driver.repeats_late_reads() { SMALL } else { BUDGET };
        bytes.filter(|bytes| *bytes <= most)
    }

    /// The estimated size of requests for these keys and of their replies, if known.
    fn bytes(&self, places: &[usize]) -> Option<usize> {
        let keys = places.iter().filter_map(|at| self.keys.get(*at));
        let named: usize = keys.map(Bytes::len).sum();
        self.driver.sizes().of(values_sent(places.len())).map(|values| values.max(named))
    }

    async fn read(mut self) -> Result<Vec<Option<Entry>>> {
        self.driver.check_open()?;
        self.entries = vec![None; self.keys.len()];
        while !self.rest.is_empty() {
            let part = self.next_part();
            let requests = part.pieces.iter().map(|piece| self.request(piece));
            let answers = self.driver.read_once(requests.collect()).await?;
            self.heed(part, answers)?;
        }
        Ok(self.entries)
    }

    /// The requests that fit into the budget, at least one.
    fn next_part(&mut self) -> Part {
        let budget = if self.late + 1 == MOST_LATE { 0 } else { self.budget };
        let mut part = Part::default();
        while let Some(places) = self.rest.pop_front() {
            match self.bytes(&places) {
                Some(bytes) if part.bytes.saturating_add(bytes) <= budget => {
                    part.add(Piece { places, budget: None }, bytes);
                }
                None if places.len() == 1 && part.bytes + UNKNOWN <= budget => {
                    part.add(Piece { places, budget: None }, UNKNOWN);
                }
                _ if part.pieces.is_empty() => {
                    let piece = self.first_of(places, budget);
                    part.add(piece, self.budget);
                    break;
                }
                _ => {
                    self.rest.push_front(places);
                    break;
                }
            }
        }
        part
    }

    /// A request for as many of these keys as fit.
    fn first_of(&mut self, mut places: Vec<usize>, budget: usize) -> Piece {
        let later = places.split_off(places.len().min(KEYS_OF_A_SCRIPT));
        if !later.is_empty() {
            self.rest.push_front(later);
        }
        let budget = (places.len() > 1).then_some(budget);
        Piece { places, budget }
    }

    fn request(&self, piece: &Piece) -> Request {
        let keys = piece.places.iter().filter_map(|at| self.keys.get(*at)).cloned();
        match piece.budget {
            None => verbs::get_many(keys.collect()),
            Some(budget) => some_request(keys.collect(), budget),
        }
    }

    /// Keeps the values that came; the others are asked for again.
    fn heed(&mut self, part: Part, answers: Vec<Result<Answer>>) -> Result<()> {
        let (asked, bytes) = (part.keys, part.bytes);
        let (mut late, mut came) = (None, Vec::new());
        for (piece, answer) in part.pieces.into_iter().zip(answers) {
            match piece.entries(answer) {
                Ok(entries) => came.extend(self.keep(piece.places, entries)),
                Err(error) if error.kind() == ErrorKind::Timeout => {
                    self.rest.push_front(piece.places);
                    late = Some(error);
                }
                Err(error) => return Err(error),
            }
        }
        if !came.is_empty() {
            self.late = 0;
            if asked > 1 {
                self.driver.sizes().learn(came.into_iter().flatten().max().unwrap_or(0));
            }
        }
        late.map_or(Ok(()), |error| self.shrink(asked, bytes, error))
    }

    /// Keeps the entries of the first of these places, and returns their sizes.
    fn keep(&mut self, mut places: Vec<usize>, found: Vec<Option<Entry>>) -> Vec<Option<usize>> {
        let later = places.split_off(found.len().min(places.len()));
        if !later.is_empty() {
            self.rest.push_front(later);
        }
        let sizes = found.iter().map(size).collect();
        for (place, found) in places.into_iter().zip(found) {
            if let Some(entry) = self.entries.get_mut(place) {
                *entry = found;
            }
        }
        sizes
    }

    /// Asks for less the next time, if the number of keys or bytes can be the reason.
    fn shrink(&mut self, keys: usize, bytes: usize, error: Error) -> Result<()> {
        self.late += 1;
        let is_too_large = error.kind() == ErrorKind::Timeout && keys > 1 && bytes > SMALL;
        if !is_too_large || self.late == MOST_LATE {
            return Err(error);
        }
        self.driver.sizes().forget();
        self.budget /= 2;
        Ok(())
    }
}

fn size(entry: &Option<Entry>) -> Option<usize> {
    entry.as_ref().map(|entry| entry.value.len())
}

impl Part {
    fn add(&mut self, piece: Piece, bytes: usize) {
        self.keys += piece.places.len();
        self.bytes = self.bytes.saturating_add(bytes);
        self.pieces.push(piece);
    }
}

impl Piece {
    /// The entries of the request's first places: of all places, unless it asked only for the
    /// values that fit.
    fn entries(&self, answer: Result<Answer>) -> Result<Vec<Option<Entry>>> {
        if self.budget.is_none() {
            return verbs::entries(answer, self.places.len());
        }
        some_entries(answer, self.places.len())
    }
}

/// Asks for as many of these values as fit, at least one.
pub(crate) fn some_request(keys: Vec<Bytes>, budget: usize) -> Request {
    let args = vec![decimal(budget)];
    Request::Script { script: &GET_SOME, keys: keys.into(), args }
}

/// The entries of the first of so many keys, at least one.
pub(crate) fn some_entries(answer: Result<Answer>, asked: usize) -> Result<Vec<Option<Entry>>> {
    let Answer::List(lists) = answer? else { return Err(unexpected()) };
    let Ok([Answer::List(values)]) = <[Answer; 1]>::try_from(lists) else {
        return Err(unexpected());
    };
    // With no entry the caller would ask for ever.
    if values.is_empty() || values.len() > asked {
        return Err(unexpected());
    }
    values.into_iter().map(verbs::entry).collect()
}
