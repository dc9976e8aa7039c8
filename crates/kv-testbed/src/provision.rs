//! Finds a real `redis-server`, or fetches one without touching the system.

mod debian;

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};

/// Names the `redis-server` to test against; it wins over everything else.
pub const SERVER_VARIABLE: &str = "OC_KV_TEST_REDIS_SERVER";

/// A `redis-server` that can be started, with its sister programs and shared libraries.
#[derive(Debug, Clone)]
pub struct RedisBinary {
    server: PathBuf,
    libraries: Vec<PathBuf>,
}

impl RedisBinary {
    /// The path of `redis-server`.
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
pub fn redis_binary() -> Result<RedisBinary> {
    if let Some(found) = installed(std::env::var_os(SERVER_VARIABLE), std::env::var_os("PATH")) {
        return found;
    }
    debian::unpacked().map_err(|error| {
        Error::new(format!(
            "no redis-server: {SERVER_VARIABLE} is not set, PATH has none, and Debian's packages \
             could not be unpacked in target/redis ({error}); install redis-server, or set \
             {SERVER_VARIABLE} to the path of one"
        ))
    })
}

/// What the two variables lead to; an empty one counts as unset.
fn installed(named: Option<OsString>, path: Option<OsString>) -> Option<Result<RedisBinary>> {
    let binary = |server| RedisBinary { server, libraries: Vec::new() };
    if let Some(server) = named.filter(|value| !value.is_empty()).map(PathBuf::from) {
        let missing = format!("{SERVER_VARIABLE} is {}, which is not a file", server.display());
        return Some(if server.is_file() { Ok(binary(server)) } else { Err(Error::new(missing)) });
    }
    std::env::split_paths(&path?)
        .map(|dir| dir.join("redis-server"))
        .find(|file| file.is_file())
        .map(|server| Ok(binary(server)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;
    use std::fs;

    use super::installed;

    #[test]
    fn the_variable_wins_over_path_and_path_is_searched_in_order() {
        let dirs = [(); 3].map(|()| tempfile::tempdir().unwrap());
        for dir in &dirs[1..] {
            fs::write(dir.path().join("redis-server"), "").unwrap();
        }
        let path = Some(std::env::join_paths(dirs.iter().map(|dir| dir.path())).unwrap());
        let server = |at: usize| dirs[at].path().join("redis-server");
        let found = |named: Option<OsString>| installed(named, path.clone()).unwrap().unwrap();
        assert_eq!(found(None).server(), server(1));
        assert_eq!(found(Some("".into())).server(), server(1));
        assert_eq!(found(Some(server(2).into())).server(), server(2));
    }

    #[test]
    fn a_variable_that_names_no_file_is_an_error_that_names_it() {
        let error = installed(Some("/nowhere/redis".into()), None).unwrap().unwrap_err();
        assert!(error.to_string().contains("OC_KV_TEST_REDIS_SERVER is /nowhere/redis"), "{error}");
        assert!(installed(None, Some("/nowhere".into())).is_none());
    }
}
