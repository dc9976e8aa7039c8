use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kv_config::Config;
use serde_json::Value;
use tokio::time::Instant;

use crate::site::{BROKEN, BUSY, EXCLUDED, MOVED, Plan, RETRY_AFTER, Site, name};

const PER_HOST: usize = 2;

/// One host has nearly all pages.
const SMALL: Plan = Plan { hosts: 40, pages_of_first: 600, pages_of_others: 2 };

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_holds_each_hosts_limits_and_visits_small_hosts_beside_a_large_one() {
    let (site, address) = Site::start(SMALL).await;
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    let summary = finish(crawl(folder.path(), address, 200)).await;
    let expected = expected(&SMALL);
    assert_eq!(summary, format!("pages={} {} dead=0", expected.len(), answers(&expected)));
    assert_eq!(pages(folder.path()).await, expected);
    check_limits(&site, begin, 200);
    let seen = site.seen();
    for (host, seen) in seen.iter().enumerate() {
        assert!(seen.answered.values().all(|times| *times == 1), "host {host}: each page once");
        assert_eq!(seen.robots, 1, "host {host}: its rules are asked for once");
        let is_late = host != 0 && host != BUSY && seen.first_by_then > SMALL.pages_of_first / 20;
        assert!(!is_late, "host {host} waited for {} pages of the first", seen.first_by_then);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_that_is_killed_three_times_has_each_page_once() {
    survive(SMALL, 400).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes a minute: run it by hand"]
async fn ten_thousand_pages_of_two_hundred_hosts_survive_three_kills() {
    survive(Plan { hosts: 200, pages_of_first: 9_500, pages_of_others: 3 }, 400).await;
}

async fn survive(plan: Plan, rate: u32) {
    let (site, address) = Site::start(plan).await;
    let folder = tempfile::tempdir().unwrap();
    let begin = Instant::now();
    for kill in 1..=3 {
        let mut child = crawl(folder.path(), address, rate).spawn().unwrap();
        site.asked(kill * plan.pages() / 5).await;
        child.kill().unwrap();
        child.wait().unwrap();
    }
    let summary = finish(crawl(folder.path(), address, rate)).await;
    let expected = expected(&plan);
    assert_eq!(summary, format!("pages={} {} dead=0", expected.len(), answers(&expected)));
    assert_eq!(pages(folder.path()).await, expected);
    check_limits(&site, begin, rate);
    let again: usize =
        site.seen().iter().flat_map(|it| it.answered.values()).map(|it| it - 1).sum();
    let took = begin.elapsed().as_secs_f64();
    println!("pages={} kills=3 fetched_again={again} seconds={took:.1}", expected.len());
}

/// No host was asked for more at a time, or sooner, than allowed.
fn check_limits(site: &Site, begin: Instant, rate: u32) {
    for (host, seen) in site.seen().iter().enumerate() {
        let most = seen.most_running;
        assert!(most <= PER_HOST, "host {host} was asked for {most} pages at a time");
        for (number, time) in (0_u32..).zip(&seen.times) {
            // A start may be seen late, but never early; the file's clock counts milliseconds.
            let due = number * Duration::from_secs(1) / rate;
            let since = time.duration_since(begin) + Duration::from_millis(1);
            assert!(since >= due, "host {host}, start {number}: after {since:?}, due at {due:?}");
        }
    }
    let busy = &site.seen()[BUSY];
    let refused_at = busy.refused_at.unwrap();
    assert!(*busy.times.last().unwrap() >= refused_at + RETRY_AFTER, "it was not left alone");
}

/// The example, which is built beside the tests.
fn program() -> PathBuf {
    let deps = std::env::current_exe().unwrap();
    deps.parent().and_then(Path::parent).unwrap().join("examples/polite")
}

fn crawl(folder: &Path, proxy: SocketAddr, rate: u32) -> Command {
    let mut command = Command::new(program());
    command.args(["--proxy", &format!("http://{proxy}"), "--rate", &rate.to_string()]);
    command.args(["--per-host", &PER_HOST.to_string(), "--concurrency", "16", "--lease", "1"]);
    command.arg("--state").arg(file(folder)).arg("http://site.test/");
    command.stdout(Stdio::piped());
    command
}

fn file(folder: &Path) -> PathBuf {
    folder.join("polite.db")
}

/// Runs a crawl to its end; its last line.
async fn finish(mut command: Command) -> String {
    let child: Child = command.spawn().unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
}

/// The recorded pages: URL and status.
async fn pages(folder: &Path) -> BTreeMap<String, u16> {
    let config = Config::builder().store_type("sqlite").sqlite_path(file(folder)).build().unwrap();
    let pages = config.open().await.unwrap().namespace("pages");
    let (mut found, mut scan) = (BTreeMap::new(), pages.scan("*"));
    while let Some(key) = scan.next().await {
        let record: Value = pages.get(&key.unwrap()).await.unwrap().unwrap();
        let status = record["status"].as_u64().unwrap().try_into().unwrap();
        assert_eq!(found.insert(record["url"].as_str().unwrap().to_owned(), status), None);
    }
    found
}

/// What a crawl has to find: the pages that links lead to, with their answers.
fn expected(plan: &Plan) -> BTreeMap<String, u16> {
    let others =
        (1..plan.hosts).flat_map(|host| (0..plan.pages_of_others).map(move |at| (host, at)));
    let mut next: VecDeque<(usize, usize)> = std::iter::once((0, 0)).chain(others).collect();
    let mut found = BTreeMap::new();
    while let Some((host, number)) = next.pop_front() {
        let path = if (host, number) == (0, 0) { String::new() } else { number.to_string() };
        let status = match number {
            _ if path.starts_with(&EXCLUDED.to_string()) => 0,
            MOVED => 302,
            BROKEN => 404,
            _ => 200,
        };
        found.insert(format!("http://{}/{path}", name(host)), status);
        match status {
            302 => drop(found.insert(format!("http://{}/moved-here", name(host)), 200)),
            200 => {
                let links = 10 * number + 1..=10 * number + 10;
                next.extend(links.filter(|it| *it < plan.pages_of(host)).map(|it| (host, it)));
            }
            _ => {}
        }
    }
    found
}

/// The answers as the summary has them.
fn answers(pages: &BTreeMap<String, u16>) -> String {
    let mut counts = BTreeMap::<u16, usize>::new();
    pages.values().for_each(|status| *counts.entry(*status).or_default() += 1);
    let counts: Vec<String> = counts.iter().map(|(at, count)| format!("{at}:{count}")).collect();
    format!("answers={}", counts.join(","))
}
