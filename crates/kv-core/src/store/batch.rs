//! Any number of verbs in one call, with an answer for each.

use std::fmt;
use std::sync::Arc;

use serde::Serialize;

use super::step::{Flag, Number, Read, Step, Wrote};
use super::{SetOptions, Store};
use crate::{Command, Error, ErrorKind, Expiry, Reply, Result, Serializer};

impl Store {
    /// Any number of verbs in one call; each verb returns a ticket for its answer.
    ///
    /// The verbs run in order, but not as a transaction.
    pub fn batch(&self) -> Batch {
        Batch { store: self.clone(), commands: Vec::new(), refused: None, id: Arc::new(()) }
    }
}

/// Verbs to be sent together, from [`Store::batch`].
///
/// If a key, value or lifetime is wrong, [`execute`](Self::execute) reports it and sends nothing.
#[must_use = "a batch does nothing until it is executed"]
pub struct Batch {
    store: Store,
    commands: Vec<Command>,
    refused: Option<Error>,
    id: Arc<()>,
}

/// The right to one answer of a batch.
#[derive(Debug)]
#[must_use = "the answer, and an error in it, is read with the ticket"]
pub struct Ticket<S> {
    index: usize,
    batch: Arc<()>,
    step: S,
}

impl Batch {
    /// Reads a value: `Option<T>`.
    pub fn get<T>(&mut self, key: &str) -> Ticket<Read<T>> {
        let (command, step) = self.store.queue_get(key);
        self.push(command, step)
    }

    /// Stores a value: `()`.
    pub fn set<T: Serialize + ?Sized>(&mut self, key: &str, value: &T) -> Ticket<Wrote> {
        let command = self.store.queue_set(key, value, SetOptions::new());
        self.push(command, Store::WROTE)
    }

    /// Stores a value as the options say; answers whether it was stored.
    pub fn set_with<T: Serialize + ?Sized>(
        &mut self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> Ticket<Flag> {
        let command = self.store.queue_set(key, value, options);
        self.push(command, Store::SET_IF)
    }

    /// Deletes a key; answers whether this verb removed it.
    pub fn delete(&mut self, key: &str) -> Ticket<Flag> {
        let (command, step) = self.store.queue_delete(key);
        self.push(command, step)
    }

    /// Whether a key exists.
    pub fn exists(&mut self, key: &str) -> Ticket<Flag> {
        let (command, step) = self.store.queue_exists(key);
        self.push(command, step)
    }

    /// Gives a key another lifetime; answers whether the key exists.
    pub fn touch(&mut self, key: &str, expiry: impl Into<Expiry>) -> Ticket<Flag> {
        let (command, step) = self.store.queue_touch(key, expiry.into());
        self.push(command, step)
    }

    /// Adds to a counter; answers the sum.
    pub fn increment(&mut self, key: &str, by: i64, expiry: impl Into<Expiry>) -> Ticket<Number> {
        let (command, step) = self.store.queue_increment(key, by, expiry.into());
        self.push(command, step)
    }

    /// How many verbs are queued.
    pub fn len(&self) -> usize {
        self.commands.len()
    }

    /// Whether no verb is queued.
    pub fn is_empty(&self) -> bool {
        self.commands.is_empty()
    }

    /// Sends all verbs, in order.
    ///
    /// # Errors
    /// The error of a wrong key, value or lifetime, and then nothing was sent; or the error of the
    /// whole batch. Errors of single verbs are in their answers.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the verbs executed.
    pub async fn execute(self) -> Result<BatchReplies> {
        let Self { store, commands, refused, id } = self;
        if let Some(error) = refused {
            return Err(error);
        }
        let replies = store.run(commands).await?.into_iter().map(Some).collect();
        Ok(BatchReplies { replies, serializer: store.serializer, id })
    }

    fn push<S>(&mut self, command: Result<Command>, step: S) -> Ticket<S> {
        let index = self.commands.len();
        match command {
            Ok(command) => self.commands.push(command),
            Err(error) => {
                self.refused.get_or_insert(error);
            }
        }
        Ticket { index, batch: Arc::clone(&self.id), step }
    }
}

/// The answers to a batch, each taken by its ticket.
pub struct BatchReplies {
    replies: Vec<Option<Result<Reply>>>,
    serializer: Serializer,
    id: Arc<()>,
}

impl BatchReplies {
    /// One verb's answer.
    ///
    /// # Errors
    /// The verb's own error; `Serialization` if the bytes do not decode; `Backend` for a ticket of
    /// another batch.
    pub fn take<S: Step>(&mut self, ticket: Ticket<S>) -> Result<S::Output> {
        let Ticket { index, batch, step } = ticket;
        let own = Arc::ptr_eq(&batch, &self.id);
        let reply = self.replies.get_mut(index).filter(|_| own).and_then(Option::take);
        let foreign = || Err(Error::new(ErrorKind::Backend, "the ticket is of another batch"));
        step.read(reply.unwrap_or_else(foreign)?, &self.serializer)
    }
}

impl fmt::Debug for Batch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Batch").field("verbs", &self.commands.len()).finish_non_exhaustive()
    }
}

impl fmt::Debug for BatchReplies {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BatchReplies").field("answers", &self.replies.len()).finish_non_exhaustive()
    }
}
