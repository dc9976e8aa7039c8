//! Where a run took place, without a name that tells whose machine it is.

use std::fs;
use std::process::Command;

use serde::{Deserialize, Serialize};

/// What a reader needs to place the figures.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Machine {
    pub(crate) date: String,
    pub(crate) cores: usize,
    pub(crate) processor: String,
    pub(crate) memory: String,
    pub(crate) kernel: String,
    /// The load average over one minute when the run began.
    pub(crate) load: String,
    pub(crate) rustc: String,
    pub(crate) redis: Option<String>,
    pub(crate) node: Option<String>,
}

impl Machine {
    /// This one; what it does not tell is `unknown`.
    pub(crate) fn look() -> Self {
        Self {
            date: output("date", &["-u", "+%Y-%m-%d %H:%M UTC"]).unwrap_or_else(unknown),
            cores: std::thread::available_parallelism().map_or(1, Into::into),
            processor: field("/proc/cpuinfo", "model name").unwrap_or_else(unknown),
            memory: memory().unwrap_or_else(unknown),
            kernel: kernel().unwrap_or_else(unknown),
            load: first("/proc/loadavg").unwrap_or_else(unknown),
            rustc: output("rustc", &["--version"]).unwrap_or_else(unknown),
            redis: None,
            node: None,
        }
    }
}

/// What a program prints, if it is there.
pub(crate) fn output(program: &str, arguments: &[&str]) -> Option<String> {
    let output = Command::new(program).args(arguments).output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    output.status.success().then(|| text.trim().to_owned())
}

fn unknown() -> String {
    "unknown".to_owned()
}

/// The first word of a file.
fn first(path: &str) -> Option<String> {
    fs::read_to_string(path).ok()?.split_whitespace().next().map(str::to_owned)
}

/// The kernel's version, without what its builder appended.
fn kernel() -> Option<String> {
    first("/proc/sys/kernel/osrelease")?.split('-').next().map(str::to_owned)
}

/// What stands behind `name:` in a file.
fn field(path: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(name))?;
    Some(line.trim_start().strip_prefix(':')?.trim().to_owned())
}

fn memory() -> Option<String> {
    let kib: u64 = field("/proc/meminfo", "MemTotal")?.strip_suffix(" kB")?.parse().ok()?;
    Some(format!("{:.1} GiB", f64::from(u32::try_from(kib / 1024).ok()?) / 1024.0))
}
