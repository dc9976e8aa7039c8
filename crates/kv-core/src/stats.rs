//! Figures that a backend can tell of itself.

/// What a store knows of itself; `None` where it does not count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Stats {
    /// Keys now stored, expired ones that were not swept yet included.
    pub keys: Option<u64>,
    /// Reads that found a value.
    pub hits: Option<u64>,
    /// Reads that found none.
    pub misses: Option<u64>,
    /// Keys removed since they expired.
    pub expired: Option<u64>,
    /// Keys removed to stay within a limit.
    pub evicted: Option<u64>,
    /// Bytes of keys and values, or of the server's memory.
    pub bytes: Option<u64>,
}
