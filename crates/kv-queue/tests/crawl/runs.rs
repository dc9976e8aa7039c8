//! One crawl at a time: to its end, killed, interrupted, wrongly called.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};

use kv_testbed::RedisServer;

use crate::program::{count, crawl, field, output, program};
use crate::tree::{FILES, expected, odd};

const CONCURRENCY: u64 = 8;

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
fn a_crawl_in_memory_hashes_a_tree_and_says_so_in_its_last_line() {
    let root = odd();
    let output = output(crawl(root.path(), CONCURRENCY, None));
    assert_eq!(count(&output, "files"), FILES as u64 + 1);
    assert_eq!(count(&output, "hashed"), FILES as u64 + 1);
    assert_eq!(count(&output, "bytes"), (0..FILES as u64).map(|n| n * 37).sum::<u64>());
    assert_eq!((count(&output, "resumed"), count(&output, "redelivered")), (0, 0));
    assert_eq!(field(&output, "digest"), expected(root.path()).digest);
}

#[test]
fn a_crawl_that_was_killed_resumes_with_the_same_digest() {
    let root = odd();
    let server = RedisServer::start().unwrap();
    for part in [1, 2, 3] {
        let mut command = crawl(root.path(), CONCURRENCY, Some(server.port()));
        let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        kill_at(child, &server, FILES as u64 * part / 5);
    }
    let done = recorded(&server);
    let last = output(crawl(root.path(), CONCURRENCY, Some(server.port())));
    let remaining = FILES as u64 + 1 - done;
    assert!(done > 0 && remaining > 0, "killed in the middle: {done} done");
    assert!(count(&last, "hashed") <= remaining + CONCURRENCY);
    assert_eq!(count(&last, "resumed"), done);
    assert_eq!(field(&last, "digest"), expected(root.path()).digest);
}

#[test]
fn an_interrupt_stops_the_crawl_gracefully_and_it_can_go_on() {
    let root = odd();
    let server = RedisServer::start().unwrap();
    let mut command = crawl(root.path(), CONCURRENCY, Some(server.port()));
    let mut child = command.stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    let started = lines.find(|line| line.as_ref().is_ok_and(|line| line.starts_with("found")));
    started.unwrap().unwrap();
    let interrupted = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(interrupted.unwrap().success());
    let rest: Vec<_> = lines.map_while(Result::ok).collect();
    assert_eq!(child.wait().unwrap().code(), Some(130), "{rest:?}");
    let last = output(crawl(root.path(), CONCURRENCY, Some(server.port())));
    assert_eq!(count(&last, "redelivered"), 0, "nothing was left leased");
    assert_eq!(field(&last, "digest"), expected(root.path()).digest);
}

#[test]
fn a_second_crawl_of_a_done_tree_hashes_nothing_again() {
    let root = odd();
    let server = RedisServer::start().unwrap();
    output(crawl(root.path(), CONCURRENCY, Some(server.port())));
    let again = output(crawl(root.path(), CONCURRENCY, Some(server.port())));
    assert_eq!((count(&again, "hashed"), count(&again, "resumed")), (0, FILES as u64 + 1));
    assert_eq!(field(&again, "digest"), expected(root.path()).digest);
}

#[test]
fn bad_arguments_and_bad_configuration_are_told_and_end_it() {
    let root = odd();
    let cases: [(&[&str], &str); 5] = [
        (&["--frsh"], "unknown option --frsh"),
        (&["/no/such/directory"], "/no/such/directory"),
        (&["--concurrency", "0", "."], "from 1 to 1024"),
        (&["a", "b"], "more than one DIR"),
        (&["--store", "cloud", "."], "file or memory"),
    ];
    for (arguments, message) in cases {
        let output = Command::new(program()).args(arguments).output().unwrap();
        let errors = String::from_utf8_lossy(&output.stderr);
        assert!(!output.status.success() && errors.contains(message), "{errors}");
    }
    let mut command = crawl(root.path(), CONCURRENCY, None);
    let output = command.env("OC_KV_STORE_TYP", "redis").output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(errors.contains("OC_KV_STORE_TYP") && errors.contains("OC_KV_STORE_TYPE"), "{errors}");
}
