//! Debian's own packages, downloaded and unpacked into `target/redis/debian`.
//!
//! `apt-get` runs with state, lists and archives of its own, so that it needs no privilege and
//! leaves the system as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::RedisBinary;
use crate::error::{Error, Result};
use crate::workdir;

const NAME: &str = "debian";

/// The unpacked server, fetched first when it is not there yet.
pub(super) fn unpacked() -> Result<RedisBinary> {
    let root = workdir::once(NAME, fetch)?;
    Ok(binary_in(&root))
}

fn binary_in(root: &Path) -> RedisBinary {
    let libraries = fs::read_dir(root.join("usr/lib"))
        .into_iter()
        .flatten()
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.is_dir())
        .collect();
    RedisBinary { server: root.join("usr/bin/redis-server"), libraries }
}

fn fetch(staging: &Path) -> Result<PathBuf> {
    eprintln!("kv-testbed: no redis-server here; fetching Debian's packages into target/redis");
    let config = write_config(staging)?;
    apt(&config, &["update"])?;
    apt(&config, &["install", "redis-server", "redis-tools"])?;
    let root = staging.join("root");
    make_dir(&root)?;
    for package in packages(&staging.join("cache/archives"))? {
        eprintln!("kv-testbed: unpacking {}", package.display());
        run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    }
    let version = run(binary_in(&root).command("redis-server").arg("--version"))?;
    eprintln!("kv-testbed: {}", version.trim());
    Ok(root)
}

/// Writes the settings that keep `apt-get` inside the staging directory.
fn write_config(staging: &Path) -> Result<PathBuf> {
    make_dir(&staging.join("state/lists/partial"))?;
    make_dir(&staging.join("cache/archives/partial"))?;
    let dir = staging.display();
    let text = format!(
        "Dir::State \"{dir}/state\";\n\
         Dir::State::status \"/var/lib/dpkg/status\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Debug::NoLocking \"true\";\n\
         APT::Sandbox::User \"root\";\n\
         APT::Keep-Downloaded-Packages \"true\";\n\
         APT::Install-Recommends \"false\";\n\
         APT::Get::Download-Only \"true\";\n\
         APT::Get::ReInstall \"true\";\n\
         APT::Get::Assume-Yes \"true\";\n\
         Acquire::Languages \"none\";\n\
         Acquire::Retries \"2\";\n\
         Acquire::http::Timeout \"60\";\n\
         #clear APT::Update::Pre-Invoke;\n\
         #clear APT::Update::Post-Invoke;\n\
         #clear APT::Update::Post-Invoke-Success;\n\
         #clear DPkg::Post-Invoke;\n"
    );
    let path = staging.join("apt.conf");
    fs::write(&path, text).map_err(Error::context(format!("cannot write {}", path.display())))?;
    Ok(path)
}

fn apt(config: &Path, arguments: &[&str]) -> Result<String> {
    run(Command::new("apt-get").arg("-c").arg(config).arg("-q").args(arguments))
}

/// The server, its tools, and those shared libraries that the system lacks.
fn packages(archives: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(archives).map_err(Error::context("cannot list the downloads"))?;
    let packages: Vec<PathBuf> = entries
        .flatten()
        .map(|entry| entry.path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "deb"))
        .collect();
    if packages.is_empty() {
        return Err(Error::new("apt-get succeeded but downloaded no package"));
    }
    Ok(packages)
}

fn make_dir(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(Error::context(format!("cannot make {}", path.display())))
}

/// Runs a command to its end and returns what it printed.
fn run(command: &mut Command) -> Result<String> {
    let output = command.output().map_err(Error::context(format!("cannot run {command:?}")))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    Err(Error::new(format!("{command:?} ended with {}: {}", output.status, errors.trim())))
}
