//! The crawlers: processes that are started, killed, and started again.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus};
use std::time::Duration;

use kv_testbed::eventually;
use tempfile::TempDir;

use crate::program::crawl;

const CONCURRENCY: u64 = 16;

/// The most jobs that one crawler has in flight: those that run, and as many that are done and
/// being settled.
pub(super) const IN_FLIGHT: u64 = 2 * CONCURRENCY;

/// How often a crawler may end by itself with an error, as it does when it starts while the
/// server is away.
const MOST_RESTARTS: usize = 200;

/// A number of crawlers of one tree on one server. What they say is kept in files, so that also
/// the last words of one that was killed can be read.
pub(super) struct Fleet {
    root: PathBuf,
    port: u16,
    logs: TempDir,
    started: usize,
    restarts: usize,
    crawlers: Vec<Crawler>,
}

struct Crawler {
    child: Child,
    log: PathBuf,
}

impl Fleet {
    pub(super) fn start(root: &Path, port: u16, crawlers: usize) -> Self {
        let (root, logs) = (root.to_owned(), TempDir::new().unwrap());
        let mut fleet = Self { root, port, logs, started: 0, restarts: 0, crawlers: Vec::new() };
        for _ in 0..crawlers {
            let crawler = fleet.crawler();
            fleet.crawlers.push(crawler);
        }
        fleet
    }

    fn crawler(&mut self) -> Crawler {
        self.started += 1;
        let log = self.logs.path().join(self.started.to_string());
        let mut command = crawl(&self.root, CONCURRENCY, Some(self.port));
        command.stdout(File::create(log.with_extension("out")).unwrap());
        command.stderr(File::create(log.with_extension("err")).unwrap());
        Crawler { child: command.spawn().unwrap(), log }
    }

    /// Kills one crawler (SIGKILL); [`fill`](Self::fill) starts another in its place.
    pub(super) fn kill(&mut self, number: usize) {
        let crawler = &mut self.crawlers[number];
        crawler.child.kill().unwrap();
        crawler.child.wait().unwrap();
    }

    pub(super) fn kill_all(&mut self) {
        for crawler in &mut self.crawlers {
            crawler.child.kill().unwrap();
        }
        (0..self.crawlers.len()).for_each(|number| self.kill(number));
    }

    /// Starts a crawler in the place of each that was killed or failed.
    pub(super) fn fill(&mut self) {
        for number in 0..self.crawlers.len() {
            match self.crawlers[number].child.try_wait().unwrap() {
                Some(status) if !status.success() => self.replace(number, status),
                Some(_) | None => {}
            }
        }
    }

    fn replace(&mut self, number: usize, status: ExitStatus) {
        let crawler = self.crawler();
        let gone = std::mem::replace(&mut self.crawlers[number], crawler);
        if status.code().is_some() {
            self.restarts += 1;
            let said = fs::read_to_string(gone.log.with_extension("err")).unwrap();
            assert!(self.restarts <= MOST_RESTARTS, "crawlers fail too often: {said}");
            println!("          worker {number} ended by itself: {}", last_error(&said));
        }
    }

    /// Waits until all crawlers have come to their end; their summaries.
    pub(super) fn end(&mut self, limit: Duration) -> Vec<String> {
        let all = eventually(limit, || {
            self.fill();
            let ended =
                |it: &mut Crawler| it.child.try_wait().unwrap().is_some_and(|it| it.success());
            self.crawlers.iter_mut().all(ended).then_some(())
        });
        all.unwrap_or_else(|| panic!("the crawlers did not end in {limit:?}"));
        let said = |it: &Crawler| fs::read_to_string(it.log.with_extension("out")).unwrap();
        self.crawlers.iter().map(said).collect()
    }

    /// The most jobs that all crawlers have in flight.
    pub(super) const fn in_flight(&self) -> u64 {
        self.crawlers.len() as u64 * IN_FLIGHT
    }

    /// How often a crawler ended by itself, with an error.
    pub(super) const fn restarts(&self) -> usize {
        self.restarts
    }

    /// How many deliveries all crawlers had, killed ones included, that were not the first of
    /// their job.
    pub(super) fn redelivered(&self) -> u64 {
        let log = |number: usize| self.logs.path().join(format!("{number}.err"));
        let said = (1..=self.started).map(|number| fs::read_to_string(log(number)).unwrap());
        let again = |said: String| said.lines().filter(|line| line.starts_with("again: ")).count();
        said.map(|said| again(said) as u64).sum()
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        for crawler in &mut self.crawlers {
            // Both fail when it has ended and was waited for.
            let _ = crawler.child.kill();
            let _ = crawler.child.wait();
        }
    }
}

fn last_error(said: &str) -> &str {
    said.lines().rfind(|line| line.starts_with("crawl: ")).unwrap_or("without a word")
}
