//! A backend's figures.

/// A store's figures; `None` for a figure that the store does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys now stored, including expired keys that are not freed yet.
    pub keys: Option<u64>,
    /// Reads that found a value.
    pub hits: Option<u64>,
    /// Reads that found no value.
    pub misses: Option<u64>,
    /// Keys removed because they expired.
    pub expired: Option<u64>,
    /// Keys removed to stay within a limit.
    pub evicted: Option<u64>,
    /// Bytes of keys and values, or of the server's memory.
    pub bytes: Option<u64>,
}
