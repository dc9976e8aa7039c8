//! A TCP port that no other test takes.

use std::fs::{self, File};
use std::hash::{BuildHasher, RandomState};
use std::net::{Ipv4Addr, TcpListener};

use crate::error::{Error, Result};
use crate::workdir;

/// Below the range that the kernel hands out, so that no outgoing connection ends up on the port
/// of a server that is restarting. A cluster's bus port (10,000 higher) fits below it too.
const FIRST: u16 = 10_000;
const COUNT: u16 = 10_000;

/// A port on 127.0.0.1, reserved until this value is dropped.
///
/// The reservation is a locked file in `target/redis/ports`; it holds among all test processes of
/// one checkout and ends with the process, however that ends.
///
/// ```
/// let (one, two) = (kv_testbed::Port::reserve()?, kv_testbed::Port::reserve()?);
/// assert_ne!(one.number(), two.number());
/// # kv_testbed::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct Port {
    number: u16,
    _lock: File,
}

impl Port {
    /// Reserves a port on which nothing listens.
    ///
    /// # Errors
    /// When the lock files cannot be written, or no port is free.
    pub fn reserve() -> Result<Self> {
        let dir = workdir::path()?.join("ports");
        fs::create_dir_all(&dir).map_err(Error::context("cannot make target/redis/ports"))?;
        let start = RandomState::new().hash_one(std::process::id()) % u64::from(COUNT);
        let start = u16::try_from(start).unwrap_or_default();
        for step in 0..COUNT {
            let number = FIRST + (start + step) % COUNT;
            let lock = File::create(dir.join(number.to_string()))
                .map_err(Error::context(format!("cannot write the lock file of port {number}")))?;
            let free = || TcpListener::bind((Ipv4Addr::LOCALHOST, number)).is_ok();
            if lock.try_lock().is_ok() && free() {
                return Ok(Self { number, _lock: lock });
            }
        }
        Err(Error::new(format!("no free port from {FIRST} to {}", FIRST + COUNT - 1)))
    }

    /// The port's number.
    pub fn number(&self) -> u16 {
        self.number
    }
}
