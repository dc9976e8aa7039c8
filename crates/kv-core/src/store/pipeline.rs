//! A few verbs in one round trip, with a typed answer for each.

use std::fmt;

use serde::Serialize;

use super::step::{Flag, Number, Read, Step, Wrote};
use super::{SetOptions, Store};
use crate::{Command, Expiry, Reply, Result, Serializer};

impl Store {
    /// Up to twelve verbs in one round trip, with a tuple of their answers.
    ///
    /// The verbs run in order, but not as a transaction. [`batch`](Self::batch) takes any number of
    /// verbs.
    pub fn pipeline(&self) -> Pipeline<()> {
        Pipeline { store: self.clone(), commands: Vec::new(), refused: None, steps: () }
    }
}

/// Verbs to be sent together, from [`Store::pipeline`].
///
/// If a key, value or lifetime is wrong, [`execute`](Self::execute) reports it and sends nothing.
#[must_use = "a pipeline does nothing until it is executed"]
pub struct Pipeline<S> {
    store: Store,
    commands: Vec<Command>,
    refused: Option<crate::Error>,
    steps: S,
}

impl<S> Pipeline<S> {
    /// Reads a value: `Option<T>`.
    pub fn get<T>(self, key: &str) -> Pipeline<S::Longer>
    where
        S: Append<Read<T>>,
    {
        let (command, step) = self.store.queue_get(key);
        self.then(command, step)
    }

    /// Stores a value: `()`.
    pub fn set<T: Serialize + ?Sized>(self, key: &str, value: &T) -> Pipeline<S::Longer>
    where
        S: Append<Wrote>,
    {
        let command = self.store.queue_set(key, value, SetOptions::new());
        self.then(command, Store::WROTE)
    }

    /// Stores a value as the options say: whether it was stored.
    pub fn set_with<T: Serialize + ?Sized>(
        self,
        key: &str,
        value: &T,
        options: SetOptions,
    ) -> Pipeline<S::Longer>
    where
        S: Append<Flag>,
    {
        let command = self.store.queue_set(key, value, options);
        self.then(command, Store::SET_IF)
    }

    /// Deletes a key; answers whether this verb removed it.
    pub fn delete(self, key: &str) -> Pipeline<S::Longer>
    where
        S: Append<Flag>,
    {
        let (command, step) = self.store.queue_delete(key);
        self.then(command, step)
    }

    /// Whether a key exists.
    pub fn exists(self, key: &str) -> Pipeline<S::Longer>
    where
        S: Append<Flag>,
    {
        let (command, step) = self.store.queue_exists(key);
        self.then(command, step)
    }

    /// Gives a key another lifetime; answers whether the key exists.
    pub fn touch(self, key: &str, expiry: impl Into<Expiry>) -> Pipeline<S::Longer>
    where
        S: Append<Flag>,
    {
        let (command, step) = self.store.queue_touch(key, expiry.into());
        self.then(command, step)
    }

    /// Adds to a counter; answers the sum.
    pub fn increment(self, key: &str, by: i64, expiry: impl Into<Expiry>) -> Pipeline<S::Longer>
    where
        S: Append<Number>,
    {
        let (command, step) = self.store.queue_increment(key, by, expiry.into());
        self.then(command, step)
    }

    fn then<N>(mut self, command: Result<Command>, step: N) -> Pipeline<S::Longer>
    where
        S: Append<N>,
    {
        match command {
            Ok(command) => self.commands.push(command),
            Err(error) => {
                self.refused.get_or_insert(error);
            }
        }
        let Self { store, commands, refused, steps } = self;
        Pipeline { store, commands, refused, steps: steps.append(step) }
    }
}

impl<S: Steps> Pipeline<S> {
    /// Sends all verbs, in order, and reads the answers.
    ///
    /// # Errors
    /// The error of a wrong key, value or lifetime, and then nothing was sent; otherwise the first
    /// error among the answers, and then the other verbs are still executed.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the verbs executed.
    pub async fn execute(self) -> Result<S::Output>
    where
        S: Send,
    {
        let Self { store, commands, refused, steps } = self;
        if let Some(error) = refused {
            return Err(error);
        }
        let names: Vec<_> = commands.iter().map(|one| (one.name(), one.key().to_owned())).collect();
        let replies = store.run(commands).await?;
        let mut replies = replies
            .into_iter()
            .zip(names)
            .map(|(reply, (name, key))| reply.map_err(|error| error.operation(name).key(&key)));
        steps.read(&mut replies, store.serializer())
    }
}

impl<S> fmt::Debug for Pipeline<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pipeline").field("verbs", &self.commands.len()).finish_non_exhaustive()
    }
}

/// A tuple that can take one more step.
pub trait Append<N> {
    /// The tuple with the step appended.
    type Longer;

    /// Adds the step.
    fn append(self, step: N) -> Self::Longer;
}

/// A tuple of steps.
pub trait Steps {
    /// The tuple of their answers.
    type Output;

    /// Reads an answer for each step.
    ///
    /// # Errors
    /// The first error among the answers.
    fn read(
        self,
        replies: &mut dyn Iterator<Item = Result<Reply>>,
        serializer: &Serializer,
    ) -> Result<Self::Output>;
}

impl<N> Append<N> for () {
    type Longer = (N,);

    fn append(self, step: N) -> Self::Longer {
        (step,)
    }
}

macro_rules! tuples {
    ([$($step:ident)*]) => {
        impl<$($step: Step,)*> Steps for ($($step,)*) {
            type Output = ($($step::Output,)*);

            #[expect(non_snake_case, reason = "a type's name serves as its value's too")]
            fn read(
                self,
                replies: &mut dyn Iterator<Item = Result<Reply>>,
                serializer: &Serializer,
            ) -> Result<Self::Output> {
                let ($($step,)*) = self;
                Ok(($($step.read(next(replies)?, serializer)?,)*))
            }
        }
    };
    ([$($step:ident)*] $next:ident $($rest:ident)*) => {
        tuples!([$($step)*]);

        impl<$($step,)* N> Append<N> for ($($step,)*) {
            type Longer = ($($step,)* N,);

            #[expect(non_snake_case, reason = "a type's name serves as its value's too")]
            fn append(self, step: N) -> Self::Longer {
                let ($($step,)*) = self;
                ($($step,)* step,)
            }
        }

        tuples!([$($step)* $next] $($rest)*);
    };
}

tuples!([A] B C D E F G H I J K L);

fn next(replies: &mut dyn Iterator<Item = Result<Reply>>) -> Result<Reply> {
    replies.next().unwrap_or_else(|| {
        Err(crate::Error::new(crate::ErrorKind::Backend, "the backend answered too little"))
    })
}
