//! The server's information about itself.

use kv_core::{Error, ErrorKind, Result};

/// The text that INFO answers: lines of `name:value`.
pub(crate) struct Info<'a>(pub(crate) &'a str);

impl<'a> Info<'a> {
    /// The value of a field, if INFO has it.
    pub(crate) fn field(&self, name: &str) -> Option<&'a str> {
        let mut lines = self.0.lines();
        lines.find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).map(str::trim)
    }

    pub(crate) fn is(&self, name: &str, value: &str) -> bool {
        self.field(name) == Some(value)
    }

    /// The version, if it is known to be older than the given one. Every Valkey is newer than the
    /// versions asked for here, whatever it calls itself.
    pub(crate) fn older_than(&self, wanted: (u32, u32)) -> Option<&'a str> {
        let version = self.field("redis_version")?;
        let mut parts = version.split('.').map(|part| part.parse().ok());
        let known = (parts.next()??, parts.next()??);
        (self.field("valkey_version").is_none() && known < wanted).then_some(version)
    }

    /// Whether the server can wait until a write is on its disk.
    ///
    /// # Errors
    /// `Unsupported` without WAITAOF, which Redis has from 7.2 on and every Valkey has; `Config`
    /// without an append-only file.
    pub(crate) fn check_disk(&self) -> Result<()> {
        if self.older_than((7, 2)).is_some() {
            let what = "waiting for the disk: WAITAOF needs Redis 7.2 or later, or Valkey";
            return Err(Error::unsupported(what));
        }
        if self.is("aof_enabled", "0") {
            let message = "waiting for the disk: the server keeps no append-only file; expected \
                           appendonly yes";
            return Err(Error::new(ErrorKind::Config, message));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_for_disks_came_with_a_version() {
        let knows = |info: &str| Info(info).check_disk().is_ok();
        assert!(!knows("redis_version:7.0.15") && !knows("redis_version:6.2.14"));
        assert!(knows("redis_version:7.2.0") && knows("redis_version:8.0.1"));
        assert!(knows("redis_version:7.0.0\nvalkey_version:8.0.0"));
        assert!(knows("redis_version:unstable"), "it is tried where it is not known");
    }

    #[test]
    fn without_a_file_there_is_nothing_to_wait_for() {
        let check = |info: &str| Info(info).check_disk().map_err(|error| error.kind());
        assert_eq!(check("redis_version:7.2.0\naof_enabled:0"), Err(ErrorKind::Config));
        assert_eq!(check("redis_version:7.0.0\naof_enabled:0"), Err(ErrorKind::Unsupported));
        assert_eq!(check("redis_version:7.2.0\naof_enabled:1"), Ok(()));
    }
}
