//! What a peer has to do, and what it says of it.

use std::error::Error;
use std::io::BufRead;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::Notify;

pub type Result<T> = std::result::Result<T, Box<dyn Error + Send + Sync>>;

/// How many jobs go into one request where there is one for many.
pub const BATCH: u64 = 1_000;

const DIGITS: usize = 16;

#[derive(Clone, Copy)]
pub enum Verb {
    Process,
    Add,
}

#[derive(Clone, Copy)]
pub struct Task {
    pub verb: Verb,
    pub port: u16,
    pub jobs: u64,
    /// How many at a time.
    pub tasks: usize,
    bytes: usize,
}

impl Task {
    pub fn parse(words: &[String]) -> Result<Self> {
        let [port, verb, jobs, tasks, bytes] = words else {
            return Err("expected a port, a verb, jobs, tasks and bytes".into());
        };
        let verb = match verb.as_str() {
            "process" => Verb::Process,
            "add" => Verb::Add,
            other => return Err(format!("no verb `{other}`").into()),
        };
        let (port, jobs) = (port.parse()?, jobs.parse()?);
        Ok(Self { verb, port, jobs, tasks: tasks.parse()?, bytes: bytes.parse()? })
    }

    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// The payloads of all jobs, in batches: texts that take so many bytes as JSON.
    pub fn batches(&self) -> Vec<Vec<String>> {
        let filling = self.bytes.saturating_sub(DIGITS + 2);
        let payload = |id: u64| format!("{id:0DIGITS$}{:x<filling$}", "");
        let firsts = (0..self.jobs.div_ceil(BATCH)).map(|batch| batch * BATCH + 1);
        firsts
            .map(|first| (first..=self.jobs.min(first + BATCH - 1)).map(payload).collect())
            .collect()
    }

    /// The batches, dealt out to the tasks.
    pub fn shares(&self) -> Vec<Vec<Vec<String>>> {
        let mut shares = vec![Vec::new(); self.tasks];
        for (at, batch) in self.batches().into_iter().enumerate() {
            shares[at % self.tasks].push(batch);
        }
        shares
    }

    /// Says that all is ready, and waits for the word to begin.
    #[expect(clippy::disallowed_methods, reason = "a benchmark measures real time")]
    pub fn start(&self) -> Result<Instant> {
        println!("ready");
        std::io::stdin().lock().read_line(&mut String::new())?;
        Ok(Instant::now())
    }

    /// Adds all jobs, each task its share, and says how long it took and how many there are.
    pub async fn add_all<A, Fut>(
        &self,
        add: A,
        count: impl AsyncFnOnce() -> Result<u64>,
    ) -> Result<()>
    where
        A: Fn(Vec<Vec<String>>) -> Fut,
        Fut: Future<Output = Result<()>> + Send + 'static,
    {
        let shares = self.shares();
        let start = self.start()?;
        let running: Vec<_> = shares.into_iter().map(|share| tokio::spawn(add(share))).collect();
        for share in running {
            share.await??;
        }
        let took = start.elapsed().as_secs_f64();
        println!("done {took} {} 0 0", count().await?);
        Ok(())
    }
}

/// Counts the jobs that were processed, and tells when it was the last.
pub struct Tally {
    jobs: u64,
    count: AtomicU64,
    sum: AtomicU64,
    squares: AtomicU64,
    last: Notify,
}

impl Tally {
    pub fn new(task: &Task) -> Arc<Self> {
        let zero = AtomicU64::default;
        Arc::new(Self {
            jobs: task.jobs,
            count: zero(),
            sum: zero(),
            squares: zero(),
            last: Notify::new(),
        })
    }

    /// Notes the job with this payload.
    pub fn note(&self, payload: &str) {
        let id: u64 = payload.get(..DIGITS).and_then(|digits| digits.parse().ok()).unwrap_or(0);
        self.sum.fetch_add(id, Ordering::Relaxed);
        self.squares.fetch_add(id.wrapping_mul(id), Ordering::Relaxed);
        if self.count.fetch_add(1, Ordering::AcqRel) + 1 == self.jobs {
            self.last.notify_one();
        }
    }

    /// Whether all jobs were noted.
    pub fn is_complete(&self) -> bool {
        self.count.load(Ordering::Acquire) >= self.jobs
    }

    /// Waits for the last job.
    pub async fn wait(&self) {
        self.last.notified().await;
    }

    /// Says what was processed in this time.
    pub fn tell(&self, took: Duration) {
        let took = took.as_secs_f64();
        let [count, sum, squares] =
            [&self.count, &self.sum, &self.squares].map(|it| it.load(Ordering::Acquire));
        println!("done {took} {count} {sum} {squares}");
    }
}
