//! A polite web crawler: follows links, and asks no host for more than it bears.
//!
//! Each page is a job, and the host is its group: so many requests of a host at a time, so many in a
//! second, over all processes that crawl. A host that answers 429 or 503 is left alone as long as it
//! says; the others go on. Hosts take turns, so one with very many pages does not delay the rest.
//!
//! The queue and the pages are in the store that `OC_KV_STORE_*` names, or else in one file. A crawl
//! that was killed goes on when the same command is started again.
//!
//! ```text
//! cargo run --release --example polite -- http://localhost:8000/
//! ```
//!
//! It speaks `http` only: a crawler of your own adds a feature for TLS to `reqwest`.

mod arguments;
mod crawler;
mod html;
mod robots;

use std::collections::BTreeMap;
use std::process::ExitCode;
use std::time::Duration;

use kv_config::Config;
use kv_core::{BoxError, Store};
use kv_queue::{CancellationToken, GroupLimit, Queue, RetryPolicy, Worker};

use crate::arguments::Arguments;
use crate::crawler::{Crawler, Link, Record};

#[tokio::main]
async fn main() -> ExitCode {
    match crawl().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("polite: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn crawl() -> Result<ExitCode, BoxError> {
    let arguments = Arguments::from_command_line()?;
    let store = open(&arguments).await?;
    let limit = GroupLimit::new()
        .concurrency(arguments.per_host)
        .rate(arguments.rate, Duration::from_secs(1));
    let queue = Queue::<Link>::builder("polite")
        .group_limit(limit)
        .lease(arguments.lease)
        .max_failures(5)
        .retry(RetryPolicy::exponential(Duration::from_secs(1), Duration::from_secs(60)))
        .open(&store)
        .await?;
    let crawler = Crawler::new(&arguments, &store, &queue)?;
    crawler.follow(arguments.seeds.clone(), 0).await?;

    let stop = CancellationToken::new();
    stop_on_signal(stop.clone());
    let worker = Worker::new(queue.clone())
        .concurrency(arguments.concurrency)
        .state(crawler)
        .stop_on(stop.clone())
        .until_drained();
    worker.run(async |crawler, delivery| crawler.visit(delivery).await).await?;
    if stop.is_cancelled() {
        eprintln!("stopped; the same command goes on from here");
        return Ok(ExitCode::from(130));
    }
    report(&store, &queue).await?;
    Ok(ExitCode::SUCCESS)
}

/// The store that the environment names, or else a file.
async fn open(arguments: &Arguments) -> Result<Store, BoxError> {
    if std::env::var_os("OC_KV_STORE_TYPE").is_some() {
        return Ok(kv_config::from_env().await?);
    }
    eprintln!("the queue and the pages are in {}", arguments.state.display());
    let config = Config::builder().store_type("sqlite").sqlite_path(&arguments.state);
    Ok(config.build()?.open().await?)
}

fn stop_on_signal(stop: CancellationToken) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            stop.cancel();
        }
    });
}

/// Prints how many pages gave which answer, and what could not be fetched.
async fn report(store: &Store, queue: &Queue<Link>) -> Result<(), BoxError> {
    let pages = store.namespace(crawler::PAGES);
    let mut answers = BTreeMap::<u16, u64>::new();
    for keys in pages.keys("*").await?.chunks(500) {
        for Record { status, .. } in pages.get_many(keys).await?.into_iter().flatten() {
            *answers.entry(status).or_default() += 1;
        }
    }
    for job in queue.dead_letters(10).await? {
        let link = store.serializer().decode::<Link>(&job.payload)?;
        eprintln!("failed: {}: {}", link.url, job.reason);
    }
    let dead = queue.stats().await?.dead;
    let pages: u64 = answers.values().sum();
    let answers: Vec<String> = answers.iter().map(|(at, count)| format!("{at}:{count}")).collect();
    println!("pages={pages} answers={} dead={dead}", answers.join(","));
    Ok(())
}
