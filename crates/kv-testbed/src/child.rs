//! A test of the running binary, once more, in a process that can be stopped and killed.

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, sync_channel};
use std::time::Duration;

use crate::error::{Error, Result};
use crate::signal;

/// Far longer than anything that a child says takes to come.
const LIMIT: Duration = Duration::from_secs(60);
/// Lines that a child may be ahead; then its output waits.
const LINES_AHEAD: usize = 64;

/// Becomes the program, with a file of its own in place of `/etc/hosts`. Not every root may have a
/// namespace of users.
const OWN_HOSTS: &str = r#"
unshare --mount true 2>/dev/null || user=--map-root-user
exec unshare $user --mount sh -c 'mount --bind "$1" /etc/hosts && shift && exec "$@"' sh "$@"
"#;

/// Becomes the program, after a script in a namespace of mounts of its own.
const OWN_MOUNTS: &str = r#"
unshare --mount true 2>/dev/null || user=--map-root-user
exec unshare $user --mount sh -c "$1"' && shift && exec "$@"' sh "$@"
"#;

/// One test of the running test binary, started again in a process of its own.
///
/// The test that is to run so looks for a variable and returns at once without it, so that it
/// passes as a test. With it, it tells its parent lines of the form `name=value`, which
/// [`say`](Self::say) prints, and reads what it is told from its standard input. Its process is
/// killed (SIGKILL) when this value is dropped; when the parent dies without dropping it, the child reads
/// the end of its input.
#[derive(Debug)]
pub struct ChildTest {
    child: Child,
    input: Option<ChildStdin>,
    lines: Receiver<String>,
}

impl ChildTest {
    /// Starts the test with this full name, such as `module::name`, with variables set.
    ///
    /// # Errors
    /// When the process cannot be started.
    pub fn start(test: &str, variables: &[(&str, &str)]) -> Result<Self> {
        Self::spawn(Command::new(this_program()?), test, variables)
    }

    /// [`start`](Self::start) with this file in place of `/etc/hosts`: what is written into it
    /// later tells where names lead from then on.
    ///
    /// This is Linux's alone, and takes root, or a system that lets every user have namespaces.
    ///
    /// # Errors
    /// When the process cannot be started. One that cannot have its own `/etc/hosts` ends at once,
    /// and says why on its standard error.
    pub fn start_with_hosts(test: &str, variables: &[(&str, &str)], hosts: &Path) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", OWN_HOSTS, "own-hosts"]).arg(hosts).arg(this_program()?);
        Self::spawn(command, test, variables)
    }

    /// [`start`](Self::start) after a script of the shell that mounts what only the child sees.
    ///
    /// This is Linux's alone, and takes root, or a system that lets every user have namespaces.
    ///
    /// # Errors
    /// When the process cannot be started. One whose script fails ends at once, and says why on its
    /// standard error.
    pub fn start_with_mounts(test: &str, variables: &[(&str, &str)], script: &str) -> Result<Self> {
        let mut command = Command::new("sh");
        command.args(["-c", OWN_MOUNTS, "own-mounts", script]).arg(this_program()?);
        Self::spawn(command, test, variables)
    }

    fn spawn(mut command: Command, test: &str, variables: &[(&str, &str)]) -> Result<Self> {
        let mut child = command
            .args(["--exact", test, "--nocapture"])
            .envs(variables.iter().copied())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(Error::context(format!("cannot start the test {test}")))?;
        let (input, output) = (child.stdin.take(), child.stdout.take());
        let output = output.ok_or_else(|| Error::new("the test has no output"))?;
        let (sender, lines) = sync_channel(LINES_AHEAD);
        std::thread::spawn(move || {
            let lines = BufReader::new(output).lines().map_while(std::result::Result::ok);
            lines.take_while(|line| sender.send(line.clone()).is_ok()).for_each(drop);
        });
        Ok(Self { child, input, lines })
    }

    /// In the child: tells the parent a value.
    pub fn say(name: &str, value: impl std::fmt::Display) {
        // The harness may have begun a line of its own.
        println!("\n{name}={value}");
    }

    /// In the child: waits for a line from the parent; `None` when the parent is gone.
    pub fn told() -> Option<String> {
        let mut line = String::new();
        let read = std::io::stdin().read_line(&mut line).ok()?;
        (read > 0).then(|| line.trim_end().to_owned())
    }

    /// Waits for the value that the child says under this name; lines before it are dropped.
    ///
    /// # Errors
    /// When the child ends without, or takes more than a minute.
    pub fn hear(&mut self, name: &str) -> Result<String> {
        loop {
            let line = self.lines.recv_timeout(LIMIT).map_err(|error| match error {
                RecvTimeoutError::Timeout => Error::new(format!("the child says no {name}")),
                RecvTimeoutError::Disconnected => {
                    Error::new(format!("the child ended without saying {name}"))
                }
            })?;
            if let Some(value) = line.strip_prefix(name).and_then(|rest| rest.strip_prefix('=')) {
                return Ok(value.to_owned());
            }
        }
    }

    /// Sends the child a line.
    ///
    /// # Errors
    /// When it has ended.
    pub fn tell(&mut self, line: &str) -> Result<()> {
        let input = self.input.as_mut().ok_or_else(|| Error::new("the test has no input"))?;
        writeln!(input, "{line}").map_err(Error::context("the child does not listen"))
    }

    /// Suspends the child (SIGSTOP); returns once it has stopped.
    ///
    /// # Errors
    /// When it has ended.
    pub fn pause(&self) -> Result<()> {
        signal::pause(self.child.id())
    }

    /// Lets a suspended child go on (SIGCONT).
    ///
    /// # Errors
    /// When it has ended.
    pub fn resume(&self) -> Result<()> {
        signal::resume(self.child.id())
    }

    /// Waits for the child's end; whether it was a success.
    ///
    /// # Errors
    /// When it does not end within a minute.
    pub fn ended(&mut self) -> Result<bool> {
        self.input = None;
        let status = crate::eventually(LIMIT, || self.child.try_wait().transpose());
        let status = status.ok_or_else(|| Error::new("the child does not end"))?;
        Ok(status.map_err(Error::context("cannot wait for the child"))?.success())
    }
}

fn this_program() -> Result<PathBuf> {
    std::env::current_exe().map_err(Error::context("cannot find the test"))
}

impl Drop for ChildTest {
    fn drop(&mut self) {
        // Both fail when it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
