//! Debian's own packages, downloaded and unpacked into `target/redis`.
//!
//! `apt-get` runs with sources, state, lists and archives of its own, so that it needs no privilege
//! and leaves the system as it was.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::{Maker, ServerBinary};
use crate::error::{Error, Result};
use crate::workdir;

const SOURCES: &str = "/etc/apt/sources.list";
const PARTS: &str = "/etc/apt/sources.list.d";

/// The unpacked server, fetched first when it is not there yet.
pub(super) fn unpacked(maker: Maker) -> Result<ServerBinary> {
    let folder = match maker {
        Maker::Redis => "debian",
        Maker::Valkey => "valkey",
        Maker::Chromium => "chromium",
    };
    let root = workdir::once(folder, |staging| fetch(maker, staging))?;
    Ok(binary_in(maker, &root))
}

fn binary_in(maker: Maker, root: &Path) -> ServerBinary {
    // The browser's program in `usr/bin` is a script that leads out of here.
    let programs = match maker {
        Maker::Redis | Maker::Valkey => "usr/bin",
        Maker::Chromium => "usr/lib/chromium",
    };
    let libraries = folders(&root.join("usr/lib")).flat_map(|folder| {
        // A library that only the libraries of a sound server ask for.
        let within = Some(folder.join("pulseaudio")).filter(|path| path.is_dir());
        std::iter::once(folder).chain(within)
    });
    let libraries = libraries.collect();
    ServerBinary { server: root.join(programs).join(maker.program()), libraries }
}

fn folders(of: &Path) -> impl Iterator<Item = PathBuf> + use<> {
    let entries = fs::read_dir(of).into_iter().flatten().flatten();
    entries.map(|entry| entry.path()).filter(|path| path.is_dir())
}

fn fetch(maker: Maker, staging: &Path) -> Result<PathBuf> {
    let program = maker.program();
    eprintln!("kv-testbed: no {program} here; fetching Debian's packages into target/redis");
    let config = write_config(staging)?;
    let packages: &[&str] = match maker {
        Maker::Redis => &["redis-server", "redis-tools"],
        Maker::Valkey => {
            add_backports(staging)?;
            &["valkey-server", "valkey-tools"]
        }
        Maker::Chromium => &["chromium-headless-shell"],
    };
    apt(&config, &["update"])?;
    apt(&config, &[&["install"][..], packages].concat())?;
    let root = staging.join("root");
    make_dir(&root)?;
    for package in downloads(&staging.join("cache/archives"))? {
        eprintln!("kv-testbed: unpacking {}", package.display());
        run(Command::new("dpkg").arg("-x").arg(&package).arg(&root))?;
    }
    let version = run(binary_in(maker, &root).command(program).arg("--version"))?;
    eprintln!("kv-testbed: {}", version.trim());
    Ok(root)
}

/// Adds the backports of the system's release, from where it has its packages.
fn add_backports(staging: &Path) -> Result<()> {
    let os = fs::read_to_string("/etc/os-release").unwrap_or_default();
    let release = os.lines().find_map(|line| line.strip_prefix("VERSION_CODENAME="));
    let release = release.ok_or_else(|| Error::new("/etc/os-release names no release"))?;
    let parts = fs::read_dir(PARTS).into_iter().flatten().flatten().map(|entry| entry.path());
    for (number, path) in [PathBuf::from(SOURCES)].into_iter().chain(parts).enumerate() {
        let Some(kind) = path.extension().filter(|kind| *kind == "list" || *kind == "sources")
        else {
            continue;
        };
        let sources = fs::read_to_string(&path).unwrap_or_default();
        let copy = staging.join(format!("sources/backports-{number}")).with_extension(kind);
        fs::write(copy, backports(&sources, release.trim_matches('"')))
            .map_err(Error::context("cannot write a list of sources"))?;
    }
    Ok(())
}

/// The same sources for the backports of a release; what is not of the release is left out.
fn backports(sources: &str, release: &str) -> String {
    let of_release = |line: &str| line.split_whitespace().any(|word| word == release);
    let stanzas = sources.split("\n\n").filter(|stanza| stanza.lines().any(of_release));
    let line = |line: &str| match line.split_once(char::is_whitespace) {
        Some(("Suites:", suites)) if of_release(suites) => {
            Some(format!("Suites: {release}-backports"))
        }
        Some(("deb", _)) if of_release(line) => {
            Some(line.replace(&format!(" {release} "), &format!(" {release}-backports ")))
        }
        Some(("deb" | "deb-src", _)) => None,
        _ => Some(line.to_owned()),
    };
    let stanza = |stanza: &str| stanza.lines().filter_map(line).collect::<Vec<_>>().join("\n");
    stanzas.map(stanza).collect::<Vec<_>>().join("\n\n") + "\n"
}

/// Writes the settings that keep `apt-get` inside the staging directory.
fn write_config(staging: &Path) -> Result<PathBuf> {
    make_dir(&staging.join("state/lists/partial"))?;
    make_dir(&staging.join("cache/archives/partial"))?;
    let sources = staging.join("sources");
    make_dir(&sources)?;
    for entry in fs::read_dir(PARTS).into_iter().flatten().flatten() {
        fs::copy(entry.path(), sources.join(entry.file_name()))
            .map_err(Error::context(format!("cannot copy {}", entry.path().display())))?;
    }
    let dir = staging.display();
    let text = format!(
        "Dir::State \"{dir}/state\";\n\
         Dir::State::status \"/var/lib/dpkg/status\";\n\
         Dir::Cache \"{dir}/cache\";\n\
         Dir::Etc::sourceparts \"{dir}/sources\";\n\
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
fn downloads(archives: &Path) -> Result<Vec<PathBuf>> {
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

#[cfg(test)]
mod tests {
    use super::backports;

    #[test]
    fn backports_come_from_where_the_release_comes_from() {
        let stanzas = "Types: deb\n# a mirror\nURIs: http://mirror/debian\nSuites: one one-updates\n\
                       Components: main\nSigned-By: /a.gpg\n\n\
                       Types: deb\nURIs: http://mirror/security\nSuites: one-security\n";
        let expected = "Types: deb\n# a mirror\nURIs: http://mirror/debian\nSuites: one-backports\n\
                        Components: main\nSigned-By: /a.gpg\n";
        assert_eq!(backports(stanzas, "one"), expected);
        let lines = "# all\ndeb [signed-by=/a.gpg] http://mirror/debian one main\n\
                     deb-src http://mirror/debian one main\n\
                     deb http://mirror/security one-security main\n";
        let expected = "# all\ndeb [signed-by=/a.gpg] http://mirror/debian one-backports main\n";
        assert_eq!(backports(lines, "one"), expected);
    }
}
