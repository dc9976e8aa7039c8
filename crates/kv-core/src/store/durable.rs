//! Writes that wait until copies have them.

use serde::Serialize;

use super::{SetOptions, Store};
use crate::{Achieved, Capabilities, Durability, Outcome, Result};

impl Store {
    /// Stores a value as the options say, and waits until copies have it. Returns whether it was
    /// stored, and which copies had it when the wait ended. Reaching fewer copies than asked is not
    /// an error; compare with [`Achieved::meets`].
    ///
    /// # Errors
    /// As [`set_with`](Self::set_with); `Unsupported` if the backend does not declare durable
    /// writes; `Config` if the wait for copies may last longer than a call may take. In both cases
    /// nothing is sent.
    ///
    /// # Cancel safety
    /// A dropped future may have stored the value.
    pub fn set_durable<'a, T: Serialize + ?Sized>(
        &'a self,
        key: &str,
        value: &T,
        options: SetOptions,
        durability: Durability,
    ) -> impl Future<Output = Result<(bool, Achieved)>> + Send + 'a + use<'a, T> {
        let tags = options.tags.clone();
        let prepared = self.prepare_set(key, value, options);
        async move {
            let (key, value, write) = prepared?;
            let stored = async {
                self.require(Capabilities::DURABILITY, "durable writes", "set_durable")?;
                let value = self.with_tags(&key, value, &tags).await?;
                let set = self.backend()?.set_durable(&key, value, write, durability);
                self.writing(&[&key], set).await
            };
            let stored: Result<(Outcome, Achieved)> = stored.await;
            let (outcome, achieved) = stored.map_err(|e| e.operation("set_durable").key(&key))?;
            Ok((outcome.is_written(), achieved))
        }
    }
}
