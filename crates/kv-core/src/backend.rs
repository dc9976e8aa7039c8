//! The contract that a backend implements.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::queue::QueueSupport;
use crate::{
    Achieved, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Write, provided,
};

/// Bytes under string keys: what a backend implements and [`Store`](crate::Store) builds on.
///
/// Five methods are required. The others are built from them, and a backend overrides those that
/// it does better. Formats, types, defaults and namespaces are none of a backend's business.
///
/// # Contract
/// - Keys are as stored: 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes of UTF-8, prefix and
///   namespace included. `Store` has checked them.
/// - Per key, [`set`](Self::set) is linearizable under every condition that is declared, and the
///   value and version of a [`get`](Self::get) belong together.
/// - Lifetimes count in milliseconds: zero is `InvalidTtl`, a huge one is clamped to
///   [`MAX_LIFETIME`](crate::MAX_LIFETIME), a part of a millisecond is rounded up. A key
///   that is set for 1,000 ms is there while fewer have passed, and gone when more have; when
///   exactly 1,000 have, a backend may show it or not, as Redis still does. An expired key
///   is invisible to every method, whether or not its memory was freed. What is not declared in
///   [`capabilities`](Self::capabilities) is refused as `Unsupported`, never approximated.
/// - No write is sent twice. Where a backend cannot tell whether one was executed, its error says
///   [`MaybeApplied`](crate::Effect::MaybeApplied). Reads may be repeated.
/// - Every call ends within a time that the backend's configuration names.
/// - After [`close`](Self::close) every call on every clone is an error of kind `Closed`.
///
/// # Cancel safety
/// Each method tells what a dropped future may leave behind. Where nothing is said, nothing. A
/// dropped write may or may not be executed, but is executed at most once and whole.
///
/// # Wrappers
/// A decorator forwards every method, also the provided ones: else a batch turns into single
/// calls. One that changes bytes or permissions must not forward
/// [`get_now`](Self::get_now), [`execute`](Self::execute), counters and
/// [`queue_engine`](Self::queue_engine) as they are.
#[async_trait]
pub trait KeyValueStore: Send + Sync + 'static {
    /// The value and its version, or `None`.
    ///
    /// # Errors
    /// `WrongType` where the backend holds something else than a value under the key.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Stores a value if the condition holds, in one atomic step.
    ///
    /// # Errors
    /// `InvalidTtl` for a zero lifetime, `Unsupported` for a condition or lifetime that is not
    /// declared.
    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome>;

    /// Deletes the key if the condition holds; `true` if this call removed it.
    ///
    /// # Errors
    /// `Unsupported` for a condition that is not declared.
    async fn delete(&self, key: &str, condition: Condition) -> Result<bool>;

    /// How long the key has left, or `None` where there is none.
    ///
    /// # Errors
    /// Those of the connection.
    async fn ttl(&self, key: &str) -> Result<Option<Remaining>>;

    /// One page of the keys that match a pattern.
    ///
    /// A walk visits every key that was there throughout at least once, and may repeat one.
    ///
    /// # Errors
    /// `InvalidKey` for a cursor that is not this backend's.
    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage>;

    /// What is offered beyond plain reads and writes; nothing unless declared.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    /// What `Store` puts before every key: the deployment's prefix, such as `data_fetcher:`.
    fn key_prefix(&self) -> &str {
        ""
    }

    /// The answer of [`get`](Self::get), if it is at hand without waiting.
    fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
        let _ = key;
        None
    }

    /// Whether the key exists.
    ///
    /// # Errors
    /// Those of [`ttl`](Self::ttl).
    async fn exists(&self, key: &str) -> Result<bool> {
        Ok(self.ttl(key).await?.is_some())
    }

    /// The entries of many keys, in the order of the keys. No snapshot: each is read on its own.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); the first one ends the call.
    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(self.get(key).await?);
        }
        Ok(entries)
    }

    /// [`set`](Self::set) for a cache: a backend that evicts, and spares what was written under a
    /// condition, does not spare this.
    ///
    /// # Errors
    /// Those of [`set`](Self::set).
    ///
    /// # Cancel safety
    /// A dropped future may have written the value, whole.
    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.set(key, value, write).await
    }

    /// [`set`](Self::set), and waits until copies have it; what they had when it returned. Where
    /// the condition failed, nothing was written, and nothing is waited for.
    ///
    /// # Errors
    /// Those of [`set`](Self::set); `Unsupported` where it is not declared, and nothing is written
    /// then. That too little was reached is none.
    ///
    /// # Cancel safety
    /// A dropped future may have written the value, whole.
    async fn set_durable(
        &self,
        key: &str,
        value: Bytes,
        write: Write,
        durability: Durability,
    ) -> Result<(Outcome, Achieved)> {
        let _ = (key, value, write, durability);
        Err(Error::unsupported("durable writes"))
    }

    /// Stores many values with one lifetime. Each is written whole; all together are no
    /// transaction.
    ///
    /// # Errors
    /// Those of [`set`](Self::set). An error after the first write says `MaybeApplied`.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the values written.
    async fn set_many(&self, entries: Vec<(String, Bytes)>, lifetime: Lifetime) -> Result<()> {
        provided::set_many(self, entries, lifetime).await
    }

    /// Deletes many keys; how many this call removed.
    ///
    /// # Errors
    /// Those of [`delete`](Self::delete). An error after the first delete says `MaybeApplied`.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the keys deleted.
    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        provided::delete_many(self, keys).await
    }

    /// Adds to the decimal integer that a key holds, from zero where there is none; the sum.
    ///
    /// The lifetime applies when the key is created, and never again. Built from conditional
    /// writes, in a bounded number of attempts.
    ///
    /// # Errors
    /// `WrongType` for a value that is no integer of 64 bits, and for an overflow; the value
    /// stays. `Conflict` after too many attempts, `Unsupported` without conditions.
    async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
        provided::increment(self, key, by, lifetime).await
    }

    /// Reads and deletes in one atomic step.
    ///
    /// # Errors
    /// `Conflict` after too many attempts, `Unsupported` without conditions.
    ///
    /// # Cancel safety
    /// A dropped future may have deleted the entry: it is lost.
    async fn take(&self, key: &str) -> Result<Option<Entry>> {
        provided::take(self, key).await
    }

    /// Gives an existing key another lifetime; whether it exists.
    /// [`Keep`](Lifetime::Keep) changes nothing.
    ///
    /// # Errors
    /// `InvalidTtl` for zero, `Conflict` after too many attempts, `Unsupported` without
    /// conditions and lifetimes.
    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        provided::touch(self, key, lifetime).await
    }

    /// Runs many commands in order, in as few round trips as the backend can; no transaction.
    /// An answer for each command, in order.
    ///
    /// # Errors
    /// As a whole only where nothing can be said of the single commands.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the commands executed.
    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let mut replies = Vec::with_capacity(commands.len());
        for command in commands {
            replies.push(provided::run(self, command).await);
        }
        Ok(replies)
    }

    /// The store's own clock: time since 1970-01-01T00:00:00Z.
    ///
    /// # Errors
    /// `Unsupported` where the store has no clock of its own.
    async fn now(&self) -> Result<Duration> {
        Err(Error::unsupported("a clock of its own"))
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Those of the connection.
    async fn ping(&self) -> Result<()> {
        self.ttl("ping").await.map(drop)
    }

    /// Figures of the store; `None` where it does not count.
    ///
    /// # Errors
    /// Those of the connection.
    async fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }

    /// Ends all clones: running calls may finish, later ones are errors of kind `Closed`.
    /// Closing again does nothing.
    ///
    /// # Errors
    /// Those of the connection; the store is closed all the same.
    async fn close(&self) -> Result<()> {
        Ok(())
    }

    /// How queues run on this store.
    fn queue_engine(&self) -> QueueSupport {
        QueueSupport::Generic
    }
}

