//! The settings a server starts with.

use std::fs;
use std::path::Path;
use std::thread;
use std::time::Duration;

use super::RedisServer;
use super::listening::{Doors, Listening};
use super::process::{CONFIG_FILE, Launch, PID_FILE, Process, port_was_taken};
use crate::clock::SteppedClock;
use crate::error::{Error, Result};
use crate::provision::Maker;
use crate::tls::{Tls, TlsFiles};

/// How often another port is tried when a program outside this testbed takes the chosen one.
const PORT_TRIES: usize = 5;

/// What a server is to be.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Kind {
    #[default]
    Single,
    ClusterNode,
    Sentinel,
}

/// The settings a [`RedisServer`] starts with.
#[derive(Debug, Clone, Default)]
pub struct RedisServerBuilder {
    config: Vec<(String, String)>,
    maker: Maker,
    kind: Kind,
    tls: Option<Tls>,
    unix_socket: bool,
    clock: bool,
    frozen_at: Option<Duration>,
}

impl RedisServerBuilder {
    /// Adds a line to `redis.conf`, over the defaults; quote a value as that file needs it.
    #[must_use]
    pub fn config(mut self, key: impl Into<String>, value: impl Into<String>) -> Self {
        self.config.push((key.into(), value.into()));
        self
    }

    /// The password of the server, and of the primary that it may follow; without a `"` in it.
    #[must_use]
    pub fn password(self, password: &str) -> Self {
        let quoted = format!("\"{password}\"");
        self.config("requirepass", quoted.as_str()).config("masterauth", quoted)
    }

    /// Gives the server a clock that the test can step, see [`SteppedClock`]; it runs.
    #[must_use]
    pub fn clock(mut self) -> Self {
        self.clock = true;
        self
    }

    /// Gives the server a clock that stands still from the start, `since_epoch` after 1970.
    #[must_use]
    pub fn clock_frozen_at(mut self, since_epoch: Duration) -> Self {
        self.frozen_at = Some(since_epoch);
        self.clock()
    }

    /// Lets the server speak TLS on its port, and on no other unless asked.
    #[must_use]
    pub fn tls(mut self, tls: Tls) -> Self {
        self.tls = Some(tls);
        self
    }

    /// Lets the server listen on a Unix socket too, see [`RedisServer::unix_path`].
    #[must_use]
    pub fn unix_socket(mut self) -> Self {
        self.unix_socket = true;
        self
    }

    /// Starts a `valkey-server` in place of a `redis-server`.
    #[must_use]
    pub fn valkey(mut self) -> Self {
        self.maker = Maker::Valkey;
        self
    }

    pub(crate) fn kind(mut self, kind: Kind) -> Self {
        self.kind = kind;
        self
    }

    /// Starts the server and waits until it answers.
    ///
    /// # Errors
    /// When no server is found, or it does not start; the end of its log is included.
    pub fn start(self) -> Result<RedisServer> {
        let binary = self.maker.binary()?;
        let mut tries = 1;
        loop {
            let dir = tempfile::Builder::new()
                .prefix("kv-testbed-")
                .tempdir()
                .map_err(Error::context("cannot make the server's directory"))?;
            let listening = Listening::reserve(self.doors(), dir.path())?;
            let tls = self.tls.as_ref().map(|tls| tls.write(dir.path())).transpose()?;
            self.write_config(dir.path(), &listening, tls.as_ref())?;
            let clock = self.make_clock(dir.path())?;
            let sentinel = self.kind == Kind::Sentinel;
            let launch = Launch { binary: binary.clone(), clock, sentinel };
            match Process::start(&launch, dir.path(), &listening) {
                Ok(process) => {
                    let (password, process) = (self.requirepass(), Some(process));
                    return Ok(RedisServer { launch, password, tls, process, dir, listening });
                }
                Err(_) if tries < PORT_TRIES && port_was_taken(dir.path()) => tries += 1,
                Err(error) => return Err(error),
            }
        }
    }

    fn doors(&self) -> Doors {
        Doors {
            tls: self.tls.is_some(),
            plain_beside_tls: self.tls.as_ref().is_some_and(Tls::wants_plain_port),
            bus: self.kind == Kind::ClusterNode,
            socket: self.unix_socket,
        }
    }

    fn write_config(&self, dir: &Path, ports: &Listening, tls: Option<&TlsFiles>) -> Result<()> {
        let mut text = ports.config();
        text.push_str(&format!(
            "dir \"{dir}\"\npidfile \"{dir}/{PID_FILE}\"\ndaemonize no\nsave \"\"\nappendonly no\n",
            dir = dir.display(),
        ));
        if let Some((tls, files)) = self.tls.as_ref().zip(tls) {
            text.push_str(&tls.config(files));
        }
        for (key, value) in &self.config {
            text.push_str(&format!("{key} {value}\n"));
        }
        fs::write(dir.join(CONFIG_FILE), text).map_err(Error::context("cannot write redis.conf"))
    }

    fn make_clock(&self, dir: &Path) -> Result<Option<SteppedClock>> {
        if !self.clock {
            return Ok(None);
        }
        let clock = SteppedClock::create(dir.join("clock"))?;
        if let Some(since_epoch) = self.frozen_at {
            clock.freeze_at(since_epoch)?;
        }
        Ok(Some(clock))
    }

    pub(crate) fn requirepass(&self) -> Option<String> {
        let (_, value) = self.config.iter().rfind(|(key, _)| key == "requirepass")?;
        Some(value.trim_matches('"').to_owned())
    }
}

/// Starts servers, all at once.
///
/// # Errors
/// When one does not start; the others are stopped.
pub(crate) fn start_all(builders: Vec<RedisServerBuilder>) -> Result<Vec<RedisServer>> {
    thread::scope(|scope| {
        let start = |builder: RedisServerBuilder| scope.spawn(|| builder.start());
        let starting: Vec<_> = builders.into_iter().map(start).collect();
        let started = starting.into_iter().map(|thread| match thread.join() {
            Ok(server) => server,
            Err(_) => Err(Error::new("starting a server panicked")),
        });
        started.collect()
    })
}
