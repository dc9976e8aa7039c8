//! `bench`: runs the benchmarks, and writes their page.
//!
//! `bench build` measures builds. `bench store`, `bench queue` and `bench report`, with what follows, go
//! to the program of `kv-bench`. The peers are built, and the packages of Node fetched, only when they
//! are to run.

mod build;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::{Outcome, shell};

/// The package of the Rust peers, which is none of the workspace.
const PEERS: &str = "crates/kv-bench/peers";

pub(crate) fn run(arguments: &[String]) -> Outcome {
    if let Some((verb, rest)) = arguments.split_first()
        && verb == "build"
    {
        return build::run(rest);
    }
    shell::cargo(&["build", "--quiet", "--release", "--package", "kv-bench"])?;
    let mut line = arguments.to_vec();
    if wants_peers(arguments) {
        for (option, program) in [("--rust-peers", rust_peers()), ("--node-peers", node_peers())] {
            match program {
                Ok(program) => line.extend([option.to_owned(), text(&program)]),
                // The page tells which were not run.
                Err(why) => println!("without {option}: {why}"),
            }
        }
    }
    let program = shell::root().join("target/release/kv-bench");
    let status = Command::new(&program).args(&line).current_dir(shell::root()).status();
    let status = status.map_err(|why| format!("cannot start {}: {why}", program.display()))?;
    if status.success() { Ok(()) } else { Err(format!("kv-bench failed ({status})")) }
}

/// Whether the scenario of the peers is among those that are asked for.
fn wants_peers(arguments: &[String]) -> bool {
    let only = arguments.windows(2).find(|pair| pair[0] == "--only").map(|pair| &pair[1]);
    let is_queue = arguments.first().is_some_and(|verb| verb == "queue");
    is_queue && only.is_none_or(|names| names.split(',').any(|name| name == "peers"))
}

/// Builds the Rust peers, with dependencies and a lock file of their own.
fn rust_peers() -> Result<PathBuf, String> {
    let target = shell::root().join("target/bench/peers");
    let manifest = format!("{PEERS}/Cargo.toml");
    let folder = text(&target);
    let place = ["--manifest-path", &manifest, "--target-dir", &folder];
    shell::cargo(&[&["build", "--quiet", "--release", "--locked"][..], &place].concat())?;
    Ok(target.join("release/kv-bench-peers"))
}

/// Fetches the packages of the Node peers; their script, beside the packages.
fn node_peers() -> Result<PathBuf, String> {
    let target = shell::root().join("target/bench/node");
    fs::create_dir_all(&target).map_err(|why| format!("{}: {why}", target.display()))?;
    for file in ["package.json", "peer.mjs"] {
        let source = shell::root().join(PEERS).join("node").join(file);
        fs::copy(&source, target.join(file))
            .map_err(|why| format!("{}: {why}", source.display()))?;
    }
    need("node", &["--version"], &target)?;
    need("npm", &["install", "--no-audit", "--no-fund", "--loglevel=error"], &target)?;
    Ok(target.join("peer.mjs"))
}

fn need(program: &str, arguments: &[&str], folder: &Path) -> Outcome {
    let line = format!("{program} {}", arguments.join(" "));
    let status = Command::new(program).args(arguments).current_dir(folder).status();
    let status = status.map_err(|why| format!("cannot start `{line}`: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}

fn text(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_are_built_only_for_a_run_that_has_them() {
        let wants =
            |line: &str| wants_peers(&line.split(' ').map(str::to_owned).collect::<Vec<_>>());
        assert!(wants("queue --rounds 3") && wants("queue --only bulk,peers"));
        assert!(!wants("queue --only process,bulk") && !wants("store") && !wants("report"));
    }
}
