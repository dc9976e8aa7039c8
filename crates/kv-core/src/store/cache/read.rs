//! What is under keys, how old it is, and what is served while the store does not answer.

use std::time::Duration;

use serde::de::DeserializeOwned;

use super::options::Age;
use super::remembered::{Began, Served};
use super::{Plan, has_runtime};
use crate::store::Store;
use crate::store::step::unexpected;
use crate::{Bytes, Command, Entry, Error, ErrorKind, Lifetime, Remaining, Reply, Result, Version};

/// How long a caller waits for the store while the process remembers a value that it may serve.
///
/// Longer than a store that works takes, and short enough that an outage is not felt.
const PATIENCE: Duration = Duration::from_millis(2);

/// A stored value.
pub(super) struct Found {
    pub(super) value: Bytes,
    pub(super) version: Version,
    /// How long the key has left; `None` for ever, or if it does not matter.
    pub(super) left: Option<Duration>,
    /// Whether all its tags live. The value of one that does not is empty, and never served.
    pub(super) is_live: bool,
}

/// A value that can be served.
pub(super) struct Seen<T> {
    pub(super) value: T,
    age: Age,
    /// The process remembered the value, because the store did not answer.
    is_remembered: bool,
}

impl<T> Seen<T> {
    pub(super) fn is_fresh(&self) -> bool {
        self.age == Age::Fresh
    }

    /// Whether the value is served without waiting for a load.
    pub(super) fn is_served_at_once(&self) -> bool {
        self.is_remembered || self.age != Age::Kept
    }
}

impl Plan {
    /// Whether a value is served in spite of an error of the store.
    pub(super) fn survives(&self, error: &Error) -> bool {
        let is_away = error.kind().is_transient() || error.kind() == ErrorKind::Backend;
        self.has_fail_safe() && is_away
    }

    pub(super) fn has_fail_safe(&self) -> bool {
        !self.options.fail_safe.is_zero()
    }
}

impl Store {
    /// The value under a key and its age, from the store or from memory.
    pub(super) async fn see<T: DeserializeOwned>(
        &self,
        plan: &mut Plan,
    ) -> Result<Option<Seen<T>>> {
        let read = self.read(plan);
        let (found, is_remembered) = if plan.has_fail_safe() {
            let read = async { read.await.map(|found| vec![found]) };
            let (mut found, is_remembered) =
                self.read_or_remember(std::slice::from_ref(plan), read).await?;
            (found.pop().flatten(), is_remembered)
        } else {
            let about = |error| self.told(error).operation("get").key(&plan.stored);
            (read.await.map_err(about)?, false)
        };
        self.seen(plan, found, is_remembered)
    }

    /// As [`see`](Self::see), of many keys in one round trip.
    pub(super) async fn see_all<T: DeserializeOwned>(
        &self,
        plans: &mut [Plan],
    ) -> Result<Vec<Option<Seen<T>>>> {
        let (found, is_remembered) = match plans.first() {
            None => return Ok(Vec::new()),
            Some(first) if first.has_fail_safe() => {
                self.read_or_remember(plans, self.read_all(plans)).await?
            }
            Some(_) => (self.read_all(plans).await?, false),
        };
        let found = found.into_iter().zip(plans);
        found.map(|(found, plan)| self.seen(plan, found, is_remembered)).collect()
    }

    fn seen<T: DeserializeOwned>(
        &self,
        plan: &mut Plan,
        found: Option<Found>,
        is_remembered: bool,
    ) -> Result<Option<Seen<T>>> {
        let Some(Found { value, version, left, is_live }) = found else {
            plan.is_away = is_remembered;
            return Ok(None);
        };
        let value = match is_live {
            true => self.decode("get", &plan.stored, &value)?,
            false => None,
        };
        let Some(value) = value else {
            plan.bad = Some(version);
            return Ok(None);
        };
        Ok(Some(Seen { value, age: plan.options.age(left, plan.early), is_remembered }))
    }

    /// What the store has; its age only if the options ask for it.
    pub(super) async fn read(&self, plan: &Plan) -> Result<Option<Found>> {
        if plan.options.is_plain() {
            let Some(entry) = self.entry(&plan.stored).await? else { return Ok(None) };
            return Ok(Some(found(self.live(entry).await?, None)));
        }
        let backend = self.backend()?;
        let Some(entry) = backend.get_now(&plan.stored) else {
            let read = self.read_all(std::slice::from_ref(plan)).await?;
            return Ok(read.into_iter().next().flatten());
        };
        let Some(entry) = entry? else { return Ok(None) };
        let left = left(backend.ttl(&plan.stored).await?);
        Ok(Some(found(self.live(entry).await?, left)))
    }

