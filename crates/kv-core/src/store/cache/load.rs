//! One flight: the lease, the load, and the value in the store.

use std::time::Duration;

use super::flights::Landed;
use super::loader::Load;
use super::options::Age;
use super::read::Found;
use super::{Plan, has_runtime};
use crate::store::Store;
use crate::store::lease::Lease;
use crate::store::tags::{Stamp, wrap};
use crate::store::transaction::unchanged;
use crate::{Bytes, Capabilities, Condition, Lifetime, Result, Version, Write};

/// How long a load is protected from loads of other processes after its process died.
const LEASE: Duration = Duration::from_secs(5);
/// How often the lease is renewed, each third of it: for a minute together. Then others may load.
const RENEWALS: u32 = 36;
/// The pauses of a process that waits for another one's load; each is twice the one before.
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LONGEST_PAUSE: Duration = Duration::from_millis(100);

/// Who gives the value.
#[expect(clippy::large_enum_variant, reason = "there is one for each load, for a moment")]
enum Turn {
    /// Somebody else gave it already.
    Settled(Bytes),
    /// This flight loads it.
    Ours { lease: Option<Lease>, found: Option<Found>, is_away: bool },
}

impl Turn {
    /// The store does not answer: this flight loads, and stores nothing.
    const AWAY: Self = Self::Ours { lease: None, found: None, is_away: true };
}

impl Store {
    /// Gives the key a value: this load's, or one that is there meanwhile.
    pub(super) async fn flight(&self, plan: &Plan, load: Load<'_>) -> Result<Landed> {
        let began = self.shared.cache.remembered.begin_if(plan.has_fail_safe(), &plan.stored);
        let (lease, found, is_away) = match self.turn(plan).await? {
            Turn::Settled(bytes) => return Ok(Landed { bytes, is_loaded: false }),
            Turn::Ours { lease, found, is_away } => (lease, found, is_away),
        };
        let ends = found.as_ref().and_then(|found| found.left);
        let ends = ends.map(|left| self.conditions.clock.now().saturating_add(left));
        let replaced = Replaced { version: found.map(|found| found.version), ends };
        // Stamps of before the load: a tag that ends meanwhile ends what is loaded.
        let stamps = if is_away { Ok(Vec::new()) } else { self.stamps(&plan.options.tags).await };
        let stamps = match stamps {
            Err(error) if !plan.survives(&error) => return Err(error),
            stamps => stamps,
        };
        let landed = match load.await {
            Ok(bytes) => match stamps {
                Ok(stamps) if !is_away => self.keep(plan, bytes, &stamps, replaced).await,
                _ => Ok(Landed { bytes, is_loaded: true }),
            },
            Err(error) => {
                self.note_failure(plan, &error);
                Err(error)
            }
        };
        if let (Ok(landed), Some(began)) = (&landed, began) {
            let kept = plan.options.kept(self.lifetime_of(plan, &landed.bytes)?);
            self.remember_landed(plan, began, landed.bytes.clone(), kept);
        }
        if let Some(lease) = lease {
            // If this fails, the lease ends by itself.
            drop(lease.release().await);
        }
        landed
    }

