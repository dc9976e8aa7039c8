//! Which paths are refused, and whether the file is still the one that was opened.

use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use kv_core::{Clock, Error, ErrorKind, Result, SystemClock};

/// The absolute path of a database file, if one may be there.
pub(crate) fn check_path(path: &Path) -> Result<PathBuf> {
    let name = match path.file_name() {
        Some(name) if path != Path::new(":memory:") => name,
        _ => return Err(wrong(path, "names no file; expected the path of a database file")),
    };
    if path.is_dir() {
        return Err(wrong(path, "is a folder; expected the path of a file"));
    }
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = parent.unwrap_or_else(|| Path::new("."));
    let found = folder.canonicalize().map_err(|error| {
        let expected = "is in a folder that cannot be opened; expected one that exists";
        wrong(path, expected).because(error)
    })?;
    if let Some(kind) = network(&found) {
        let message = format!(
            "{}: is on a file system of the network ({kind}), on which locks cannot be trusted; \
             expected a local one",
            path.display()
        );
        return Err(Error::new(ErrorKind::Config, message));
    }
    Ok(found.join(name))
}

fn wrong(path: &Path, what: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{:?}: {what}", path.display().to_string()))
}

/// An error of the lock files beside the file.
pub(crate) fn not_writable(path: &Path, error: io::Error) -> Error {
    let denied = [io::ErrorKind::PermissionDenied, io::ErrorKind::ReadOnlyFilesystem];
    let kind = match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => ErrorKind::OutOfMemory,
        kind if denied.contains(&kind) => ErrorKind::ReadOnly,
        _ => ErrorKind::Backend,
    };
    let message = format!(
        "{}: no lock can be had beside it; expected a local folder that can be written",
        path.display()
    );
    Error::new(kind, message).because(error)
}

/// File systems of the network, by the number that the system gives them.
#[cfg(target_os = "linux")]
const NETWORK: [(u64, &str); 7] = [
    (0x6969, "NFS"),
    (0x517B, "SMB"),
    (0xFF53_4D42, "CIFS"),
    (0xFE53_4D42, "SMB 2"),
    (0x5346_414F, "AFS"),
    (0x00C3_6400, "Ceph"),
    (0x7461_636F, "OCFS2"),
];

#[cfg(target_os = "linux")]
fn network(folder: &Path) -> Option<&'static str> {
    let kind = rustix::fs::statfs(folder).ok()?.f_type;
    network_name(i128::from(kind))
}

#[cfg(target_os = "linux")]
fn network_name(kind: i128) -> Option<&'static str> {
    // The numbers have 32 bits, whatever the sign and the width of the field.
    let kind = u64::try_from(kind & 0xFFFF_FFFF).ok()?;
    NETWORK.iter().find(|(known, _)| *known == kind).map(|(_, name)| *name)
}

/// Elsewhere it is up to the documentation.
#[cfg(not(target_os = "linux"))]
fn network(_: &Path) -> Option<&'static str> {
    None
}

/// For how long reads trust that the file is there: to ask the system takes a quarter as long as a
/// small read.
const TRUSTED: Duration = Duration::from_millis(10);

/// The file and its log, as they were when the store was opened.
#[derive(Debug)]
pub(crate) struct Identity {
    path: PathBuf,
    log: PathBuf,
    file: Option<(u64, u64)>,
    clock: SystemClock,
    /// Until when the last answer is trusted, in microseconds of the clock.
    trusted: AtomicU64,
}

impl Identity {
    /// The identity of the file that is there now.
    pub(crate) fn of(path: &Path) -> Result<Self> {
        let metadata = fs::metadata(path).map_err(|error| wrong(path, "is gone").because(error))?;
        let mut log = OsString::from(path);
        log.push("-wal");
        let (file, clock) = (number(&metadata), SystemClock::new());
        Ok(Self { path: path.to_owned(), log: log.into(), file, clock, trusted: AtomicU64::new(0) })
    }

    /// The same as [`check`](Self::check), unless somebody has checked it just now.
    ///
    /// # Errors
    /// `Backend`.
    pub(crate) fn check_lately(&self) -> Result<()> {
        let is_trusted = micros(self.clock.now()) < self.trusted.load(Ordering::Relaxed);
        if is_trusted { Ok(()) } else { self.check().map(drop) }
    }

    /// Checks that the file, and the log of what is not in it yet, are still there. What is
    /// written into a file that was removed is gone with the process. How large the log is.
    ///
    /// # Errors
    /// `Backend`.
    pub(crate) fn check(&self) -> Result<u64> {
        let found = fs::metadata(&self.path);
        let same = found.is_ok_and(|metadata| number(&metadata) == self.file);
        if same && let Ok(log) = fs::metadata(&self.log) {
            let trusted = micros(self.clock.now().saturating_add(TRUSTED));
            self.trusted.store(trusted, Ordering::Relaxed);
            return Ok(log.len());
        }
        self.trusted.store(0, Ordering::Relaxed);
        let message = format!(
            "{}: the file, or its log, was removed or replaced while it was open; expected nobody \
             to touch it. Open the store anew",
            self.path.display()
        );
        Err(Error::new(ErrorKind::Backend, message))
    }
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

#[cfg(unix)]
#[expect(clippy::unnecessary_wraps, reason = "elsewhere there is no such number")]
fn number(metadata: &Metadata) -> Option<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    Some((metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
fn number(_: &Metadata) -> Option<(u64, u64)> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(target_os = "linux")]
    #[test]
    fn file_systems_of_the_network_are_known_whatever_the_sign_of_their_number() {
        let smb2 = i128::from(0xFE53_4D42_u32.cast_signed());
        for (kind, name) in [(0x6969, "NFS"), (0xFF53_4D42, "CIFS"), (smb2, "SMB 2")] {
            assert_eq!(network_name(kind), Some(name));
        }
        let (ext4, tmpfs, btrfs, overlay) = (0xEF53, 0x0102_1994, 0x9123_683E, 0x794C_7630);
        for local in [ext4, tmpfs, btrfs, overlay] {
            assert_eq!(network_name(local), None, "{local:x}");
        }
    }

    #[test]
    fn what_the_system_says_of_the_lock_files_is_told_by_what_the_caller_can_do() {
        use io::ErrorKind as Of;
        for (of, kind) in [
            (Of::PermissionDenied, ErrorKind::ReadOnly),
            (Of::ReadOnlyFilesystem, ErrorKind::ReadOnly),
            (Of::StorageFull, ErrorKind::OutOfMemory),
            (Of::Other, ErrorKind::Backend),
        ] {
            let error = not_writable(Path::new("/data/k.db"), of.into());
            assert_eq!(error.kind(), kind);
            assert!(error.to_string().contains("/data/k.db"), "{error}");
        }
    }
}
