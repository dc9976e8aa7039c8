//! `docs/MIGRATING-FROM-PYTHON.md` is run as it stands: its commands and its Python, from top to
//! bottom against one server. Its Rust is a doctest of this crate.

use std::fs;
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use kv_core::ErrorKind;
use kv_testbed::{RedisServer, python, redis_binary};

use crate::service::on;

const GUIDE: &str = include_str!("../../../../docs/MIGRATING-FROM-PYTHON.md");

/// How the guide runs an example; the test has the one that is built beside it.
const CARGO: &str = "cargo run --quiet -p kv-config --features pickle --example from_python -- ";

/// A fenced block: its language and its text.
struct Block {
    language: &'static str,
    text: String,
}

fn blocks() -> Vec<Block> {
    let mut blocks = Vec::new();
    let mut lines = GUIDE.lines();
    while let Some(line) = lines.next() {
        if let Some(language) = line.strip_prefix("```") {
            let body: Vec<&str> = lines.by_ref().take_while(|line| *line != "```").collect();
            blocks.push(Block { language, text: body.join("\n") + "\n" });
        }
    }
    blocks
}

/// A shell in which the guide's programs lead to the test's server and Python.
struct Shell {
    server: RedisServer,
    programs: tempfile::TempDir,
    exports: String,
}

impl Shell {
    fn new() -> Self {
        let server = RedisServer::start().unwrap();
        let programs = tempfile::tempdir().unwrap();
        let redis = redis_binary().unwrap();
        let cli = redis.server().with_file_name("redis-cli");
        let libraries = std::env::join_paths(redis.libraries()).unwrap();
        let deps = std::env::current_exe().unwrap();
        let example = deps.parent().and_then(Path::parent).unwrap().join("examples/from_python");
        assert!(example.is_file(), "`cargo build -p kv-config --all-features --examples` is due");
        let programs_and_lines = [
            (
                "redis-cli",
                format!("LD_LIBRARY_PATH={libraries:?} exec {cli:?} -p {} \"$@\"", server.port()),
            ),
            ("python3", format!("exec {:?} \"$@\"", python().unwrap().interpreter())),
            (
                "cargo",
                format!("while [ \"$1\" != -- ]; do shift; done; shift; exec {example:?} \"$@\""),
            ),
        ];
        for (name, line) in programs_and_lines {
            let path = programs.path().join(name);
            fs::write(&path, format!("#!/bin/sh\n{line}\n")).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        }
        Self { server, programs, exports: String::new() }
    }

    /// Runs a script after all exports before it.
    fn run(&self, script: &str, input: &str) -> Output {
        let port = format!("PORT={}", self.server.port());
        let script = format!("{}{script}", self.exports).replace("PORT=6379", &port);
        let path = std::env::var("PATH").unwrap();
        let mut child = Command::new("sh")
            .args(["-uc", &script])
            .env("PATH", format!("{}:{path}", self.programs.path().display()))
            .env("PYTHONDONTWRITEBYTECODE", "1")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait_with_output().unwrap()
    }

    /// Runs a block of commands; it prints what the guide says, or else ends well.
    fn commands(&mut self, text: &str, expected: Option<&str>) {
        let output = self.run(text, "");
        let printed = String::from_utf8_lossy(&output.stdout);
        let errors = String::from_utf8_lossy(&output.stderr);
        match expected {
            Some(expected) => assert_eq!(printed, expected, "{text}\n{errors}"),
            None => assert!(output.status.success(), "{text}\n{printed}{errors}"),
        }
        let exports = text.lines().filter(|line| line.starts_with("export "));
        self.exports.extend(exports.map(|line| format!("{line}\n")));
    }

    fn python(&self, text: &str) {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/snippet.py");
        let output = self.run(&format!("exec python3 {script:?}"), text);
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{text}\n{errors}");
    }
}

#[test]
fn every_command_and_every_piece_of_python_of_the_guide_does_what_it_says() {
    let mut shell = Shell::new();
    let blocks = blocks();
    for (at, block) in blocks.iter().enumerate() {
        let next = blocks.get(at + 1).filter(|next| next.language == "text");
        match block.language {
            "sh" => shell.commands(&block.text, next.map(|next| &*next.text)),
            "python" => shell.python(&block.text),
            "rust" => {}
            // What a block of commands prints, looked at with that.
            "text" => assert_eq!(blocks[at - 1].language, "sh", "{}", block.text),
            other => panic!("nothing runs a block of {other:?}"),
        }
    }
    let of = |language| blocks.iter().filter(|block| block.language == language).count();
    assert!(of("sh") >= 5 && of("python") >= 4 && of("rust") >= 2);
}

#[test]
fn the_guide_runs_cargo_in_one_way_and_the_manifest_has_that_example() {
    let commands = blocks().into_iter().filter(|block| block.language == "sh");
    let lines: Vec<String> = commands
        .flat_map(|block| block.text.lines().map(str::to_owned).collect::<Vec<_>>())
        .filter(|line| line.contains("cargo "))
        .collect();
    assert!(lines.len() >= 3 && lines.iter().all(|line| line.trim_start().starts_with(CARGO)));
    let manifest = include_str!("../../Cargo.toml");
    assert!(manifest.contains("name = \"from_python\"\nrequired-features = [\"pickle\"]"));
}

#[tokio::test]
async fn the_reader_of_the_guide_reads_and_cannot_write() {
    let server = RedisServer::start().unwrap();
    let line = GUIDE.lines().find_map(|line| line.strip_prefix("redis-cli ACL SETUSER ")).unwrap();
    let rules = line.split(' ').map(|word| word.trim_matches('\''));
    server.cli(&["ACL", "SETUSER"].into_iter().chain(rules).collect::<Vec<_>>()).unwrap();
    server.cli(&["SET", "data_fetcher:k", "1"]).unwrap();
    let variables = [("REDIS_USERNAME", "reader"), ("REDIS_PASSWORD", "look")];
    let both = on(server, &variables).await;
    assert_eq!(both.rust.get("k").await.unwrap(), Some(1));
    assert_eq!(both.rust.set("k", &2).await.unwrap_err().kind(), ErrorKind::Auth);
}
