//! The crawl as a person runs it: the built program, a real tree, a real server, real kills.

#![cfg(test)]

use std::fs;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};

use kv_testbed::RedisServer;
use sha2::{Digest, Sha256};
use tempfile::TempDir;

const FILES: usize = 400;
const CONCURRENCY: u64 = 8;

/// A tree with what real trees have: depth, empty files and directories, odd names, links.
fn tree() -> TempDir {
    let root = TempDir::new().unwrap();
    for number in 0..FILES {
        let directory = root.path().join(format!("d{}/e{}", number % 7, number % 13));
        fs::create_dir_all(&directory).unwrap();
        fs::write(directory.join(format!("file {number}")), "x".repeat(number * 37)).unwrap();
    }
    fs::create_dir(root.path().join("empty")).unwrap();
    fs::write(root.path().join("d0/ü[*]?"), "").unwrap();
    std::os::unix::fs::symlink("d0", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", root.path().join("d1/dangling")).unwrap();
    root
}

/// The digest by its definition, without the crawl.
fn expected(root: &Path) -> String {
    let mut lines = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else {
                let hash = hex(&Sha256::digest(fs::read(&path).unwrap()));
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                lines.push(format!("{name} {hash}\n"));
            }
        }
    }
    lines.sort_unstable();
    hex(&Sha256::digest(lines.concat()))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The example, which is built beside the tests.
fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    deps.parent().and_then(Path::parent).unwrap().join("examples/crawl")
}

fn crawl(root: &Path, server: Option<&RedisServer>) -> Command {
    let mut command = Command::new(program());
    command.args(["--concurrency", &CONCURRENCY.to_string()]).arg(root);
    if let Some(server) = server {
        command.env("OC_KV_STORE_TYPE", "redis");
        command.env("OC_KV_STORE_REDIS_PORT", server.port().to_string());
    }
    command
}

fn output(mut command: Command) -> Output {
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}: {errors}", output.status);
    output
}

/// A number or word of the summary, which is the last line of the standard output.
fn field<'a>(output: &'a Output, name: &str) -> &'a str {
    let text = std::str::from_utf8(&output.stdout).unwrap();
    let summary = text.lines().last().unwrap();
    let field = summary.split(' ').find_map(|field| field.strip_prefix(name)?.strip_prefix('='));
    field.unwrap_or_else(|| panic!("no {name} in {summary:?}"))
}

fn count(output: &Output, name: &str) -> u64 {
    field(output, name).parse().unwrap()
}

/// How many files the store says are done.
fn recorded(server: &RedisServer) -> u64 {
    let script = "return #redis.call('KEYS', 'data_fetcher:processed:*')";
    let count = server.cli(&["EVAL", script, "0"]).unwrap();
    u64::try_from(count.integer().unwrap()).unwrap()
}

/// Kills the crawl when it has recorded this many files.
fn kill_at(mut child: Child, server: &RedisServer, files: u64) {
    let reached = kv_testbed::eventually(std::time::Duration::from_secs(60), || {
        (recorded(server) >= files || child.try_wait().unwrap().is_some()).then_some(())
    });
    child.kill().unwrap();
    child.wait().unwrap();
    reached.unwrap();
}

#[test]
fn the_embedded_default_hashes_a_tree_and_says_so_in_its_last_line() {
    let root = tree();
    let output = output(crawl(root.path(), None));
    assert_eq!(count(&output, "files"), FILES as u64 + 1);
    assert_eq!(count(&output, "hashed"), FILES as u64 + 1);
    assert_eq!(count(&output, "bytes"), (0..FILES as u64).map(|n| n * 37).sum::<u64>());
    assert_eq!((count(&output, "resumed"), count(&output, "redelivered")), (0, 0));
    assert_eq!(field(&output, "digest"), expected(root.path()));
}

#[test]
fn a_crawl_that_was_killed_resumes_with_the_same_digest() {
    let root = tree();
    let server = RedisServer::start().unwrap();
    for part in [1, 2, 3] {
        let mut command = crawl(root.path(), Some(&server));
        let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        kill_at(child, &server, FILES as u64 * part / 5);
    }
    let done = recorded(&server);
    let last = output(crawl(root.path(), Some(&server)));
    let remaining = FILES as u64 + 1 - done;
    assert!(done > 0 && remaining > 0, "killed in the middle: {done} done");
    assert!(count(&last, "hashed") <= remaining + CONCURRENCY);
    assert_eq!(count(&last, "resumed"), done);
    assert_eq!(field(&last, "digest"), expected(root.path()));
}

#[test]
fn an_interrupt_stops_the_crawl_gracefully_and_it_can_go_on() {
    let root = tree();
    let server = RedisServer::start().unwrap();
    let mut command = crawl(root.path(), Some(&server));
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("found")));
    started.unwrap().unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let last = output(crawl(root.path(), Some(&server)));
    assert_eq!(count(&last, "redelivered"), 0, "nothing was left leased");
    assert_eq!(field(&last, "digest"), expected(root.path()));
}

#[test]
fn a_second_crawl_of_a_done_tree_hashes_nothing_again() {
    let root = tree();
    let server = RedisServer::start().unwrap();
    output(crawl(root.path(), Some(&server)));
    let again = output(crawl(root.path(), Some(&server)));
    assert_eq!((count(&again, "hashed"), count(&again, "resumed")), (0, FILES as u64 + 1));
    assert_eq!(field(&again, "digest"), expected(root.path()));
}

#[test]
fn bad_arguments_and_bad_configuration_are_told_and_end_it() {
    let root = tree();
    let cases: [(&[&str], &str); 4] = [
        (&["--frsh"], "unknown option --frsh"),
        (&["/no/such/directory"], "/no/such/directory"),
        (&["--concurrency", "0", "."], "from 1 to 1024"),
        (&["a", "b"], "more than one DIR"),
    ];
    for (arguments, message) in cases {
        let output = Command::new(program()).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(message), "{errors}");
    }
    let mut command = crawl(root.path(), None);
    let output = command.env("OC_KV_STORE_TYP", "redis").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("OC_KV_STORE_TYP") && errors.contains("OC_KV_STORE_TYPE"), "{errors}");
}
