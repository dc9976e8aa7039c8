//! What producers and consumers were told, and whether it adds up to what became of each job.

use std::collections::{HashMap, HashSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use kv_core::{Effect, Error, ErrorKind};
use kv_queue::{DeadJob, Delivery, JobId};

/// What is said about one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Settled {
    Done,
    Dead,
}

/// Books of one queue whose payloads are numbers, each enqueued once.
#[derive(Default)]
pub(crate) struct Ledger {
    books: Mutex<Books>,
}

#[derive(Default)]
struct Books {
    /// Payloads whose enqueue was acknowledged, those whose was not, and those that were refused.
    acknowledged: HashMap<u64, JobId>,
    unsure: HashSet<u64>,
    refused: HashSet<u64>,
    /// Under which job a payload came.
    came: HashMap<u64, JobId>,
    /// How a job was settled, and with which token.
    settled: HashMap<JobId, (Settled, u64)>,
    /// Jobs whose settling may or may not have happened.
    open: HashSet<JobId>,
    /// Jobs that were handed back, so that they come again.
    handed_back: HashSet<JobId>,
    repeated: u64,
    wrong: Vec<String>,
}

impl Ledger {
    fn books(&self) -> MutexGuard<'_, Books> {
        self.books.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn enqueued(&self, payload: u64, outcome: Result<JobId, Error>) {
        let mut books = self.books();
        match outcome {
            Ok(id) => drop(books.acknowledged.insert(payload, id)),
            Err(error) if error.effect() == Effect::MaybeApplied => {
                books.unsure.insert(payload);
            }
            Err(_) => drop(books.refused.insert(payload)),
        }
    }

    /// A delivery. One with an older token than that which settled its job was late on its way,
    /// and is refused whatever it says; one with a newer token must not be.
    pub(crate) fn came(&self, delivery: &Delivery<u64>) {
        let (payload, id) = (*delivery.payload(), delivery.id());
        let mut books = self.books();
        let asked_for = books.handed_back.remove(&id);
        books.repeated += u64::from(delivery.delivery() > 1 && !asked_for);
        if let Some((settled, token)) = books.settled.get(&id)
            && delivery.token() >= *token
        {
            let wrong = format!("{id} came again after it was {settled:?}");
            books.wrong.push(wrong);
        }
        if let Some(other) = books.came.insert(payload, id).filter(|other| *other != id) {
            books.wrong.push(format!("{payload} is {other} and {id}"));
        }
    }

    pub(crate) fn settled(
        &self,
        delivery: &Delivery<u64>,
        how: Settled,
        outcome: Result<(), Error>,
    ) {
        let mut books = self.books();
        let (id, token) = (delivery.id(), delivery.token());
        match outcome {
            Ok(()) => {
                if let Some(before) = books.settled.insert(id, (how, token)) {
                    books.wrong.push(format!("{id} was settled twice: {before:?}, {how:?}"));
                }
            }
            // The lease was lost: whoever has the job now settles it.
            Err(error) if error.kind() == ErrorKind::Conflict => {}
            Err(_) => drop(books.open.insert(id)),
        }
    }

    pub(crate) fn handed_back(&self, id: JobId) {
        self.books().handed_back.insert(id);
    }

    /// How many jobs are known to be settled.
    pub(crate) fn progress(&self) -> usize {
        self.books().settled.len()
    }

    /// Asserts, of a queue that is drained, that each job ended once and as it was said to.
    pub(crate) fn assert_adds_up(&self, letters: &[DeadJob]) {
        let mut books = self.books();
        let books = &mut *books;
        let dead: HashSet<JobId> = letters.iter().map(|letter| letter.id).collect();
        assert_eq!(dead.len(), letters.len(), "a dead letter is there twice");
        for (payload, id) in &books.acknowledged {
            if books.came.get(payload) != Some(id) {
                books.wrong.push(format!("{payload} was acknowledged as {id} and never came"));
            }
        }
        for (payload, id) in &books.came {
            let known = match books.settled.get(id) {
                Some((Settled::Done, _)) => !dead.contains(id),
                Some((Settled::Dead, _)) => dead.contains(id),
                None => books.open.contains(id),
            };
            if !known || books.refused.contains(payload) {
                let settled = books.settled.get(id);
                books.wrong.push(format!("{payload} as {id} is settled as {settled:?}"));
            }
        }
        let (wrong, some) = (books.wrong.len(), books.wrong.iter().take(5).collect::<Vec<_>>());
        assert_eq!(wrong, 0, "things are wrong, such as {some:#?}");
        let unsure = books.unsure.iter().filter(|it| books.came.contains_key(it)).count();
        println!(
            "acknowledged={} unsure={} of_them_there={unsure} refused={} repeated={}",
            books.acknowledged.len(),
            books.unsure.len(),
            books.refused.len(),
            books.repeated,
        );
    }
}
