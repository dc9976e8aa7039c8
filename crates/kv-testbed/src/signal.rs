//! Signals to other processes, through a shell, which needs no unsafe code.

use std::path::Path;
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::wait::eventually;

const STOP_LIMIT: Duration = Duration::from_secs(60);

/// Suspends a process and returns once it has stopped.
pub(crate) fn pause(pid: u32) -> Result<()> {
    send(pid, "STOP")?;
    eventually(STOP_LIMIT, || is_stopped(pid).then_some(()))
        .ok_or_else(|| Error::new(format!("process {pid} did not stop after SIGSTOP")))
}

/// Lets a suspended process go on.
pub(crate) fn resume(pid: u32) -> Result<()> {
    send(pid, "CONT")
}

fn send(pid: u32, name: &str) -> Result<()> {
    let script = format!("kill -{name} {pid}");
    let status = Command::new("sh")
        .args(["-c", &script])
        .status()
        .map_err(Error::context("cannot run sh"))?;
    if status.success() { Ok(()) } else { Err(Error::new(format!("`{script}` failed"))) }
}

/// Whether a process runs and is not suspended: whoever asks it something gets an answer.
pub(crate) fn is_awake(pid: u32) -> bool {
    state(pid).is_none_or(|state| !"TtZX".contains(state))
}

/// A system without /proc counts as stopped.
fn is_stopped(pid: u32) -> bool {
    state(pid).is_none_or(|state| state == 'T')
}

/// The state that follows the name in parentheses, `X` when there is no such process; `None` on a
/// system without /proc.
fn state(pid: u32) -> Option<char> {
    let proc = Path::new("/proc");
    match std::fs::read_to_string(proc.join(format!("{pid}/stat"))) {
        Ok(stat) => stat.rsplit_once(") ")?.1.chars().next(),
        Err(_) => proc.join("self").exists().then_some('X'),
    }
}
