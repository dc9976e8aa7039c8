//! The contract that a backend implements.

pub(crate) mod provided;

use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;

use crate::queue::QueueSupport;
use crate::{
    Achieved, Capabilities, Command, Condition, Durability, Entry, Error, ErrorKind, Lifetime,
    Outcome, Remaining, Reply, Result, ScanPage, ScanRequest, Stats, Watcher, Write,
};

/// Bytes under string keys: what a backend implements and [`Store`](crate::Store) builds on.
///
/// Five methods are required. The other methods are built from these five; a backend overrides a
/// method where it can do better. A backend knows no formats, types, defaults or namespaces.
///
/// # Contract
/// - Keys are as stored: 1 to [`MAX_KEY_BYTES`](crate::MAX_KEY_BYTES) bytes of UTF-8, prefix and
///   namespace included. `Store` has checked them.
/// - For each key, [`set`](Self::set) is linearizable under every declared condition. A
///   [`get`](Self::get) returns a value and a version of the same state.
/// - Lifetimes count in milliseconds: zero is `InvalidTtl`, a huge one is clamped to
///   [`MAX_LIFETIME`](crate::MAX_LIFETIME), a part of a millisecond is rounded up. A key
///   that is set for 1,000 ms is there while fewer have passed, and gone when more have; when
///   exactly 1,000 have, a backend may show it or not, as Redis still does. A backend that counts
///   in whole milliseconds may show it for a part of one longer, and never for less. An expired key
///   is invisible to every method, whether or not its memory was freed. What is not declared in
///   [`capabilities`](Self::capabilities) is refused as `Unsupported`, never approximated.
/// - A backend sends no write twice. If it cannot tell whether a write was executed, the error says
///   [`MaybeApplied`](crate::Effect::MaybeApplied). Reads may be repeated.
/// - Every call ends within the time that the backend's configuration sets.
/// - After [`close`](Self::close) every call on every clone fails with `Closed`.
///
/// # Cancel safety
/// Each method says what a dropped future may leave behind; a method that says nothing leaves
/// nothing behind. A dropped write is executed at most once, and whole or not at all.
///
/// # Wrappers
/// A decorator forwards every method, including the provided ones; otherwise a batch becomes single
/// calls. A decorator that changes bytes or permissions must not simply forward
/// [`get_now`](Self::get_now), [`execute`](Self::execute), counters and
/// [`queue_engine`](Self::queue_engine).
#[async_trait]
pub trait KeyValueStore: Send + Sync + 'static {
    /// The value and its version, or `None`.
    ///
    /// # Errors
    /// `WrongType` if the key holds something other than a value.
    async fn get(&self, key: &str) -> Result<Option<Entry>>;

    /// Stores a value if the condition holds, in one atomic step.
    ///
    /// # Errors
    /// `InvalidTtl` for a zero lifetime; `Unsupported` if the backend does not declare the
    /// condition or lifetimes.
    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome>;

    /// Deletes the key if the condition holds. Returns `true` if this call removed it.
    ///
    /// # Errors
    /// `Unsupported` if the backend does not declare conditions.
    async fn delete(&self, key: &str, condition: Condition) -> Result<bool>;

    /// How long the key has left, or `None` if the key does not exist.
    ///
    /// # Errors
    /// Those of the connection.
    async fn ttl(&self, key: &str) -> Result<Option<Remaining>>;

    /// One page of the keys that match a pattern.
    ///
    /// A walk shows every key that exists throughout the walk at least once. It may show a key
    /// twice. It ends, and gives no [`Cursor`](crate::Cursor) twice on the way.
    ///
    /// # Errors
    /// `InvalidKey` for a cursor of another backend.
    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage>;

    /// What the backend offers beyond plain reads and writes: nothing by default.
    fn capabilities(&self) -> Capabilities {
        Capabilities::NONE
    }

    /// The deployment's prefix, such as `data_fetcher:`, which `Store` puts before every key. Empty
    /// by default.
    fn key_prefix(&self) -> &str {
        ""
    }

    /// The answer of [`get`](Self::get), if the backend has it without waiting.
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

    /// The entries of many keys, in the order of the keys. Each key is read on its own; the call is
    /// no snapshot.
    ///
    /// # Errors
    /// Those of [`get`](Self::get); the first error ends the call.
    async fn get_many(&self, keys: &[&str]) -> Result<Vec<Option<Entry>>> {
        let mut entries = Vec::with_capacity(keys.len());
        for key in keys {
            entries.push(self.get(key).await?);
        }
        Ok(entries)
    }

    /// Like [`set`](Self::set), for a cache: a backend that evicts keys, and spares keys written under
    /// a condition, does not spare this key.
    ///
    /// # Errors
    /// Those of [`set`](Self::set).
    ///
    /// # Cancel safety
    /// A dropped future may have written the value, whole.
    async fn set_cached(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.set(key, value, write).await
    }

    /// Like [`set`](Self::set), and waits until copies have the value. Also returns how many copies
    /// have it. If the condition does not hold, the call writes nothing and does not wait.
    ///
    /// # Errors
    /// Those of [`set`](Self::set); `Unsupported` if the backend does not declare durable writes,
    /// and then nothing is written. Reaching fewer copies than asked is not an error; compare with
    /// [`Achieved::meets`](crate::Achieved::meets).
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

    /// Stores many values with one lifetime. Each value is written whole; the call is no
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

    /// Deletes many keys. Returns how many this call removed.
    ///
    /// # Errors
    /// Those of [`delete`](Self::delete). An error after the first delete says `MaybeApplied`.
    ///
    /// # Cancel safety
    /// A dropped future may leave any number of the keys deleted.
    async fn delete_many(&self, keys: &[&str]) -> Result<u64> {
        provided::delete_many(self, keys).await
    }

    /// Adds to the decimal integer under a key, and returns the sum. A missing key counts as zero.
    ///
    /// The lifetime applies only when the call creates the key. The provided method uses
    /// conditional writes, in a bounded number of attempts.
    ///
    /// # Errors
    /// `WrongType` if the value is not a 64-bit integer, or the sum overflows; the value stays.
    /// `Conflict` after too many attempts, `Unsupported` without conditions.
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

    /// Gives an existing key another lifetime. Returns whether the key exists.
    /// [`Keep`](Lifetime::Keep) changes nothing.
    ///
    /// # Errors
    /// `InvalidTtl` for zero, `Conflict` after too many attempts, `Unsupported` without
    /// conditions and lifetimes.
    async fn touch(&self, key: &str, lifetime: Lifetime) -> Result<bool> {
        provided::touch(self, key, lifetime).await
    }

    /// Runs many commands in order, in as few round trips as the backend can. Returns an answer for
    /// each command, in order. The call is no transaction.
    ///
    /// # Errors
    /// The call fails as a whole only if it has no answers for single commands.
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
    /// `Unsupported` if the store has no clock of its own.
    async fn now(&self) -> Result<Duration> {
        Err(Error::unsupported("a clock of its own"))
    }

    /// Tells a watcher of changes of the keys that begin with a prefix, until the watcher is
    /// dropped: whoever asks keeps it.
    ///
    /// - It tells a gap first, as soon as it can tell changes, perhaps before this call returns.
    ///   Until then, and after it has told that changes are lost, it tells no change, or tells some.
    /// - From a gap on it tells each change of a key after the change: every write, every delete,
    ///   every other lifetime, and the removal of a key that expired or was evicted. A read after
    ///   that returns what was changed, or something later. It may tell a key more often than the
    ///   key changed, and several changes of a key once.
    /// - Where it may have missed a change, it tells a gap. Where it cannot tell changes for a while,
    ///   it tells that they are lost at once, tries again for as long as the store is open, and then
    ///   tells a gap.
    /// - It does not tell keys that contain [`RESERVED`](crate::RESERVED).
    /// - When the store is closed, it tells that changes are lost, with the kind `Closed`.
    ///
    /// [`Watchers`](crate::Watchers) does most of this for a store that makes all changes itself.
    ///
    /// # Errors
    /// `Unsupported` if the backend does not declare [`WATCH`](Capabilities::WATCH).
    fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        let _ = (prefix, watcher);
        Err(Error::unsupported("watch"))
    }

    /// Whether the store answers.
    ///
    /// # Errors
    /// Those of the connection.
    async fn ping(&self) -> Result<()> {
        self.ttl("ping").await.map(drop)
    }

    /// Figures of the store; `None` for a figure that the store does not count.
    ///
    /// # Errors
    /// Those of the connection.
    async fn stats(&self) -> Result<Stats> {
        Ok(Stats::default())
    }

    /// Closes all clones: running calls may finish, later calls fail with `Closed`. Closing again
    /// does nothing.
    ///
    /// # Errors
    /// Those of the connection; the store is closed nevertheless.
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
            // Written out so that the verbs whose cost matters most are boxed once, not twice.
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
            fn watch(&self, prefix: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
                (**self).watch(prefix, watcher)
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

/// Refuses every condition except [`Condition::Always`], for backends without conditions.
///
/// # Errors
/// `Unsupported` for every other condition.
pub fn refuse_conditions(condition: &Condition) -> Result<()> {
    match condition {
        Condition::Always => Ok(()),
        Condition::Absent | Condition::Present | Condition::Version(_) => {
            Err(Error::new(ErrorKind::Unsupported, "this store does not support conditions"))
        }
    }
}
