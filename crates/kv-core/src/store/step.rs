//! The answer of one queued verb of a pipeline or batch, and how to read it.

use std::marker::PhantomData;

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{SetOptions, Store, Undecodable};
use crate::{Command, Condition, Error, ErrorKind, Expiry, Lifetime, Reply, Result, Serializer};

/// Reads the answer of one queued verb.
pub trait Step {
    /// The verb's answer.
    type Output;

    /// Reads the backend's answer.
    ///
    /// # Errors
    /// `Serialization` if the bytes do not decode.
    fn read(self, reply: Reply, serializer: &Serializer) -> Result<Self::Output>;
}

/// A write without a condition; answers `()`.
#[derive(Debug)]
pub struct Wrote(());

/// A verb that answers yes or no.
#[derive(Debug)]
pub struct Flag(());

/// A verb that answers a number.
#[derive(Debug)]
pub struct Number(());

/// A read of a value; answers `Option<T>`.
#[derive(Debug)]
pub struct Read<T>(Undecodable, PhantomData<fn() -> T>);

impl<T> Read<T> {
    pub(super) fn of(store: &Store) -> Self {
        Self(store.undecodable, PhantomData)
    }
}

impl Step for Wrote {
    type Output = ();

    fn read(self, _: Reply, _: &Serializer) -> Result<()> {
        Ok(())
    }
}

impl Step for Flag {
    type Output = bool;

    fn read(self, reply: Reply, _: &Serializer) -> Result<bool> {
        match reply {
            Reply::Flag(flag) => Ok(flag),
            Reply::Outcome(outcome) => Ok(outcome.is_written()),
            _ => Err(unexpected()),
        }
    }
}

impl Step for Number {
    type Output = i64;

    fn read(self, reply: Reply, _: &Serializer) -> Result<i64> {
        match reply {
            Reply::Number(number) => Ok(number),
            _ => Err(unexpected()),
        }
    }
}

impl<T: DeserializeOwned> Step for Read<T> {
    type Output = Option<T>;

    fn read(self, reply: Reply, serializer: &Serializer) -> Result<Option<T>> {
        match reply {
            Reply::Entry(None) => Ok(None),
            Reply::Entry(Some(entry)) => self.0.apply(serializer.decode(&entry.value)),
            _ => Err(unexpected()),
        }
    }
}

pub(super) fn unexpected() -> Error {
    Error::new(ErrorKind::Backend, "the backend answered a batch with replies of another kind")
}

/// The verbs that can be queued. Each is checked and encoded when it is called.
impl Store {
    pub(super) fn queue_get<T>(&self, key: &str) -> (Result<Command>, Read<T>) {
        (self.key("get", key).map(|key| Command::Get { key }), Read::of(self))
    }

    pub(super) fn queue_set<T: Serialize + ?Sized>(
        &self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> Result<Command> {
        if !options.tags.is_empty() {
            return Err(self.told(Error::unsupported("tags in a batch")).operation("set").key(key));
        }
        let (key, value, write) = self.prepare_set(key, value, options)?;
        let value = super::tags::wrap(value, &[]);
        Ok(Command::Set { key, value, write })
    }

    pub(super) fn queue_delete(&self, key: &str) -> (Result<Command>, Flag) {
        let key = self.key("delete", key);
        (key.map(|key| Command::Delete { key, condition: Condition::Always }), Flag(()))
    }

    pub(super) fn queue_exists(&self, key: &str) -> (Result<Command>, Flag) {
        (self.key("exists", key).map(|key| Command::Exists { key }), Flag(()))
    }

    pub(super) fn queue_touch(&self, key: &str, expiry: Expiry) -> (Result<Command>, Flag) {
        let command =
            self.require(crate::Capabilities::TTL, "time to live", "touch").and_then(|()| {
                let lifetime = self.lifetime(expiry).map_err(|e| e.operation("touch").key(key))?;
                Ok(Command::Touch { key: self.key("touch", key)?, lifetime })
            });
        (command, Flag(()))
    }

    pub(super) fn queue_increment(
        &self,
        key: &str,
        by: i64,
        expiry: Expiry,
    ) -> (Result<Command>, Number) {
        let command = self.counter_key("increment", key).and_then(|stored| {
            let lifetime: Lifetime =
                self.lifetime(expiry).map_err(|e| e.operation("increment").key(key))?;
            Ok(Command::Increment { key: stored, by, lifetime })
        });
        (command, Number(()))
    }

    pub(super) const WROTE: Wrote = Wrote(());
    pub(super) const SET_IF: Flag = Flag(());

    pub(super) async fn run(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let replies = self.run_as_stored(commands).await?;
        self.live_replies(replies).await
    }

    /// As [`run`](Self::run), with entries as they are stored.
    pub(super) async fn run_as_stored(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        if commands.is_empty() {
            return Ok(Vec::new());
        }
        let asked = commands.len();
        let written = commands.iter().filter(|command| command.writes());
        let keys: Vec<_> = written.map(|command| command.key().to_owned()).collect();
        let keys: Vec<&str> = keys.iter().map(String::as_str).collect();
        let replies = self.writing(&keys, self.backend()?.execute(commands)).await;
        let replies = replies.map_err(|error| error.operation("execute"))?;
        if replies.len() == asked {
            return Ok(replies);
        }
        let message = format!("{} replies to {asked} commands", replies.len());
        Err(Error::new(ErrorKind::Backend, message).operation("execute").maybe_applied())
    }
}
