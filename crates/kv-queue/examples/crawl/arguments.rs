//! The command line.

use std::path::{Path, PathBuf};

use kv_core::BoxError;

const USAGE: &str = "usage: crawl [--fresh] [--concurrency N] [--store file|memory] [DIR]
  DIR            the tree to hash; default: the cargo registry, else the current directory
  --fresh        forget what an earlier run of DIR recorded
  --concurrency  how many files at a time, 1 to 1024; default 16
  --store        where the queue and the results are, unless OC_KV_STORE_* says so: in a file of the
                 state folder, the default, or in memory, which ends with the process";

pub(crate) struct Arguments {
    pub(crate) root: PathBuf,
    pub(crate) fresh: bool,
    pub(crate) concurrency: usize,
    pub(crate) in_memory: bool,
}

impl Arguments {
    pub(crate) fn from_command_line() -> Result<Self, BoxError> {
        let mut given = std::env::args_os().skip(1);
        let (mut root, mut fresh, mut concurrency, mut in_memory) = (None, false, 16, false);
        while let Some(argument) = given.next() {
            match argument.to_str() {
                Some("--fresh") => fresh = true,
                Some("--concurrency") => concurrency = number(given.next().as_deref())?,
                Some("--store") => in_memory = is_memory(given.next().as_deref())?,
                Some("--help") => return Err(USAGE.into()),
                Some(option) if option.starts_with('-') => {
                    return Err(format!("unknown option {option}\n{USAGE}").into());
                }
                _ if root.is_some() => return Err(format!("more than one DIR\n{USAGE}").into()),
                _ => root = Some(PathBuf::from(argument)),
            }
        }
        let root = root.unwrap_or_else(default_root);
        let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
        if !root.is_dir() {
            return Err(format!("{} is no directory\n{USAGE}", root.display()).into());
        }
        Ok(Self { root, fresh, concurrency, in_memory })
    }
}

fn number(value: Option<&std::ffi::OsStr>) -> Result<usize, BoxError> {
    let number = value.and_then(|value| value.to_str()?.parse().ok());
    number
        .filter(|number| (1..=1024).contains(number))
        .ok_or_else(|| format!("--concurrency expects a number from 1 to 1024\n{USAGE}").into())
}

fn is_memory(value: Option<&std::ffi::OsStr>) -> Result<bool, BoxError> {
    match value.and_then(|value| value.to_str()) {
        Some("memory") => Ok(true),
        Some("file") => Ok(false),
        _ => Err(format!("--store expects file or memory\n{USAGE}").into()),
    }
}

/// The machine's cargo registry if there is one, else the current directory.
fn default_root() -> PathBuf {
    let home = std::env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(Path::new(&std::env::var_os("HOME")?).join(".cargo")));
    home.map(|home| home.join("registry"))
        .filter(|path| path.is_dir())
        .unwrap_or_else(|| ".".into())
}
