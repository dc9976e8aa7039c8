//! Signals to other processes, through a shell, which needs no unsafe code.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use crate::error::{Error, Result};
use crate::wait::eventually;

const STOP_LIMIT: Duration = Duration::from_secs(10);

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

/// Reads the state that follows the name in parentheses; a system without /proc counts as stopped.
pub(crate) fn is_stopped(pid: u32) -> bool {
    let stat = PathBuf::from(format!("/proc/{pid}/stat"));
    std::fs::read_to_string(stat)
        .map_or(true, |stat| stat.rsplit_once(") ").is_none_or(|(_, rest)| rest.starts_with('T')))
}
