//! Whether all handles of a queue have the same settings.
//!
//! Each handle has its own lease and budgets. If two services disagree, one buries a job that the
//! other would try again, and that is hard to notice. So the last handle's settings are stored
//! beside the queue, and a handle with other settings logs a warning.

use std::time::Duration;

use kv_core::queue::GroupLimit;
use kv_core::{Lifetime, Result, Serializer, Store, Write};
use serde::{Deserialize, Serialize};

use crate::requests::Settings;

/// The settings on which handles should agree.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Agreed {
    lease: Duration,
    max_failures: u32,
    max_crashes: u32,
    max_deliveries: u32,
    keep_dead: u32,
    keep_dead_for: Option<Duration>,
    /// How many done jobs are kept, and how long; `None` where a build that kept none wrote this.
    #[serde(default)]
    keep_done: Option<(u32, Option<Duration>)>,
    /// The limit of groups; `None` where a build without groups wrote the settings.
    #[serde(default)]
    group_limit: Option<GroupLimit>,
}

impl Agreed {
    fn of(settings: &Settings) -> Self {
        let policy = &settings.policy;
        Self {
            lease: settings.lease,
            max_failures: policy.max_failures,
            max_crashes: policy.max_crashes,
            max_deliveries: policy.max_deliveries,
            keep_dead: policy.keep_dead,
            keep_dead_for: policy.keep_dead_for,
            keep_done: Some((policy.keep_done, policy.keep_done_for)),
            group_limit: Some(policy.group),
        }
    }

    fn apply_to(self, settings: &mut Settings) {
        settings.lease = self.lease;
        let policy = &mut settings.policy;
        policy.max_failures = self.max_failures;
        policy.max_crashes = self.max_crashes;
        policy.max_deliveries = self.max_deliveries;
        policy.keep_dead = self.keep_dead;
        policy.keep_dead_for = self.keep_dead_for;
        (policy.keep_done, policy.keep_done_for) =
            self.keep_done.unwrap_or((policy.keep_done, policy.keep_done_for));
        policy.group = self.group_limit.unwrap_or(policy.group);
    }

    /// The settings that differ here, such as `lease 5s instead of 30s`.
    fn differences(&self, before: &Self) -> Vec<String> {
        let mut differences = Vec::new();
        let mut compare = |name: &str, here: String, there: String| {
            if here != there {
                differences.push(format!("{name} {here} instead of {there}"));
            }
        };
        let duration = |time: Duration| format!("{time:?}");
        let age = |age: Option<Duration>| age.map_or_else(|| "without end".to_owned(), duration);
        compare("lease", duration(self.lease), duration(before.lease));
        for (name, here, there) in [
            ("max_failures", self.max_failures, before.max_failures),
            ("max_crashes", self.max_crashes, before.max_crashes),
            ("max_deliveries", self.max_deliveries, before.max_deliveries),
            ("keep_dead", self.keep_dead, before.keep_dead),
        ] {
            compare(name, here.to_string(), there.to_string());
        }
        compare("keep_dead_for", age(self.keep_dead_for), age(before.keep_dead_for));
        if let (Some(here), Some(there)) = (self.keep_done, before.keep_done) {
            compare("keep_done", here.0.to_string(), there.0.to_string());
            compare("keep_done_for", age(here.1), age(there.1));
        }
        if let (Some(here), Some(there)) = (self.group_limit, before.group_limit) {
            compare("group_limit", format!("{here:?}"), format!("{there:?}"));
        }
        differences
    }
}

/// Keeps the settings of a queue, and warns if the last handle had others.
pub(super) async fn check(store: &Store, settings: &Settings) {
    // The queue is open already: a failure here costs a warning at most.
    if let Err(error) = compare(store, settings).await {
        tracing::debug!(queue = %settings.name, %error, "a queue's settings cannot be compared");
    }
}

/// Takes over the settings of the last handle, if they are known.
pub(super) async fn adopt(store: &Store, settings: &mut Settings) {
    match stored(store, &settings.name).await {
        Ok(Some(agreed)) => agreed.apply_to(settings),
        Ok(None) => {}
        Err(error) => {
            let queue = &settings.name;
            tracing::debug!(%queue, %error, "a queue's settings cannot be read");
        }
    }
}

async fn stored(store: &Store, queue: &str) -> Result<Option<Agreed>> {
    let stored = store.inner().get(&key(store, queue)?).await?;
    // A later version may store settings that this version cannot read.
    Ok(stored.and_then(|entry| Serializer::Json.decode(&entry.value).ok()))
}

/// Removes the stored settings.
pub(super) async fn forget(store: &Store, queue: &str) -> Result<()> {
    store.inner().delete(&key(store, queue)?, kv_core::Condition::Always).await.map(drop)
}

async fn compare(store: &Store, settings: &Settings) -> Result<()> {
    let here = Agreed::of(settings);
    let before = stored(store, &settings.name).await?;
    if before.as_ref() == Some(&here) {
        return Ok(());
    }
    if let Some(before) = before {
        let differences = here.differences(&before).join(", ");
        tracing::warn!(queue = %settings.name, differences, "a queue is opened with other settings");
    }
    let write = Write { lifetime: Lifetime::Never, ..Write::ALWAYS };
    let key = key(store, &settings.name)?;
    store.inner().set(&key, Serializer::Json.encode(&here)?, write).await.map(drop)
}

fn key(store: &Store, queue: &str) -> Result<String> {
    store.reserved_key("queue-settings", queue)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_differs_is_named_with_both_values() {
        let before = Agreed {
            lease: Duration::from_secs(30),
            max_failures: 5,
            max_crashes: 3,
            max_deliveries: 1_000,
            keep_dead: 10,
            keep_dead_for: None,
            keep_done: Some((0, None)),
            group_limit: Some(GroupLimit::new()),
        };
        let day = Some(Duration::from_secs(86_400));
        let here = Agreed { lease: Duration::from_secs(5), keep_dead_for: day, ..before };
        assert_eq!(before.differences(&before), Vec::<String>::new());
        assert_eq!(
            here.differences(&before),
            ["lease 5s instead of 30s", "keep_dead_for 86400s instead of without end"]
        );
        let two = Agreed { group_limit: Some(GroupLimit::new().weight(2)), ..before };
        assert_eq!(two.differences(&before).len(), 1);
        let older = Agreed { group_limit: None, ..before };
        assert_eq!(before.differences(&older), Vec::<String>::new(), "of before there were groups");
    }
}
