//! What the server tells of itself.

/// The text that INFO answers: lines of `name:value`.
pub(crate) struct Info<'a>(pub(crate) &'a str);

impl<'a> Info<'a> {
    /// The value of a field, if it is told.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.field(name) == Some(value)
    }

    /// Whether it knows WAITAOF, which came with Redis 7.2; every Valkey does.
    pub(crate) fn waits_for_disks(&self) -> bool {
        let mut parts = self.field("redis_version").unwrap_or_default().split('.');
        let mut part = || parts.next()?.parse::<u32>().ok();
        let version = part().zip(part());
        self.field("valkey_version").is_some() || version.is_none_or(|it| it >= (7, 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_disks_came_with_a_version() {
        let knows = |info: &str| Info(info).waits_for_disks();
        assert!(!knows("redis_version:7.0.15") && !knows("redis_version:6.2.14"));
        assert!(knows("redis_version:7.2.0") && knows("redis_version:8.0.1"));
        assert!(knows("redis_version:7.0.0\nvalkey_version:8.0.0"));
        assert!(knows("redis_version:unstable"), "it is tried where it is not known");
    }
}
