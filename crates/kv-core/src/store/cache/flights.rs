//! The loads that are under way in this process: one for each key.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use tokio::task::AbortHandle;

use super::Cache;
use crate::{Bytes, Result};

/// The bytes that a flight ended with, and whether its own loader gave them.
#[derive(Clone)]
pub(super) struct Landed {
    pub(super) bytes: Bytes,
    pub(super) is_loaded: bool,
}

/// `None` until the flight has ended.
type Verdict = Option<Result<Landed>>;

/// The flights by stored key.
#[derive(Default)]
pub(super) struct Flights(Mutex<HashMap<String, Flight>>);

struct Flight {
    verdict: watch::Receiver<Verdict>,
    /// The task that carries the flight, if it needs no caller.
    task: Option<AbortHandle>,
}

/// The part of a caller in a flight.
pub(super) enum Joined {
    Lead(Lead),
    Wait(Passenger),
}

/// Leads a flight. If it is dropped before the flight has ended, a passenger leads the next one.
pub(super) struct Lead {
    cache: Arc<Cache>,
    key: String,
    verdict: watch::Sender<Verdict>,
}

/// Waits for the end of a flight.
pub(super) struct Passenger(watch::Receiver<Verdict>);

impl Flights {
    fn map(&self) -> MutexGuard<'_, HashMap<String, Flight>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends every flight that runs in a task.
    pub(super) fn abort(&self) {
        for flight in self.map().values() {
            if let Some(task) = &flight.task {
                task.abort();
            }
        }
    }
}

impl Cache {
    /// Joins the flight of a key, or begins it.
    pub(super) fn join(self: &Arc<Self>, key: &str) -> Joined {
        let mut map = self.flights.map();
        if let Some(flight) = map.get(key) {
            return Joined::Wait(Passenger(flight.verdict.clone()));
        }
        let (sender, receiver) = watch::channel(None);
        map.insert(key.to_owned(), Flight { verdict: receiver, task: None });
        Joined::Lead(Lead { cache: Arc::clone(self), key: key.to_owned(), verdict: sender })
    }
}

impl Lead {
    /// Waits for this flight, after a task took the lead.
    pub(super) fn passenger(&self) -> Passenger {
        Passenger(self.verdict.subscribe())
    }

    /// Names the flight, for whoever notes which task carries it.
    pub(super) fn owner(&self) -> Owner {
        Owner {
            cache: Arc::clone(&self.cache),
            key: self.key.clone(),
            of: self.verdict.subscribe(),
        }
    }

    /// Tells everybody how the flight ended.
    pub(super) fn land(self, verdict: Result<Landed>) {
        self.verdict.send_replace(Some(verdict));
    }
}

/// The entry of one flight.
pub(super) struct Owner {
    cache: Arc<Cache>,
    key: String,
    of: watch::Receiver<Verdict>,
}

impl Owner {
    /// Notes the task that carries the flight, so that closing the store ends it. The flight may
    /// have ended already, and the next one of its key have begun.
    pub(super) fn carried_by(self, task: AbortHandle) {
        if let Some(flight) = self.cache.flights.map().get_mut(&self.key)
            && flight.verdict.same_channel(&self.of)
        {
            flight.task = Some(task);
        }
    }
}

impl Drop for Lead {
    fn drop(&mut self) {
        self.cache.flights.map().remove(&self.key);
    }
}

impl Passenger {
    /// How the flight ended, or `None` if its leader gave up.
    pub(super) async fn verdict(mut self) -> Verdict {
        match self.0.wait_for(Option::is_some).await {
            Ok(verdict) => verdict.clone(),
            Err(_) => None,
        }
    }
}
