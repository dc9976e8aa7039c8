//! Calls on one key as data: which verb, under which condition, by which route.

use std::sync::Arc;

use kv_core::{
    Bytes, Capabilities, Command, Condition, KeyValueStore, Lifetime, Remaining, Reply, Result,
    Version, Write,
};

use crate::trial::bytes;
use crate::{Failure, Trial, answer};

/// By which method a verb reaches the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Route {
    /// The method of the verb's own name.
    Single,
    /// `get_many`, `set_many`, `delete_many`, with one key.
    Many,
    /// `execute`, with one command.
    Batch,
}

/// The condition of a write, before its version is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum When {
    Always,
    Absent,
    Present,
    /// The version that the key had at the start.
    Version,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Get,
    Exists,
    Ttl,
    Set(Lifetime, When),
    Delete(When),
    Take,
    Touch(Lifetime),
    /// By one.
    Increment(Lifetime),
}

/// One call on one key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Move(pub(crate) Verb, pub(crate) Route);

impl Move {
    /// What a store must declare to be asked for this.
    pub(crate) fn needs(self) -> Capabilities {
        let ttl = |lifetime| match lifetime {
            Lifetime::In(_) => Capabilities::TTL,
            Lifetime::Never | Lifetime::Keep => Capabilities::NONE,
        };
        let conditions = |when| match when {
            When::Always => Capabilities::NONE,
            When::Absent | When::Present | When::Version => Capabilities::CONDITIONS,
        };
        match self.0 {
            Verb::Get | Verb::Exists | Verb::Ttl => Capabilities::NONE,
            Verb::Set(lifetime, when) => ttl(lifetime) | conditions(when),
            Verb::Delete(when) => conditions(when),
            Verb::Take => Capabilities::CONDITIONS,
            Verb::Touch(_) => Capabilities::TTL | Capabilities::CONDITIONS,
            Verb::Increment(lifetime) => Capabilities::COUNTERS | ttl(lifetime),
        }
    }

    /// The command of this call; the version is that of [`When::Version`].
    pub(crate) fn command(self, key: &str, value: &str, version: &Version) -> Command {
        let key = key.to_owned();
        let condition = |when| match when {
            When::Always => Condition::Always,
            When::Absent => Condition::Absent,
            When::Present => Condition::Present,
            When::Version => Condition::Version(version.clone()),
        };
        match self.0 {
            Verb::Get => Command::Get { key },
            Verb::Exists => Command::Exists { key },
            Verb::Ttl => Command::Ttl { key },
            Verb::Set(lifetime, when) => {
                let write = Write { lifetime, condition: condition(when) };
                Command::Set { key, value: bytes(value), write }
            }
            Verb::Delete(when) => Command::Delete { key, condition: condition(when) },
            Verb::Take => Command::Take { key },
            Verb::Touch(lifetime) => Command::Touch { key, lifetime },
            Verb::Increment(lifetime) => Command::Increment { key, by: 1, lifetime },
        }
    }

    /// Makes the call.
    pub(crate) async fn run(
        self,
        store: &Arc<dyn KeyValueStore>,
        key: &str,
        value: &str,
        version: &Version,
    ) -> Result<Reply> {
        run(store, self.1, self.command(key, value, version)).await
    }

    /// Makes the call, and tells the reply without versions.
    pub(crate) async fn told(
        self,
        store: &Arc<dyn KeyValueStore>,
        key: &str,
        value: &str,
        version: &Version,
    ) -> String {
        answer::told(&self.run(store, key, value, version).await)
    }
}

/// One command by a route.
pub(crate) async fn run(
    store: &Arc<dyn KeyValueStore>,
    route: Route,
    command: Command,
) -> Result<Reply> {
    match (route, command) {
        (Route::Batch, command) => match store.execute(vec![command]).await?.pop() {
            Some(reply) => reply,
            None => Err(kv_core::Error::new(kv_core::ErrorKind::Backend, "a batch has no reply")),
        },
        (Route::Many, Command::Get { key }) => {
            Ok(Reply::Entry(store.get_many(&[&key]).await?.pop().flatten()))
        }
        (Route::Many, Command::Set { key, value, write }) => {
            store.set_many(vec![(key, value)], write.lifetime).await?;
            Ok(Reply::Flag(true))
        }
        (Route::Many, Command::Delete { key, .. }) => {
            Ok(Reply::Flag(store.delete_many(&[&key]).await? == 1))
        }
        (Route::Single | Route::Many, command) => single(store, command).await,
    }
}

async fn single(store: &Arc<dyn KeyValueStore>, command: Command) -> Result<Reply> {
    Ok(match command {
        Command::Get { key } => Reply::Entry(store.get(&key).await?),
        Command::Set { key, value, write } => Reply::Outcome(store.set(&key, value, write).await?),
        Command::Delete { key, condition } => Reply::Flag(store.delete(&key, condition).await?),
        Command::Exists { key } => Reply::Flag(store.exists(&key).await?),
        Command::Ttl { key } => Reply::Remaining(store.ttl(&key).await?),
        Command::Touch { key, lifetime } => Reply::Flag(store.touch(&key, lifetime).await?),
        Command::Take { key } => Reply::Entry(store.take(&key).await?),
        Command::Increment { key, by, lifetime } => {
            Reply::Number(store.increment(&key, by, lifetime).await?)
        }
        _ => return Err(kv_core::Error::unsupported("a command that the suite does not know")),
    })
}

/// What a key is when a case begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Start {
    Missing,
    /// Holds [`OLD`] and never expires.
    Forever,
    /// Holds [`OLD`] for so many milliseconds.
    For(u64),
}

/// The value at the start: a number, so that it can be counted on.
pub(crate) const OLD: &str = "5";

/// What a key holds, as far as two stores or two keys can agree on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Seen {
    pub(crate) value: Option<Bytes>,
    pub(crate) left: Option<Remaining>,
}

impl Trial<'_> {
    /// The handle of this number: those that the backend gives take turns.
    pub(crate) fn handle(&self, number: usize) -> &Arc<dyn KeyValueStore> {
        match self.another() {
            Some(other) if !number.is_multiple_of(2) => other,
            _ => self.store(),
        }
    }

    /// Whether the store declares what the call needs.
    pub(crate) fn offers(&self, call: Move) -> bool {
        self.declares(call.needs())
    }

    /// Whether the store can begin a case like this.
    pub(crate) fn can_begin(&self, start: Start) -> bool {
        !matches!(start, Start::For(_)) || self.declares(Capabilities::TTL)
    }

    /// Makes the key what a case begins with; its version, or one that names no state.
    pub(crate) async fn begin(&self, key: &str, start: Start) -> Result<Version, Failure> {
        match start {
            Start::Missing => Ok(Version::from_number(u64::MAX)),
            Start::Forever => self.put(key, OLD).await,
            Start::For(ms) => self.put_for(key, OLD, ms).await,
        }
    }

    /// What a key holds.
    pub(crate) async fn seen(&self, key: &str) -> Result<Seen, Failure> {
        seen(self.store(), key).await
    }
}

/// What a key holds, through this handle.
pub(crate) async fn seen(store: &Arc<dyn KeyValueStore>, key: &str) -> Result<Seen, Failure> {
    let value = store.get(key).await?.map(|entry| entry.value);
    Ok(Seen { value, left: store.ttl(key).await? })
}