macro_rules! forward {
    ($target:ty, $($bounds:tt)*) => {
        #[async_trait]
        #[deny(clippy::missing_trait_methods)]
        impl $($bounds)* KeyValueStore for $target {
            // Written out, so that the verbs whose cost matters most are boxed once and not twice.
            fn get<'s, 'k, 'async_trait>(
                &'s self,
                key: &'k str,
            ) -> Pin<Box<dyn Future<Output = Result<Option<Entry>>> + Send + 'async_trait>>
            where
                Self: 'async_trait,
                's: 'async_trait,
                'k: 'async_trait,
            {
                (**self).get(key)
            }
            fn set<'s, 'k, 'async_trait>(
                &'s self,
                key: &'k str,
                value: Bytes,
                write: Write,
            ) -> Pin<Box<dyn Future<Output = Result<Outcome>> + Send + 'async_trait>>
            where
                Self: 'async_trait,
                's: 'async_trait,
                'k: 'async_trait,
            {
                (**self).set(key, value, write)
            }
            async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
                (**self).delete(key, condition).await
            }
            async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
                (**self).ttl(key).await
            }
            async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
                (**self).scan(request).await
            }
            fn capabilities(&self) -> Capabilities {
                (**self).capabilities()
            }
            fn key_prefix(&self) -> &str {
                (**self).key_prefix()
            }
            fn get_now(&self, key: &str) -> Option<Result<Option<Entry>>> {
                (**self).get_now(key)
            }
            async fn exists(&self, key: &str) -> Result<bool> {
                (**self).exists(key).await
            }
            async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
                (**self).get_many(keys).await
            }
            async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
                (**self).set_cached(key, value, write).await
            }
            async fn set_durable(
                &self,
                key: &str,
                value: Bytes,
                write: Write,
                durability: Durability,
            ) -> Result<(Outcome, Achieved)> {
                (**self).set_durable(key, value, write, durability).await
            }
            async fn set_many(&self, entries: Vec<(String, Bytes)>, l: Lifetime) -> Result<()> {
                (**self).set_many(entries, l).await
            }
            async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
                (**self).delete_many(keys).await
            }
            async fn increment(&self, key: &str, by: i64, lifetime: Lifetime) -> Result<i64> {
                (**self).increment(key, by, lifetime).await
            }
            async fn take(&self, key: &str) -> Result<Option<Entry>> {
                (**self).take(key).await
            }
            async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
                (**self).touch(key, lifetime).await
            }
            async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
                (**self).execute(commands).await
            }
            async fn now(&self) -> Result<Duration> {
                (**self).now().await
            }
            async fn ping(&self) -> Result<()> {
                (**self).ping().await
            }
            async fn stats(&self) -> Result<Stats> {
                (**self).stats().await
            }
            async fn close(&self) -> Result<()> {
                (**self).close().await
            }
            fn queue_engine(&self) -> QueueSupport {
                (**self).queue_engine()
            }
        }
    };
}

forward!(Arc<S>, <S: KeyValueStore + ?Sized>);
forward!(Box<S>, <S: KeyValueStore + ?Sized>);

/// The refusal of a condition that a backend does not declare, for backends without conditions.
///
/// # Errors
/// `Unsupported` for anything but [`Condition::Always`].
pub fn refuse_conditions(condition: &Condition) -> Result<()> {
    match condition {
        Condition::Always => Ok(()),
        Condition::Absent | Condition::Present | Condition::Version(_) => {
            Err(Error::new(ErrorKind::Unsupported, "this store does not support conditions"))
        }
    }
}
