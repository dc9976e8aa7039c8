//! Finds a real server, or fetches one without touching the system.

mod debian;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Names the `redis-server` to test against; it wins over everything else.
pub const SERVER_VARIABLE: &str = "OC_KV_TEST_REDIS_SERVER";
/// Names the `valkey-server` to test against; it wins over everything else.
pub const VALKEY_VARIABLE: &str = "OC_KV_TEST_VALKEY_SERVER";

/// Names the `chromium-headless-shell` to test with; it wins over everything else.
pub const BROWSER_VARIABLE: &str = "OC_KV_TEST_CHROMIUM";

/// Who made the server, or the browser.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Maker {
    #[default]
    Redis,
    Valkey,
    Chromium,
}

impl Maker {
    fn program(self) -> &'static str {
        match self {
            Self::Redis => "redis-server",
            Self::Valkey => "valkey-server",
            Self::Chromium => "chromium-headless-shell",
        }
    }

    fn variable(self) -> &'static str {
        match self {
            Self::Redis => SERVER_VARIABLE,
            Self::Valkey => VALKEY_VARIABLE,
            Self::Chromium => BROWSER_VARIABLE,
        }
    }

    pub(crate) fn binary(self) -> Result<ServerBinary> {
        let (program, variable) = (self.program(), self.variable());
        let named = std::env::var_os(variable).map(|path| (variable, path));
        if let Some(found) = installed(program, named, std::env::var_os("PATH")) {
            return found;
        }
        debian::unpacked(self).map_err(|error| {
            Error::new(format!(
                "no {program}: {variable} is not set, PATH has none, and Debian's packages could \
                 not be unpacked in target/redis ({error}); install {program}, or set {variable} \
                 to the path of one"
            ))
        })
    }
}

/// A server that can be started, with its sister programs and shared libraries.
#[derive(Debug, Clone)]
pub struct ServerBinary {
    server: PathBuf,
    libraries: Vec<PathBuf>,
}

impl ServerBinary {
    /// The path of the server.
    pub fn server(&self) -> &Path {
        &self.server
    }

    /// Directories for `LD_LIBRARY_PATH`; empty for a server that the system installed.
    pub fn libraries(&self) -> &[PathBuf] {
        &self.libraries
    }

    /// A command for a program that lies beside the server, such as `redis-cli`.
    pub fn command(&self, program: &str) -> Command {
        let mut command = Command::new(self.server.with_file_name(program));
        command.envs(self.library_path().map(|value| ("LD_LIBRARY_PATH", value)));
        command
    }

    pub(crate) fn library_path(&self) -> Option<OsString> {
        if self.libraries.is_empty() {
            return None;
        }
        std::env::join_paths(&self.libraries).ok()
    }
}

/// Finds a real `redis-server`, fetching one when there is none.
///
/// Looks, in this order, at the variable [`SERVER_VARIABLE`], at `PATH`, and at what was unpacked
/// in `target/redis` before. Failing these it downloads Debian's packages and unpacks them there;
/// nothing is installed. Any number of processes may call it at once: one downloads, the others
/// wait for it.
///
/// # Errors
/// Says what was tried and what to install.
pub fn redis_binary() -> Result<ServerBinary> {
    Maker::Redis.binary()
}

/// The same for a `valkey-server` and [`VALKEY_VARIABLE`]; Debian 12 has it among its backports.
///
/// # Errors
/// Says what was tried and what to install.
pub fn valkey_binary() -> Result<ServerBinary> {
    Maker::Valkey.binary()
}

/// The same for a `chromium-headless-shell` and [`BROWSER_VARIABLE`].
///
/// # Errors
/// Says what was tried and what to install.
pub fn browser_binary() -> Result<ServerBinary> {
    Maker::Chromium.binary()
}

/// What a variable, with its name, and `PATH` lead to; an empty variable counts as unset.
fn installed(
    program: &str,
    named: Option<(&str, OsString)>,
    path: Option<OsString>,
) -> Option<Result<ServerBinary>> {
    let binary = |server| ServerBinary { server, libraries: Vec::new() };
    if let Some((variable, value)) = named.filter(|(_, value)| !value.is_empty()) {
        let server = PathBuf::from(value);
        let missing = format!("{variable} is {}, which is not a file", server.display());
        return Some(if server.is_file() { Ok(binary(server)) } else { Err(Error::new(missing)) });
    }
    std::env::split_paths(&path?)
        .map(|dir| dir.join(program))
        .find(|file| file.is_file())
        .map(|server| Ok(binary(server)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::{SERVER_VARIABLE, installed};

    #[test]
    fn the_variable_wins_over_path_and_path_is_searched_in_order() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        for dir in &dirs[1..] {
            fs::write(dir.path().join("redis-server"), "").unwrap();
        }
        let path = Some(std::env::join_paths(dirs.iter().map(|dir| dir.path())).unwrap());
        let server = |at: usize| dirs[at].path().join("redis-server");
        let found = |named: Option<OsString>| {
            let named = named.map(|value| (SERVER_VARIABLE, value));
            installed("redis-server", named, path.clone()).unwrap().unwrap()
        };
        assert_eq!(found(None).server(), server(1));
        assert_eq!(found(Some("".into())).server(), server(1));
        assert_eq!(found(Some(server(2).into())).server(), server(2));
    }

    #[test]
    fn a_variable_that_names_no_file_is_an_error_that_names_it() {
        let named = Some((SERVER_VARIABLE, "/nowhere/redis".into()));
        let error = installed("redis-server", named, None).unwrap().unwrap_err();
        assert!(error.to_string().contains("OC_KV_TEST_REDIS_SERVER is /nowhere/redis"), "{error}");
        assert!(installed("redis-server", None, Some("/nowhere".into())).is_none());
    }
}
