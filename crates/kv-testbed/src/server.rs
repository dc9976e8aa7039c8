//! A real `redis-server` of one test's own.

mod builder;
mod listening;
mod process;

use std::path::Path;
use std::time::Duration;

use tempfile::TempDir;

pub use self::builder::RedisServerBuilder;
pub(crate) use self::builder::{Kind, start_all};
use self::listening::Listening;
use self::process::{Launch, Process};
use crate::clock::SteppedClock;
use crate::error::{Error, Result};
use crate::resp::{Connection, Reply};
use crate::signal;
use crate::tls::TlsFiles;

/// A real `redis-server` on a free port of 127.0.0.1, with a directory of its own.
///
/// It is killed when this value is dropped, and also when the test's process dies without
/// dropping it. By default it keeps nothing on disk.
///
/// ```no_run
/// use kv_testbed::{RedisServer, Reply};
/// let server = RedisServer::start()?;
/// assert_eq!(server.cli(&["SET", "k", "v"])?, Reply::Simple("OK".into()));
/// # kv_testbed::Result::Ok(())
/// ```
#[derive(Debug)]
pub struct RedisServer {
    launch: Launch,
    password: Option<String>,
    tls: Option<TlsFiles>,
    // Declared in the order they are to be dropped: the server before its directory and its ports.
    process: Option<Process>,
    dir: TempDir,
    listening: Listening,
}

impl RedisServer {
    /// Starts a server with the defaults and waits until it answers.
    ///
    /// # Errors
    /// When no `redis-server` is found, or it does not start; the end of its log is included.
    pub fn start() -> Result<Self> {
        Self::builder().start()
    }

    /// A server with settings of its own.
    pub fn builder() -> RedisServerBuilder {
        RedisServerBuilder::default()
    }

    /// The port on 127.0.0.1, of TLS where the server speaks it; it stays the same across restarts.
    pub fn port(&self) -> u16 {
        self.listening.port()
    }

    /// The port without TLS; `None` where the server has none, see [`Tls::with_plain_port`].
    ///
    /// [`Tls::with_plain_port`]: crate::Tls::with_plain_port
    pub fn plain_port(&self) -> Option<u16> {
        self.listening.plain()
    }

    /// The Unix socket asked for with [`RedisServerBuilder::unix_socket`]; there is one too where
    /// the server speaks TLS and nothing else.
    ///
    /// # Errors
    /// When the server was started without one.
    pub fn unix_path(&self) -> Result<&Path> {
        let path = self.listening.socket();
        path.ok_or_else(|| Error::new("started without RedisServerBuilder::unix_socket"))
    }

    /// `redis://127.0.0.1:PORT/0`, or `rediss://` with TLS, without the password.
    pub fn url(&self) -> String {
        let scheme = if self.tls.is_some() { "rediss" } else { "redis" };
        format!("{scheme}://127.0.0.1:{}/0", self.port())
    }

    /// The certificates and keys that belong to [`RedisServerBuilder::tls`].
    ///
    /// # Errors
    /// When the server was started without it.
    pub fn tls(&self) -> Result<&TlsFiles> {
        self.tls.as_ref().ok_or_else(|| Error::new("started without RedisServerBuilder::tls"))
    }

    /// The process id; `None` after [`kill`](Self::kill).
    pub fn pid(&self) -> Option<u32> {
        self.process.as_ref().map(Process::pid)
    }

    /// The server's directory: its configuration, its log (`redis.log`) and its data.
    pub fn dir(&self) -> &Path {
        self.dir.path()
    }

    /// The clock asked for with [`RedisServerBuilder::clock`].
    ///
    /// # Errors
    /// When the server was started without one.
    pub fn clock(&self) -> Result<&SteppedClock> {
        self.launch
            .clock
            .as_ref()
            .ok_or_else(|| Error::new("started without RedisServerBuilder::clock"))
    }

    /// Kills the server at once (SIGKILL) and waits until it is gone; nothing if it is already.
    pub fn kill(&mut self) {
        self.process = None;
    }

    /// Kills the server and starts it again, on the same port, directory and clock.
    ///
    /// # Errors
    /// When it does not start; the end of its log is included.
    pub fn restart(&mut self) -> Result<()> {
        self.kill();
        self.process = Some(Process::start(&self.launch, self.dir.path(), &self.listening)?);
        Ok(())
    }

    /// Suspends the server (SIGSTOP): connections stay open, nothing is answered.
    ///
    /// Returns once it has stopped, so it answers nothing that is sent afterwards.
    ///
    /// # Errors
    /// When the server is not running.
    pub fn pause(&self) -> Result<()> {
        signal::pause(self.running()?)
    }

    /// Lets a suspended server go on (SIGCONT).
    ///
    /// # Errors
    /// When the server is not running.
    pub fn resume(&self) -> Result<()> {
        signal::resume(self.running()?)
    }

    /// A connection of one's own, authenticated when the server has a `requirepass`.
    ///
    /// # Errors
    /// When the server does not accept it.
    pub fn connection(&self) -> Result<Connection> {
        let mut connection = self.listening.connect()?;
        if let Some(password) = &self.password {
            match connection.command(&["AUTH", password])? {
                Reply::Simple(_) => {}
                _ => return Err(Error::new("the server refused its own requirepass")),
            }
        }
        Ok(connection)
    }

    /// Sends one command on a new connection; an error reply is a [`Reply::Error`].
    ///
    /// # Errors
    /// When the server does not answer within ten seconds.
    pub fn command(&self, arguments: &[&[u8]]) -> Result<Reply> {
        self.connection()?.command(arguments)
    }

    /// [`command`](Self::command) with arguments that are text.
    ///
    /// # Errors
    /// When the server does not answer within ten seconds.
    pub fn cli(&self, arguments: &[&str]) -> Result<Reply> {
        self.connection()?.command(arguments)
    }

    /// What `TIME` answers: the server's wall clock since 1970, in microseconds.
    ///
    /// # Errors
    /// When the server does not answer within ten seconds.
    pub fn time(&self) -> Result<Duration> {
        let reply = self.cli(&["TIME"])?;
        let Reply::Array(parts) = &reply else { return Err(Error::new("TIME is no array")) };
        let number = |at: usize| parts.get(at).and_then(Reply::text)?.parse().ok();
        let time = number(0).zip(number(1)).map(|(seconds, microseconds)| {
            Duration::from_secs(seconds) + Duration::from_micros(microseconds)
        });
        time.ok_or_else(|| Error::new("TIME is no pair of numbers"))
    }

    /// [`cli`](Self::cli), for which an error reply is an error too.
    pub(crate) fn demand(&self, arguments: &[&str]) -> Result<Reply> {
        self.connection()?.demand(arguments)
    }

    /// [`demand`](Self::demand) where the reply is text.
    pub(crate) fn demand_text(&self, arguments: &[&str]) -> Result<String> {
        let text = self.demand(arguments)?.text();
        text.ok_or_else(|| Error::new(format!("{} is not answered with text", arguments.join(" "))))
    }

    pub(crate) fn password(&self) -> Option<&str> {
        self.password.as_deref()
    }

    /// The port of the cluster's bus.
    pub(crate) fn bus_port(&self) -> Option<u16> {
        self.listening.bus()
    }

    /// Whether it runs and is not suspended: whoever asks it something gets an answer.
    pub(crate) fn is_awake(&self) -> bool {
        self.pid().is_some_and(signal::is_awake)
    }

    fn running(&self) -> Result<u32> {
        self.pid().ok_or_else(|| Error::new("the server is not running"))
    }
}
