//! The small steps that the cases are made of. What one finds is told with the line of the case.

use std::panic::Location;

use kv_core::{Bytes, Cursor, Outcome, Pattern, Remaining, ScanRequest, Version, Write};

use super::{Trial, bytes, millis, ms_of};
use crate::Failure;
use crate::failure::ensure_eq;

/// The most pages of a walk before it counts as endless.
const MAX_PAGES: usize = 100_000;

/// A step that fails on its caller's line.
#[track_caller]
fn step<T>(
    step: impl Future<Output = Result<T, Failure>>,
) -> impl Future<Output = Result<T, Failure>> {
    let at = Location::caller();
    async move { step.await.map_err(|failure| failure.found_at(at)) }
}

impl Trial<'_> {
    /// Stores a value that never expires.
    #[track_caller]
    pub(crate) fn put(
        &self,
        key: &str,
        value: &str,
    ) -> impl Future<Output = Result<Version, Failure>> {
        step(self.write(key, value, Write::ALWAYS))
    }

    /// Stores a value for some milliseconds.
    #[track_caller]
    pub(crate) fn put_for(
        &self,
        key: &str,
        value: &str,
        ms: u64,
    ) -> impl Future<Output = Result<Version, Failure>> {
        step(self.write(key, value, Write::ALWAYS.lifetime(millis(ms))))
    }

    /// Stores a value as told; the condition must hold.
    #[track_caller]
    pub(crate) fn write(
        &self,
        key: &str,
        value: &str,
        write: Write,
    ) -> impl Future<Output = Result<Version, Failure>> {
        step(async move {
            match self.try_write(key, value, write).await? {
                Outcome::Written(version) => Ok(version),
                Outcome::ConditionFailed => {
                    Err(Failure::new(format!("set {key:?}: the condition holds, but was not met")))
                }
            }
        })
    }

    pub(crate) async fn try_write(
        &self,
        key: &str,
        value: &str,
        write: Write,
    ) -> kv_core::Result<Outcome> {
        self.store.set(key, bytes(value), write).await
    }

    /// The value under a key.
    #[track_caller]
    pub(crate) fn value(&self, key: &str) -> impl Future<Output = Result<Option<Bytes>, Failure>> {
        step(async move { Ok(self.store.get(key).await?.map(|entry| entry.value)) })
    }

    /// The version under a key that exists.
    #[track_caller]
    pub(crate) fn version(&self, key: &str) -> impl Future<Output = Result<Version, Failure>> {
        step(async move {
            let entry = self.store.get(key).await?;
            let missing = || Failure::new(format!("get {key:?}: the key was set, but is missing"));
            Ok(entry.ok_or_else(missing)?.version)
        })
    }

    /// Fails unless the key holds the value; `None` for a missing key.
    #[track_caller]
    pub(crate) fn holds(
        &self,
        key: &str,
        value: Option<&str>,
    ) -> impl Future<Output = Result<(), Failure>> {
        step(async move {
            ensure_eq!(self.value(key).await?, value.map(bytes), "get {key:?}");
            Ok(())
        })
    }

    /// Fails unless the key has so many milliseconds left; `None` for one that never expires.
    #[track_caller]
    pub(crate) fn expires_in(
        &self,
        key: &str,
        ms: Option<u64>,
    ) -> impl Future<Output = Result<(), Failure>> {
        step(async move {
            let expected = ms.map_or(Remaining::Forever, |ms| Remaining::Expires(ms_of(ms)));
            ensure_eq!(self.store.ttl(key).await?, Some(expected), "ttl {key:?}");
            Ok(())
        })
    }

    /// Every key that a walk shows, repeats included.
    #[track_caller]
    pub(crate) fn walk(
        &self,
        pattern: &str,
        limit: usize,
    ) -> impl Future<Output = Result<Vec<String>, Failure>> {
        step(async move {
            let pattern = Pattern::new(pattern)?;
            let (mut keys, mut cursor) = (Vec::new(), None::<Cursor>);
            for _ in 0..MAX_PAGES {
                let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit };
                let page = self.store.scan(request).await?;
                keys.extend(page.keys);
                cursor = page.next;
                if cursor.is_none() {
                    return Ok(keys);
                }
            }
            let pattern = pattern.as_str();
            Err(Failure::new(format!("scan {pattern:?}: no end after {MAX_PAGES} pages")))
        })
    }

    /// The keys that a walk shows, sorted, each once.
    #[track_caller]
    pub(crate) fn scanned(
        &self,
        pattern: &str,
    ) -> impl Future<Output = Result<Vec<String>, Failure>> {
        step(async move {
            let mut keys = self.walk(pattern, 100).await?;
            keys.sort();
            keys.dedup();
            Ok(keys)
        })
    }
}