    /// What the store has of many keys, in one round trip.
    async fn read_all(&self, plans: &[Plan]) -> Result<Vec<Option<Found>>> {
        let (entries, left) = if plans.iter().all(|plan| plan.options.is_plain()) {
            let keys: Vec<&str> = plans.iter().map(|plan| plan.stored.as_str()).collect();
            (self.backend()?.get_many(&keys).await?, vec![None; plans.len()])
        } else {
            self.read_aged(plans).await?
        };
        let live = self.live_all(entries).await?.into_iter().zip(left);
        Ok(live.map(|(live, left)| live.map(|live| found(live, left))).collect())
    }

    /// The entries of many keys, and how long each has left.
    async fn read_aged(
        &self,
        plans: &[Plan],
    ) -> Result<(Vec<Option<Entry>>, Vec<Option<Duration>>)> {
        let commands = plans.iter().flat_map(|plan| {
            let key = || plan.stored.clone();
            [Command::Get { key: key() }, Command::Ttl { key: key() }]
        });
        let mut replies = self.run_as_stored(commands.collect()).await?.into_iter();
        let (mut entries, mut lefts) = (Vec::new(), Vec::new());
        while let (Some(entry), Some(remaining)) = (replies.next(), replies.next()) {
            let Reply::Entry(entry) = entry? else { return Err(unexpected()) };
            lefts.push(match (&entry, remaining) {
                (None, _) => None,
                (Some(_), remaining) => match remaining? {
                    Reply::Remaining(remaining) => left(remaining),
                    _ => return Err(unexpected()),
                },
            });
            entries.push(entry);
        }
        Ok((entries, lefts))
    }

    /// What the store has, or what was served last if the store fails or takes long; and which.
    async fn read_or_remember(
        &self,
        plans: &[Plan],
        read: impl Future<Output = Result<Vec<Option<Found>>>>,
    ) -> Result<(Vec<Option<Found>>, bool)> {
        let memory = &self.shared.cache.remembered;
        let began: Vec<Began> = plans.iter().map(|plan| memory.begin(&plan.stored)).collect();
        let now = self.conditions.clock.now();
        let served: Vec<_> = plans.iter().map(|plan| memory.served(&plan.stored, now)).collect();
        let read = if served.iter().all(Option::is_some) && has_runtime() {
            let read = tokio::time::timeout(PATIENCE, read).await;
            read.unwrap_or_else(|_| Err(Error::new(ErrorKind::Timeout, "the store is slow")))
        } else {
            read.await
        };
        match read {
            Ok(found) => {
                let all = plans.iter().zip(began).zip(&found);
                all.for_each(|((plan, began), found)| self.remember(plan, began, found.as_ref()));
                Ok((found, false))
            }
            Err(error) if plans.iter().all(|plan| plan.survives(&error)) => {
                // A version that is compared with none.
                let found = |Served { value, until }| {
                    let left = until.map(|until| until.saturating_sub(now));
                    Found { value, version: Version::from_number(0), left, is_live: true }
                };
                Ok((served.into_iter().map(|served| served.map(found)).collect(), true))
            }
            Err(error) => Err(error.operation("get")),
        }
    }

    /// Remembers what the store has, for the time when it does not answer.
    fn remember(&self, plan: &Plan, began: Began, found: Option<&Found>) {
        let now = self.conditions.clock.now();
        let memory = &self.shared.cache.remembered;
        match found {
            Some(found) if found.is_live => {
                let until = found.left.map(|left| now.saturating_add(left));
                let served = Served { value: found.value.clone(), until };
                memory.serve(&plan.stored, began, &served, now);
            }
            Some(_) | None => memory.drop_served(&plan.stored),
        }
    }

    /// Remembers what a flight ended with.
    pub(super) fn remember_landed(&self, plan: &Plan, began: Began, value: Bytes, kept: Lifetime) {
        let now = self.conditions.clock.now();
        let until = match kept {
            Lifetime::In(left) => Some(now.saturating_add(left)),
            Lifetime::Never | Lifetime::Keep => None,
        };
        let memory = &self.shared.cache.remembered;
        memory.serve(&plan.stored, began, &Served { value, until }, now);
    }

    /// Remembers that a load failed, if the options ask for it.
    pub(super) fn note_failure(&self, plan: &Plan, error: &Error) {
        if !plan.options.errors.is_zero() {
            let now = self.conditions.clock.now();
            let until = now.saturating_add(plan.options.errors);
            self.shared.cache.remembered.fail(&plan.stored, error, until, now);
        }
    }
}

fn found((value, version): (Option<Bytes>, Version), left: Option<Duration>) -> Found {
    let is_live = value.is_some();
    Found { value: value.unwrap_or_default(), version, left, is_live }
}

/// What a key has left; nothing for a key that has just expired, `None` for ever.
fn left(remaining: Option<Remaining>) -> Option<Duration> {
    remaining.map_or(Some(Duration::ZERO), Remaining::duration)
}
