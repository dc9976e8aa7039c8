//! A server's clock, stepped by the test.

use std::fs::File;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::workdir;

const SOURCE: &str = include_str!("../shim/clock.c");
const FROZEN_AT: u64 = 0;
const OFFSET_AT: u64 = 8;
/// What the shim ends its process with when it cannot map the clock's file.
pub(crate) const NO_CLOCK_FILE: i32 = 97;

/// Steps the clock of one server; every clone steps the same one.
///
/// Real time goes on underneath unless the clock is frozen. A frozen server answers `TIME`,
/// `PTTL` and every expiry from exactly the time given, to the microsecond, so that a model driven
/// by the same steps can be compared with it. What then stands still too, until the next step:
/// the timeouts of blocking commands, and the once-a-second `fsync` of the append-only file (its
/// data is still written at once, and survives a kill of the server). Timers of the event loop
/// run on; keys that nobody asks for are swept as usual after a step.
///
/// Redis 7.0 drops a key when its time has passed, not when it has come: after `SET k v PX 1000`
/// and a step of 1,000 ms the key is still there with a `PTTL` of 0, and 1 ms later it is gone.
#[derive(Debug, Clone)]
pub struct SteppedClock {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    file: File,
    path: PathBuf,
    offset: Mutex<i64>,
}

impl SteppedClock {
    /// Makes the clock's file at `path`; the clock runs, with no offset.
    pub(crate) fn create(path: PathBuf) -> Result<Self> {
        let file = File::options().read(true).write(true).create_new(true).open(&path);
        let file = file.map_err(Error::context(format!("cannot make {}", path.display())))?;
        let clock = Self { shared: Arc::new(Shared { file, path, offset: Mutex::new(0) }) };
        clock.write(FROZEN_AT, 0)?;
        clock.write(OFFSET_AT, 0)?;
        Ok(clock)
    }

    /// Moves every clock of the server forward, in effect for the next thing it does.
    ///
    /// # Errors
    /// When the clock's file cannot be written, or the sum of all steps exceeds 292 years.
    pub fn advance(&self, step: Duration) -> Result<()> {
        let mut offset = self.shared.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let sum = offset.checked_add(nanoseconds(step)?).ok_or_else(too_long)?;
        self.write(OFFSET_AT, sum)?;
        *offset = sum;
        Ok(())
    }

    /// Sets a frozen wall clock back, as an operator or a bad time server does.
    ///
    /// # Errors
    /// When the clock runs, since a step back of every clock would hold the server's event loop,
    /// or when its file cannot be written.
    pub fn set_back(&self, step: Duration) -> Result<()> {
        let _offset = self.shared.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let frozen_at = self.read(FROZEN_AT)?;
        if frozen_at == 0 {
            return Err(Error::new("only a frozen clock can be set back"));
        }
        self.write(FROZEN_AT, frozen_at.checked_sub(nanoseconds(step)?).ok_or_else(too_long)?)
    }

    /// Stops the wall clock at `since_epoch` after 1970; from then on only [`advance`] moves it.
    ///
    /// The monotonic clocks run on, since the server's event loop lives by them.
    ///
    /// [`advance`]: Self::advance
    ///
    /// # Errors
    /// When the clock's file cannot be written, or the time lies more than 292 years ahead.
    pub fn freeze_at(&self, since_epoch: Duration) -> Result<()> {
        let offset = self.shared.offset.lock().unwrap_or_else(PoisonError::into_inner);
        let base = nanoseconds(since_epoch)?.checked_sub(*offset).ok_or_else(too_long)?;
        self.write(FROZEN_AT, base)
    }

    pub(crate) fn path(&self) -> &Path {
        &self.shared.path
    }

    fn read(&self, at: u64) -> Result<i64> {
        let mut bytes = [0; 8];
        let read = self.shared.file.read_exact_at(&mut bytes, at);
        read.map_err(Error::context("cannot read the clock"))?;
        Ok(i64::from_ne_bytes(bytes))
    }

    /// Eight aligned bytes, written at once: the server sees the old number or the new one.
    fn write(&self, at: u64, number: i64) -> Result<()> {
        let bytes = number.to_ne_bytes();
        self.shared.file.write_all_at(&bytes, at).map_err(Error::context("cannot step the clock"))
    }
}

fn nanoseconds(duration: Duration) -> Result<i64> {
    i64::try_from(duration.as_nanos()).map_err(|_| too_long())
}

fn too_long() -> Error {
    Error::new("the clock cannot be stepped that far: it holds 292 years")
}

/// The compiled shim, compiled first when it is not there yet.
///
/// Its name carries a digest of its source, so that a changed source is compiled anew.
pub(crate) fn shim() -> Result<PathBuf> {
    let mut digest = DefaultHasher::new();
    SOURCE.hash(&mut digest);
    workdir::once(&format!("clock-{:016x}.so", digest.finish()), compile)
}

fn compile(staging: &Path) -> Result<PathBuf> {
    let (source, library) = (staging.join("clock.c"), staging.join("clock.so"));
    std::fs::write(&source, SOURCE).map_err(Error::context("cannot write clock.c"))?;
    eprintln!("kv-testbed: compiling the clock shim into target/redis");
    let output = Command::new("cc")
        .args(["-std=c11", "-O2", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"])
        .args([&library, &source])
        .output()
        .map_err(Error::context("a stepped clock needs a C compiler, and `cc` cannot be run"))?;
    if output.status.success() {
        return Ok(library);
    }
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    Err(Error::new(format!("cc cannot compile the clock shim: {errors}")))
}
