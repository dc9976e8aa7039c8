//! The server's process, and the shell that keeps it from outliving the test.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use super::listening::Listening;
use crate::clock::{self, SteppedClock};
use crate::error::{Error, Result};
use crate::provision::ServerBinary;
use crate::resp::Reply;
use crate::wait::eventually;

pub(super) const CONFIG_FILE: &str = "redis.conf";
pub(super) const PID_FILE: &str = "redis.pid";
const LOG_FILE: &str = "redis.log";
const START_LIMIT: Duration = Duration::from_secs(60);
const KILL_LIMIT: Duration = Duration::from_secs(60);
const LOG_TAIL: usize = 2_000;

/// Runs the server and a watcher that reads a pipe from the test. A line in it asks for the
/// server to be killed. When the pipe ends without one the test has died, in whatever way, and
/// the server's directory goes with the server, which is stopped first, so that it makes no file
/// meanwhile. When the server ends first the watcher is ended, and the shell ends as the server
/// did.
const SUPERVISOR: &str = r#"
dir=$1; shift
exec 3<&0
"$@" </dev/null 3<&- & server=$!
{
  read -r line || { kill -STOP "$server"; rm -rf "$dir"; }
  kill -KILL "$server"
} <&3 3<&- 2>/dev/null & watcher=$!
exec 3<&-
trap 'kill -KILL "$server"' HUP INT TERM
wait "$server"; status=$?
kill -KILL "$watcher" 2>/dev/null
exit "$status"
"#;

/// What it takes to start a server, again and again.
#[derive(Debug)]
pub(super) struct Launch {
    pub(super) binary: ServerBinary,
    pub(super) clock: Option<SteppedClock>,
    pub(super) sentinel: bool,
}

#[derive(Debug)]
pub(super) struct Process {
    supervisor: Child,
    pid: u32,
}

impl Process {
    /// Starts the server configured in `dir` and waits until it answers where it listens.
    pub(super) fn start(launch: &Launch, dir: &Path, listening: &Listening) -> Result<Self> {
        let _ = fs::remove_file(dir.join(PID_FILE));
        let log = File::create(dir.join(LOG_FILE)).map_err(Error::context("cannot make a log"))?;
        let errors = log.try_clone().map_err(Error::context("cannot share the log"))?;
        let supervisor = Command::new("sh")
            .args(["-c", SUPERVISOR, "redis-supervisor"])
            .arg(dir)
            .arg("env")
            .args(environment(&launch.binary, launch.clock.as_ref())?)
            .arg(launch.binary.server())
            .arg(dir.join(CONFIG_FILE))
            .args(launch.sentinel.then_some("--sentinel"))
            .stdin(Stdio::piped())
            .stdout(log)
            .stderr(errors)
            .spawn()
            .map_err(Error::context("cannot run sh"))?;
        let mut process = Self { supervisor, pid: 0 };
        process.wait_until_ready(dir, listening)?;
        Ok(process)
    }

    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// The file with the process id lies in the server's own directory and is written after it
    /// has bound its port: whoever answers on the port from then on is this server.
    fn wait_until_ready(&mut self, dir: &Path, listening: &Listening) -> Result<()> {
        let pid_file = dir.join(PID_FILE);
        let outcome = eventually(START_LIMIT, || {
            if let Ok(Some(status)) = self.supervisor.try_wait() {
                return Some(Err(ended(status)));
            }
            let pid = fs::read_to_string(&pid_file).ok()?.trim().parse().ok()?;
            answers(listening).then_some(Ok(pid))
        });
        let outcome = outcome.unwrap_or_else(|| Err("did not answer in time".to_owned()));
        self.pid = outcome.map_err(|what| {
            let (port, log) = (listening.port(), tail(dir));
            Error::new(format!("redis-server on port {port} {what}; its log ends: {log}"))
        })?;
        Ok(())
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails when the server has ended by itself, and the shell with it.
        let _ = self.supervisor.stdin.take().map(|mut pipe| pipe.write_all(b"kill\n"));
        let _ = eventually(KILL_LIMIT, || self.supervisor.try_wait().transpose());
    }
}

/// Whether the last start in `dir` failed because the port was in use.
pub(super) fn port_was_taken(dir: &Path) -> bool {
    tail(dir).contains("Address already in use")
}

/// Assignments for `env`, so that they reach the server and not its shell.
fn environment(binary: &ServerBinary, clock: Option<&SteppedClock>) -> Result<Vec<String>> {
    let mut variables = Vec::new();
    if let Some(path) = binary.library_path() {
        variables.push(format!("LD_LIBRARY_PATH={}", path.display()));
    }
    if let Some(clock) = clock {
        variables.push(format!("LD_PRELOAD={}", clock::shim()?.display()));
        variables.push(format!("OC_KV_TEST_CLOCK={}", clock.path().display()));
    }
    Ok(variables)
}

/// An error reply, such as `NOAUTH`, is an answer too; one that says `LOADING` is not.
fn answers(listening: &Listening) -> bool {
    let reply = listening.connect().and_then(|mut connection| connection.command(&["PING"]));
    reply.is_ok_and(|reply| !matches!(reply, Reply::Error(text) if text.starts_with("LOADING")))
}

fn ended(status: ExitStatus) -> String {
    if status.code() == Some(clock::NO_CLOCK_FILE) {
        return "could not map its clock's file".to_owned();
    }
    format!("ended with {status}")
}

fn tail(dir: &Path) -> String {
    let log = fs::read(dir.join(LOG_FILE)).unwrap_or_default();
    let start = log.len().saturating_sub(LOG_TAIL);
    String::from_utf8_lossy(log.get(start..).unwrap_or_default()).trim().to_owned()
}
