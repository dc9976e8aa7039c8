//! Crawls of the site: what they record, and what the site saw of them.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kv_config::Config;
use kv_testbed::RedisServer;
use serde_json::Value;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::site::{BROKEN, BUSY, EXCLUDED, MOVED, Plan, RETRY_AFTER, Site, name};

const PER_HOST: usize = 2;

/// What a host bears in a second, and how long it takes for a page.
#[derive(Clone, Copy)]
struct Pace {
    rate: u32,
    latency: Duration,
}

/// The rate keeps crawls from going on.
const RATE: Pace = Pace { rate: 60, latency: Duration::from_millis(2) };

/// The number of requests at a time keeps crawls from going on.
const AT_A_TIME: Pace = Pace { rate: 1_000, latency: Duration::from_millis(20) };

/// One host has nearly all pages.
const SMALL: Plan = Plan { hosts: 40, pages_of_first: 300, pages_of_others: 2 };

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_holds_each_hosts_limits_and_visits_small_hosts_beside_a_large_one() {
    let (site, address) = Site::start(SMALL, RATE.latency).await;
    let place = Place::file();
    let begin = Instant::now();
    let crawl = Crawl { proxy: address, rate: RATE.rate, concurrency: 16 };
    let summary = end(place.crawl(&crawl)).await;
    check_pages(&place, &SMALL, &[summary]).await;
    check_limits(&site, begin, RATE.rate);
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
    survive(SMALL, &Place::file(), AT_A_TIME, 1).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crawls_side_by_side_on_one_file_share_each_hosts_limits_whichever_is_killed() {
    survive(SMALL, &Place::file(), RATE, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crawls_side_by_side_on_redis_share_each_hosts_rate_whichever_is_killed() {
    survive(SMALL, &Place::redis(), RATE, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn crawls_side_by_side_on_redis_share_each_hosts_concurrency_whichever_is_killed() {
    survive(SMALL, &Place::redis(), AT_A_TIME, 4).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: run it by hand"]
async fn ten_thousand_pages_of_two_hundred_hosts_survive_three_kills() {
    let plan = Plan { hosts: 200, pages_of_first: 9_500, pages_of_others: 3 };
    survive(plan, &Place::file(), AT_A_TIME, 1).await;
}

/// Lets so many processes crawl; three times one of them is killed and started again.
async fn survive(plan: Plan, place: &Place, pace: Pace, processes: usize) {
    let (site, address) = Site::start(plan, pace.latency).await;
    let begin = Instant::now();
    let crawl = Crawl { proxy: address, rate: pace.rate, concurrency: 16 / processes };
    let start = || place.crawl(&crawl);
    let mut children: VecDeque<Running> = (0..processes).map(|_| start()).collect();
    for kill in 1..=3 {
        site.asked(kill * plan.pages() / 5).await;
        drop(children.pop_front());
        children.push_back(start());
    }
    let mut summaries = Vec::new();
    for child in children {
        summaries.push(end(child).await);
    }
    check_pages(place, &plan, &summaries).await;
    check_limits(&site, begin, pace.rate);
    let again: usize =
        site.seen().iter().flat_map(|it| it.answered.values()).map(|it| it - 1).sum();
    let (pages, took) = (plan.pages(), begin.elapsed().as_secs_f64());
    println!("pages={pages} processes={processes} kills=3 again={again} seconds={took:.1}");
}

async fn check_pages(place: &Place, plan: &Plan, summaries: &[String]) {
    let expected = expected(plan);
    let right = format!("pages={} {} dead=0", expected.len(), answers(&expected));
    assert!(summaries.iter().all(|summary| *summary == right), "{summaries:?}, expected {right}");
    assert_eq!(place.pages().await, expected);
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

/// Where crawls keep their queue and their pages.
enum Place {
    File(TempDir),
    Redis(RedisServer),
}

/// What a crawl is told.
struct Crawl {
    proxy: SocketAddr,
    rate: u32,
    concurrency: usize,
}

/// A crawl under way, which is killed when it is dropped.
struct Running(Option<Child>);

impl Drop for Running {
    fn drop(&mut self) {
        if let Some(mut child) = self.0.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Place {
    fn file() -> Self {
        Self::File(tempfile::tempdir().unwrap())
    }

    fn redis() -> Self {
        Self::Redis(RedisServer::start().unwrap())
    }

    fn crawl(&self, crawl: &Crawl) -> Running {
        // The example is built beside the tests.
        let deps = std::env::current_exe().unwrap();
        let program = deps.parent().and_then(Path::parent).unwrap().join("examples/polite");
        let mut command = Command::new(program);
        command.args(["--proxy", &format!("http://{}", crawl.proxy), "--lease", "1"]);
        command.args(["--rate", &crawl.rate.to_string(), "--per-host", &PER_HOST.to_string()]);
        command.args(["--concurrency", &crawl.concurrency.to_string()]);
        match self {
            Self::File(folder) => command.arg("--state").arg(folder.path().join("polite.db")),
            Self::Redis(server) => command
                .env("OC_KV_STORE_TYPE", "redis")
                .env("OC_KV_STORE_REDIS_PORT", server.port().to_string()),
        };
        command.arg("http://site.test/").stdout(Stdio::piped());
        Running(Some(command.spawn().unwrap()))
    }

    /// The recorded pages: URL and status.
    async fn pages(&self) -> BTreeMap<String, u16> {
        let builder = Config::builder();
        let builder = match self {
            Self::File(folder) => {
                builder.store_type("sqlite").sqlite_path(folder.path().join("polite.db"))
            }
            Self::Redis(server) => builder.store_type("redis").redis_port(server.port()),
        };
        let pages = builder.build().unwrap().open().await.unwrap().namespace("pages");
        let (mut found, mut scan) = (BTreeMap::new(), pages.scan("*"));
        while let Some(key) = scan.next().await {
            let record: Value = pages.get(&key.unwrap()).await.unwrap().unwrap();
            let status = record["status"].as_u64().unwrap().try_into().unwrap();
            found.insert(record["url"].as_str().unwrap().to_owned(), status);
        }
        found
    }
}

/// Waits for the end of a crawl; its last line.
async fn end(mut running: Running) -> String {
    let child = running.0.take().unwrap();
    let output = tokio::task::spawn_blocking(|| child.wait_with_output()).await.unwrap().unwrap();
    assert!(output.status.success(), "{}", output.status);
    String::from_utf8(output.stdout).unwrap().lines().last().unwrap().to_owned()
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
