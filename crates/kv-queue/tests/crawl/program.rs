//! The example's program: where it is, how it is started, what it says.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

/// Names another build of the program than the one beside the tests.
const PROGRAM: &str = "OC_KV_SOAK_CRAWL";

/// The example, which is built beside the tests.
pub(crate) fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    let beside = deps.parent().and_then(Path::parent).unwrap().join("examples/crawl");
    std::env::var_os(PROGRAM).map_or(beside, PathBuf::from)
}

/// A crawl of a tree, in memory or on the server with this port.
pub(crate) fn crawl(root: &Path, concurrency: u64, port: Option<u16>) -> Command {
    let mut command = Command::new(program());
    command.args(["--concurrency", &concurrency.to_string()]).arg(root);
    if port.is_none() {
        command.args(["--store", "memory"]);
    }
    if let Some(port) = port {
        command.env("OC_KV_STORE_TYPE", "redis");
        command.env("OC_KV_STORE_REDIS_PORT", port.to_string());
    }
    command
}

/// A crawl of a tree with its state in a file of this folder, as without any option.
pub(crate) fn crawl_in(state: &Path, root: &Path) -> Command {
    let mut command = Command::new(program());
    command.args(["--concurrency", "4"]).arg(root).env("XDG_STATE_HOME", state);
    command
}

pub(crate) fn output(mut command: Command) -> String {
    let output: Output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    String::from_utf8(output.stdout).unwrap()
}

/// A number or word of the summary, which is the last line of the standard output.
pub(crate) fn field<'a>(output: &'a str, name: &str) -> &'a str {
    let summary = output.lines().last().unwrap();
    let field = summary.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    field.unwrap_or_else(|| panic!("no {name} in {summary:?}"))
}

pub(crate) fn count(output: &str, name: &str) -> u64 {
    field(output, name).parse().unwrap()
}
