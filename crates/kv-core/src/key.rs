//! Which keys are acceptable, and which belong to the library.

use crate::{Error, ErrorKind, Result};

/// The longest key in bytes, prefix and namespace included.
pub const MAX_KEY_BYTES: usize = 1_024;

/// Marks the library's own keys: counters and queues. A key of a program may not contain it.
pub const RESERVED: &str = "!kv:";

/// What is shown in the place of a key that is a secret.
pub(crate) const HIDDEN: &str = "<hidden>";

/// Checks a key as it is stored.
///
/// # Errors
/// `InvalidKey` for an empty key, `TooLarge` for a key of more than [`MAX_KEY_BYTES`].
///
/// ```
/// assert!(kv_core::validate_key("user:1").is_ok());
/// assert!(kv_core::validate_key("").is_err());
/// assert!(kv_core::validate_key(&"k".repeat(1_025)).is_err());
/// ```
pub fn validate_key(key: &str) -> Result<()> {
    if key.is_empty() {
        return Err(Error::new(ErrorKind::InvalidKey, "an empty key; expected 1 to 1024 bytes"));
    }
    if key.len() > MAX_KEY_BYTES {
        let message = format!(
            "a key of {} bytes with its prefix; expected at most {MAX_KEY_BYTES}",
            key.len()
        );
        return Err(Error::new(ErrorKind::TooLarge, message));
    }
    Ok(())
}

/// Whether a stored key belongs to the library, not to a program.
pub fn is_reserved(key: &str) -> bool {
    key.contains(RESERVED)
}
