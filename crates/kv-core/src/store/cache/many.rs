//! Cached values of many keys, by a loader that loads many.

use std::collections::HashMap;
use std::sync::Arc;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::flights::{Joined, Landed, Lead, Passenger};
use super::loader::{self, Load};
use super::options::sealed::Owned;
use super::read::Seen;
use super::{CacheOptions, CachePolicy, Plan, has_runtime, stopped};
use crate::store::Store;
use crate::store::tags::{Stamp, wrap};
use crate::{BoxError, Bytes, Error, Lifetime, Result};

const VERB: &str = "get_or_set_many";

type Loaded = Vec<(String, Bytes)>;

/// A key of a call that has no value yet.
struct Open<T> {
    /// Its place in the call.
    index: usize,
    plan: Plan,
    /// What is served if the load fails.
    kept: Option<T>,
}

/// The loads that a round of a call begins or waits for.
struct Round<T> {
    waits: Vec<(Open<T>, Passenger, bool)>,
    leads: Vec<(Plan, Lead)>,
}

impl Store {
    /// The values under many keys, in the order of the keys; one call of the loader for all that are
    /// to be loaded.
    ///
    /// Each key is cached as by [`get_or_set_with`](Self::get_or_set_with), and a key that another
    /// caller of this process loads is waited for, not loaded. Other processes may load the same
    /// keys at the same time; the value that was written last counts. The loader gives pairs of a
    /// key and a value; a key that it leaves out has no value, and nothing is stored for it.
    ///
    /// ```
    /// use std::time::Duration;
    ///
    /// use kv_core::Store;
    /// use kv_memory::MemoryStore;
    ///
    /// # kv_testkit::runtime()?.block_on(async {
    /// let store = Store::new(MemoryStore::new());
    /// let minute = Duration::from_secs(60);
    /// let lengths = |words: Vec<String>| async move {
    ///     Ok::<Vec<_>, std::io::Error>(words.into_iter().map(|word| (word.clone(), word.len())).collect())
    /// };
    /// let found = store.get_or_set_many(["a", "abc"], minute, lengths).await?;
    /// assert_eq!(found, [Some(1), Some(3)]);
    /// let nothing = |_| async { Ok::<Vec<(String, usize)>, std::io::Error>(Vec::new()) };
    /// let found = store.get_or_set_many(["abc", "b"], minute, nothing).await?;
    /// assert_eq!(found, [Some(3), None]);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # Ok::<(), std::io::Error>(())
    /// ```
    ///
    /// # Errors
    /// Those of [`get_or_set_with`](Self::get_or_set_with); one key without a value to serve fails
    /// the call.
    ///
    /// # Cancel safety
    /// As [`get_or_set_with`](Self::get_or_set_with); any number of the values may be stored.
    pub async fn get_or_set_many<'l, T, O, F, Fut, L, E>(
        &self,
        keys: impl IntoIterator<Item: AsRef<str>> + Send,
        options: O,
        loader: F,
    ) -> Result<Vec<Option<T>>>
    where
        T: Serialize + DeserializeOwned + Send + 'l,
        O: CachePolicy<'l>,
        F: Fn(Vec<String>) -> Fut + Send + Sync + 'l,
        Fut: Future<Output = Result<L, E>> + Send + 'l,
        L: IntoIterator<Item = (String, T)> + 'l,
        E: Into<BoxError> + 'l,
    {
        let options: CacheOptions = options.into();
        let mut open = self.open(keys, &options)?;
        let mut values: Vec<Option<T>> = open.iter().map(|_| None).collect();
        let loader = Arc::new(loader);
        while !open.is_empty() {
            let round = self.round(open, &mut values).await?;
            let keys: Vec<String> = round.leads.iter().map(|(plan, _)| plan.key.clone()).collect();
            if !keys.is_empty() {
                let load = loader::load_many(self.serializer.clone(), Arc::clone(&loader), keys);
                self.carry(round.leads, O::own(load), !round.waits.is_empty()).await;
            }
            open = self.collect(round.waits, &mut values).await?;
        }
        Ok(values)
    }

    /// The keys of a call. Wrong keys and lifetimes are refused before anything is loaded.
    fn open<T, K>(&self, keys: K, options: &CacheOptions) -> Result<Vec<Open<T>>>
    where
        K: IntoIterator<Item: AsRef<str>>,
    {
        let checked = options.check().and_then(|()| self.lifetime(options.expiry));
        checked.map_err(|error| error.operation(VERB))?;
        let plans = keys.into_iter().map(|key| self.plan(key.as_ref(), options.clone()));
        let open =
            plans.enumerate().map(|(index, plan)| Ok(Open { index, plan: plan?, kept: None }));
        open.collect()
    }

    /// Reads the open keys, fills in the values that are served at once, and joins the flights of
    /// the other keys.
    async fn round<T: DeserializeOwned + Send>(
        &self,
        open: Vec<Open<T>>,
        values: &mut [Option<T>],
    ) -> Result<Round<T>> {
        let mut round = Round { waits: Vec::new(), leads: Vec::new() };
        for mut open in self.see_many(open).await? {
            if let Some(seen) = open.1.take() {
                if seen.is_fresh() || (seen.is_served_at_once() && has_runtime()) {
                    let is_fresh = seen.is_fresh();
                    set(values, open.0.index, seen.value);
                    if !is_fresh {
                        self.join_refresh(open.0.plan, &mut round);
                    }
                    continue;
                }
                open.0.kept = Some(seen.value);
            }
            self.join_load(open.0, values, &mut round)?;
        }
        Ok(round)
    }

    fn join_refresh<T>(&self, plan: Plan, round: &mut Round<T>) {
        if self.failure(&plan.stored).is_none()
            && let Joined::Lead(lead) = self.shared.cache.join(&plan.stored)
        {
            round.leads.push((plan, lead));
        }
    }

    fn join_load<T>(
        &self,
        open: Open<T>,
        values: &mut [Option<T>],
        round: &mut Round<T>,
    ) -> Result<()> {
        if let Some(error) = self.failure(&open.plan.stored) {
            let kept = open.kept.ok_or_else(|| self.about_many(error, &open.plan))?;
            set(values, open.index, kept);
            return Ok(());
        }
        match self.shared.cache.join(&open.plan.stored) {
            Joined::Wait(passenger) => round.waits.push((open, passenger, false)),
            Joined::Lead(lead) => {
                let (plan, passenger) = (open.plan.clone(), lead.passenger());
                round.waits.push((open, passenger, true));
                round.leads.push((plan, lead));
            }
        }
        Ok(())
    }

    /// Runs the loads of a round: in a task, or before this returns if somebody waits for them.
    async fn carry(&self, leads: Vec<(Plan, Lead)>, load: Owned<'_, Loaded>, is_waited_for: bool) {
        let load = match (load, self.room()) {
            (Owned::Yes(load), Some(room)) => {
                let owners: Vec<_> = leads.iter().map(|(_, lead)| lead.owner()).collect();
                let store = self.clone();
                let task = room.spawn(async move { store.flight_of_many(leads, load).await });
                owners.into_iter().for_each(|owner| owner.carried_by(task.clone()));
                return;
            }
            (Owned::Yes(load), None) => load,
            (Owned::No(load), _) => load,
        };
        if is_waited_for {
            self.flight_of_many(leads, load).await;
        }
    }

    /// Loads many keys, stores what was loaded, and lands the flights of the keys. A flight whose
    /// key has no value ends without a verdict.
    async fn flight_of_many(&self, leads: Vec<(Plan, Lead)>, load: Load<'_, Loaded>) {
        let memory = &self.shared.cache.remembered;
        let begin = |plan: &Plan| memory.begin_if(plan.has_fail_safe(), &plan.stored);
        let began: Vec<_> = leads.iter().map(|(plan, _)| begin(plan)).collect();
        let tags = leads.first().map_or(&[][..], |(plan, _)| &plan.options.tags);
        let stamps = self.stamps(tags).await;
        let stored = match load.await {
            Ok(loaded) => self.keep_many(&leads, loaded, stamps).await,
            Err(error) => {
                leads.iter().for_each(|(plan, _)| self.note_failure(plan, &error));
                Err(error)
            }
        };
        for ((plan, lead), began) in leads.into_iter().zip(began) {
            match &stored {
                Err(error) => lead.land(Err(error.clone())),
                Ok(stored) => {
                    let Some((bytes, kept)) = stored.get(&plan.stored) else { continue };
                    if let Some(began) = began {
                        self.remember_landed(&plan, began, bytes.clone(), *kept);
                    }
                    lead.land(Ok(Landed { bytes: bytes.clone(), is_loaded: true }));
                }
            }
        }
    }

    /// Stores what was asked for and loaded, by stored key.
    async fn keep_many(
        &self,
        leads: &[(Plan, Lead)],
        loaded: Loaded,
        stamps: Result<Vec<Stamp>>,
    ) -> Result<HashMap<String, (Bytes, Lifetime)>> {
        let plans: HashMap<&str, &Plan> =
            leads.iter().map(|(plan, _)| (plan.key.as_str(), plan)).collect();
        let mut stored = HashMap::new();
        let mut groups: Vec<(Lifetime, Vec<(String, Bytes)>)> = Vec::new();
        for (key, bytes) in loaded {
            let Some(plan) = plans.get(key.as_str()) else { continue };
            let lifetime = plan.options.kept(self.lifetime_of(plan, &bytes)?);
            stored.insert(plan.stored.clone(), (bytes.clone(), lifetime));
            let Ok(stamps) = &stamps else { continue };
            let entry = (plan.stored.clone(), wrap(bytes, stamps));
            match groups.iter_mut().find(|(of, _)| *of == lifetime) {
                Some((_, group)) => group.push(entry),
                None => groups.push((lifetime, vec![entry])),
            }
        }
        let survives = |error: &Error| leads.iter().all(|(plan, _)| plan.survives(error));
        let stamped = stamps.map(drop);
        stamped.or_else(|error| if survives(&error) { Ok(()) } else { Err(error) })?;
        for (lifetime, group) in groups {
            let written = self.backend()?.set_many(group, lifetime).await;
            written.or_else(|error| if survives(&error) { Ok(()) } else { Err(error) })?;
        }
        Ok(stored)
    }

    /// Waits for the loads of a round. Returns the keys whose loading callers gave up.
    async fn collect<T: DeserializeOwned>(
        &self,
        waits: Vec<(Open<T>, Passenger, bool)>,
        values: &mut [Option<T>],
    ) -> Result<Vec<Open<T>>> {
        let mut open = Vec::new();
        for (mut key, passenger, is_own) in waits {
            let verdict = match key.kept {
                Some(_) if has_runtime() => {
                    let limit = key.plan.options.time_limit;
                    let verdict = tokio::time::timeout(limit, passenger.verdict()).await;
                    verdict.unwrap_or_else(|_| Some(Err(stopped())))
                }
                _ => passenger.verdict().await,
            };
            match (verdict, key.kept.take()) {
                (Some(Err(_)), Some(kept)) => set(values, key.index, kept),
                (Some(landed), _) => {
                    let decoded = landed.and_then(|landed| self.serializer.decode(&landed.bytes));
                    let value = decoded.map_err(|error| self.about_many(error, &key.plan))?;
                    set(values, key.index, value);
                }
                (None, _) if is_own => {
                    self.backend()?;
                }
                (None, _) => open.push(key),
            }
        }
        Ok(open)
    }

    /// What is under the open keys.
    async fn see_many<T: DeserializeOwned>(
        &self,
        open: Vec<Open<T>>,
    ) -> Result<Vec<(Open<T>, Option<Seen<T>>)>> {
        let mut plans: Vec<Plan> = open.iter().map(|open| open.plan.clone()).collect();
        let seen = self.see_all(&mut plans).await?;
        let with_plan = |(open, plan)| Open { plan, ..open };
        Ok(open.into_iter().zip(plans).map(with_plan).zip(seen).collect())
    }

    fn about_many(&self, error: Error, plan: &Plan) -> Error {
        self.quoted(error, &plan.key).operation(VERB).key(&plan.key)
    }
}

fn set<T>(values: &mut [Option<T>], index: usize, value: T) {
    if let Some(place) = values.get_mut(index) {
        *place = Some(value);
    }
}