    /// Waits until this flight may load, or a value is there.
    async fn turn(&self, plan: &Plan) -> Result<Turn> {
        if plan.is_away {
            return Ok(Turn::AWAY);
        }
        let mut pause = FIRST_PAUSE;
        loop {
            let taken = match self.try_lease(plan).await {
                Err(error) if plan.survives(&error) => return Ok(Turn::AWAY),
                taken => taken.unwrap_or(Taken::NONE),
            };
            let found = match self.read(plan).await {
                Err(error) if plan.survives(&error) => return Ok(Turn::AWAY),
                found => found?,
            };
            let age = found.as_ref().and_then(|found| plan.age(found));
            match found {
                Some(found) if age == Some(Age::Fresh) => {
                    taken.give_back().await;
                    return Ok(Turn::Settled(found.value));
                }
                // The other process does what this flight is for.
                Some(found) if taken.is_held && matches!(age, Some(Age::Ending | Age::Stale)) => {
                    return Ok(Turn::Settled(found.value));
                }
                found if !taken.is_held => {
                    return Ok(Turn::Ours { lease: taken.lease, found, is_away: false });
                }
                _ => {}
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    /// Takes the lease of a key, if processes share the store. What keeps the lease from being taken
    /// keeps no value from being loaded.
    async fn try_lease(&self, plan: &Plan) -> Result<Taken> {
        let needed = Capabilities::SHARED | Capabilities::CONDITIONS | Capabilities::TTL;
        if !self.shared.capabilities.contains(needed) || !has_runtime() {
            return Ok(Taken::NONE);
        }
        let key = self.reserved_key("load", &plan.key)?;
        let holder = format!("{:016x}", self.conditions.number());
        Ok(match self.take_lease(key, holder.into(), LEASE).await? {
            Some(lease) => Taken { lease: Some(lease.renewed(LEASE, RENEWALS)), is_held: false },
            None => Taken { lease: None, is_held: true },
        })
    }

    /// Stores a loaded value, unless somebody wrote another one meanwhile.
    async fn keep(
        &self,
        plan: &Plan,
        bytes: Bytes,
        stamps: &[Stamp],
        replaced: Replaced,
    ) -> Result<Landed> {
        let kept = plan.options.kept(self.lifetime_of(plan, &bytes)?);
        match self.write_loaded(plan, wrap(bytes.clone(), stamps), kept, replaced).await {
            Ok(Some(theirs)) => return Ok(Landed { bytes: theirs, is_loaded: false }),
            Err(error) if !plan.survives(&error) => return Err(error),
            Ok(None) | Err(_) => {}
        }
        Ok(Landed { bytes, is_loaded: true })
    }

    /// Returns what somebody else wrote, if that is why the value was not stored.
    async fn write_loaded(
        &self,
        plan: &Plan,
        bytes: Bytes,
        lifetime: Lifetime,
        replaced: Replaced,
    ) -> Result<Option<Bytes>> {
        let has_conditions = self.shared.capabilities.contains(Capabilities::CONDITIONS);
        let mut condition =
            if has_conditions { unchanged(replaced.version) } else { Condition::Always };
        loop {
            let is_new = condition == Condition::Absent;
            let write = Write { lifetime, condition };
            let outcome = self.backend()?.set_cached(&plan.stored, bytes.clone(), write).await?;
            if outcome.is_written() {
                return Ok(None);
            }
            let theirs = match self.entry(&plan.stored).await? {
                Some(entry) => self.live(entry).await?.0,
                None => None,
            };
            let has_expired = replaced.ends.is_some_and(|ends| self.conditions.clock.now() >= ends);
            match theirs {
                Some(value) => return Ok(Some(value)),
                // The old value ended while its successor was loaded.
                None if has_expired && !is_new => condition = Condition::Absent,
                // Somebody deleted the key: the loaded value may be out of date, and is not stored.
                None => return Ok(None),
            }
        }
    }

    /// How long a value is fresh.
    pub(super) fn lifetime_of(&self, plan: &Plan, bytes: &Bytes) -> Result<Lifetime> {
        match plan.options.absent {
            Some(absent) if *bytes == self.serializer.encode(&None::<()>)? => self.lifetime(absent),
            _ => self.lifetime(plan.options.expiry),
        }
    }
}

impl Plan {
    /// The age of what was found; nothing if it does not decode.
    fn age(&self, found: &Found) -> Option<Age> {
        let is_bad = !found.is_live || self.bad.as_ref() == Some(&found.version);
        (!is_bad).then(|| self.options.age(found.left, self.early))
    }
}

/// The state of the key that a loaded value replaces.
struct Replaced {
    version: Option<Version>,
    /// When that state ends by itself, by the process's clock.
    ends: Option<Duration>,
}

/// The attempt to take a lease.
struct Taken {
    lease: Option<Lease>,
    /// Another process loads.
    is_held: bool,
}

impl Taken {
    const NONE: Self = Self { lease: None, is_held: false };

    async fn give_back(self) {
        if let Some(lease) = self.lease {
            drop(lease.release().await);
        }
    }
}
