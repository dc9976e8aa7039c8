//! A store that outlives the command, and the command.

use std::io::Write as _;
use std::process::{Command, Stdio};

use kv_testbed::RedisServer;
use serde_json::Value;

pub(crate) struct Place {
    url: String,
    _folder: Option<tempfile::TempDir>,
    server: Option<RedisServer>,
}

/// What a command printed, and how it ended.
pub(crate) struct Ended {
    pub(crate) code: i32,
    pub(crate) out: String,
    pub(crate) err: String,
}

impl Place {
    pub(crate) fn sqlite() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let url = format!("sqlite://{}", folder.path().join("state.db").display());
        Self { url, _folder: Some(folder), server: None }
    }

    pub(crate) fn redis() -> Self {
        let server = RedisServer::start().unwrap();
        Self { url: server.url(), _folder: None, server: Some(server) }
    }

    pub(crate) fn url(&self) -> &str {
        &self.url
    }

    /// The server of a store on Redis.
    pub(crate) fn server(&self) -> &RedisServer {
        self.server.as_ref().unwrap()
    }

    /// Runs the command on this store.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.run_with("", arguments)
    }

    /// The same, with this on its standard input.
    pub(crate) fn run_with(&self, input: &str, arguments: &[&str]) -> Ended {
        run(input, &[("OC_KV_STORE_URL", &self.url)], arguments)
    }

    /// Runs the command, which must succeed, and returns what it printed.
    pub(crate) fn ok(&self, arguments: &[&str]) -> String {
        let ended = self.run(arguments);
        assert_eq!(ended.code, 0, "{arguments:?}: {}", ended.err);
        ended.out
    }

    /// The same, each line as JSON.
    pub(crate) fn json(&self, arguments: &[&str]) -> Vec<Value> {
        let text = self.ok(&[&["--json"], arguments].concat());
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }
}

/// Runs the command with these variables and no others of ours.
pub(crate) fn run(input: &str, variables: &[(&str, &str)], arguments: &[&str]) -> Ended {
    let mut command = Command::new(env!("CARGO_BIN_EXE_oc-kv"));
    command.args(arguments).env_clear().envs(variables.iter().copied());
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // A command that reads nothing may have closed its input already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    let output = child.wait_with_output().unwrap();
    Ended {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}
