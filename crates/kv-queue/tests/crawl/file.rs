//! The crawl with nothing installed: its state is in one file.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Stdio};
use std::time::Duration;

use kv_core::{KeyValueStore, Pattern, ScanRequest};

use crate::program::{count, crawl_in, field, output};
use crate::tree::{FILES, expected, odd};

const ALL: u64 = FILES as u64 + 1;

/// The one database file in the state folder.
fn database(state: &Path) -> Option<PathBuf> {
    let files = std::fs::read_dir(state.join("oc-kv")).ok()?;
    let mut paths = files.map(|file| file.unwrap().path());
    paths.find(|path| path.extension().is_some_and(|extension| extension == "db"))
}

/// How many files the store says are done.
async fn recorded(path: &Path) -> u64 {
    let Ok(store) = kv_sqlite::SqliteStore::open(path).await else { return 0 };
    let pattern = Pattern::new("processed:*").unwrap();
    let (mut done, mut cursor) = (0, None);
    loop {
        let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit: 1_000 };
        let page = store.scan(request).await.unwrap();
        done += page.keys.len() as u64;
        cursor = page.next;
        if cursor.is_none() {
            return done;
        }
    }
}

async fn kill_at(mut child: Child, state: &Path, files: u64) {
    let reached = async {
        while child.try_wait().unwrap().is_none() {
            if let Some(path) = database(state)
                && recorded(&path).await >= files
            {
                return;
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reached).await.unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
}

#[tokio::test]
async fn a_crawl_that_was_killed_resumes_from_its_file_with_the_same_digest() {
    let (state, root) = (tempfile::tempdir().unwrap(), odd());
    for part in [1, 2, 3] {
        let mut command = crawl_in(state.path(), root.path());
        let child = command.stderr(Stdio::null()).stdout(Stdio::null()).spawn().unwrap();
        kill_at(child, state.path(), ALL * part / 5).await;
    }
    let done = recorded(&database(state.path()).unwrap()).await;
    let last = output(crawl_in(state.path(), root.path()));
    assert!(done > 0 && done < ALL, "killed in the middle: {done} done");
    assert_eq!(count(&last, "resumed"), done);
    assert!(count(&last, "hashed") <= ALL - done + 4);
    assert_eq!(field(&last, "digest"), expected(root.path()).digest);
    let mut fresh = crawl_in(state.path(), root.path());
    fresh.arg("--fresh");
    assert_eq!(count(&output(fresh), "hashed"), ALL, "it starts anew");
}

#[test]
fn the_start_tells_where_the_state_is_and_how_to_remove_it() {
    let (state, root) = (tempfile::tempdir().unwrap(), odd());
    let told = crawl_in(state.path(), root.path()).output().unwrap();
    assert!(told.status.success());
    let lines = BufReader::new(&*told.stderr).lines().map_while(Result::ok);
    let mut commands =
        lines.filter_map(|line| line.split_once("to remove it: ").map(|it| it.1.to_owned()));
    let command = commands.next().unwrap();
    assert!(database(state.path()).is_some());
    let removed = std::process::Command::new("sh").args(["-c", &command]).status().unwrap();
    assert!(removed.success());
    assert_eq!(std::fs::read_dir(state.path().join("oc-kv")).unwrap().count(), 0, "{command}");
}

#[test]
fn three_crawls_side_by_side_share_the_work() {
    let (state, root) = (tempfile::tempdir().unwrap(), odd());
    let start = |_| {
        let mut command = crawl_in(state.path(), root.path());
        command.stderr(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
    };
    let crawls: Vec<Child> = (0..3).map(start).collect();
    let (mut hashed, mut again) = (0, 0);
    for crawl in crawls {
        let ended = crawl.wait_with_output().unwrap();
        assert!(ended.status.success());
        let said = String::from_utf8(ended.stdout).unwrap();
        hashed += count(&said, "hashed");
        again += count(&said, "redelivered");
        assert_eq!(field(&said, "digest"), expected(root.path()).digest);
    }
    assert!((ALL..=ALL + again).contains(&hashed), "{hashed} hashed, {again} of them again");
}
