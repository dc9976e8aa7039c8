//! `target/redis` of the workspace and its siblings: what is unpacked, compiled and locked is kept
//! there.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// `<workspace>/target/redis`, made if need be.
pub(crate) fn path() -> Result<PathBuf> {
    folder("redis")
}

fn folder(name: &str) -> Result<PathBuf> {
    let dir = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../target").join(name);
    fs::create_dir_all(&dir).map_err(Error::context(format!("cannot make {}", dir.display())))?;
    dir.canonicalize().map_err(Error::context(format!("cannot resolve {}", dir.display())))
}

/// Makes `target/redis/<name>`, see [`once_in`].
pub(crate) fn once(name: &str, make: impl FnOnce(&Path) -> Result<PathBuf>) -> Result<PathBuf> {
    once_in("redis", name, make)
}

/// Makes a thing with `make` unless it is there already; exactly one process makes it.
///
/// `make` works in a fresh directory beside the target and says which path in it is the result;
/// that is renamed, so nobody ever sees a half-made target.
pub(crate) fn once_in(
    of: &str,
    name: &str,
    make: impl FnOnce(&Path) -> Result<PathBuf>,
) -> Result<PathBuf> {
    let dir = folder(of)?;
    let target = dir.join(name);
    if target.exists() {
        return Ok(target);
    }
    let lock = dir.join("lock");
    let lock = File::create(&lock).map_err(Error::context(format!("cannot open {lock:?}")))?;
    lock.lock().map_err(Error::context(format!("cannot lock target/{of}")))?;
    if target.exists() {
        return Ok(target);
    }
    let staging = tempfile::Builder::new()
        .prefix("staging-")
        .tempdir_in(&dir)
        .map_err(Error::context(format!("cannot make a directory in target/{of}")))?;
    let made = make(staging.path())?;
    fs::rename(&made, &target)
        .map_err(Error::context(format!("cannot rename {made:?} to {target:?}")))?;
    Ok(target)
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::sync::atomic::{AtomicU32, Ordering};

    use super::{once, path};
    use crate::error::Error;

    #[test]
    fn of_many_who_want_a_thing_at_once_exactly_one_makes_it() {
        let name = format!("test-{}", std::process::id());
        let made = AtomicU32::new(0);
        let make = |staging: &std::path::Path| {
            made.fetch_add(1, Ordering::SeqCst);
            let file = staging.join("half-made");
            fs::write(&file, "whole").map_err(Error::context("cannot write"))?;
            Ok(file)
        };
        std::thread::scope(|scope| {
            let wanted = || once(&name, make).map(|made| fs::read_to_string(made).ok());
            let threads: Vec<_> = (0..8).map(|_| scope.spawn(wanted)).collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap().unwrap().as_deref(), Some("whole"));
            }
        });
        fs::remove_file(path().unwrap().join(&name)).unwrap();
        assert_eq!(made.into_inner(), 1);
    }

    #[test]
    fn what_fails_leaves_nothing_and_is_tried_again() {
        let name = format!("failing-{}", std::process::id());
        assert!(once(&name, |_| Err(Error::new("no"))).is_err());
        assert!(!path().unwrap().join(&name).exists());
        assert_eq!(once(&name, |_| Err(Error::new("again"))).unwrap_err().to_string(), "again");
    }
}
