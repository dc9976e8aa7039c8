//! A resumable crawl: hashes every file of a directory tree.
//!
//! The queue and the results are in the store that `OC_KV_STORE_*` names, or else in one file of the
//! state folder, named after the tree. A crawl that was killed goes on where it stopped when it is
//! started again, and several at a time share the work.
//!
//! ```text
//! cargo run --release --example crawl -- [--fresh] [--concurrency N] [--store file|memory] [DIR]
//! ```

mod arguments;
mod crawler;
mod digest;
mod progress;
mod state;
mod tree;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use kv_core::{BoxError, Store};
use kv_queue::{CancellationToken, Queue, RetryPolicy, Worker};

use crate::arguments::Arguments;
use crate::crawler::{Crawler, Task};
use crate::digest::Report;

/// A queue in many parts: on the generic engine, small indexes are fast ones.
const PARTITIONS: u32 = 16;

/// After a kill, the files that were at hand are free again this soon.
const LEASE: Duration = Duration::from_secs(5);

#[tokio::main]
async fn main() -> ExitCode {
    match crawl().await {
        Ok(code) => code,
        Err(error) => {
            eprintln!("crawl: {error}");
            let mut cause = error.source();
            while let Some(error) = cause {
                eprintln!("  because: {error}");
                cause = error.source();
            }
            ExitCode::FAILURE
        }
    }
}

async fn crawl() -> Result<ExitCode, BoxError> {
    let arguments = Arguments::from_command_line()?;
    let store = state::open(&arguments).await?;
    let name = format!("crawl:{}", digest::hex_of(arguments.root.as_os_str().as_encoded_bytes()));
    let queue = Queue::<Task>::builder(&name)
        .partitions(PARTITIONS)
        .lease(LEASE)
        .max_failures(3)
        .retry(RetryPolicy::exponential(Duration::from_millis(100), Duration::from_secs(2)))
        .open(&store)
        .await?;
    let format = store.serializer().name();
    eprintln!("crawling {}; values are stored as {format}", arguments.root.display());
    let crawler = Arc::new(Crawler::new(&arguments.root, &store, &queue));
    let before = start(&arguments, &store, &queue, &crawler).await?;

    let stop = CancellationToken::new();
    stop_on_signal(stop.clone());
    let reporter = progress::spawn(Arc::clone(&crawler));
    let worker = Worker::new(queue.clone())
        .concurrency(arguments.concurrency)
        .stop_on(stop.clone())
        .until_drained();
    let hands = Arc::clone(&crawler);
    worker.run(move |delivery| Arc::clone(&hands).visit(delivery)).await?;
    reporter.stop().await;

    if stop.is_cancelled() {
        eprintln!("stopped; the same command goes on from here, if the store outlives the process");
        return Ok(ExitCode::from(130));
    }
    finish(&store, &queue, &crawler, &before).await
}

/// Enqueues the root, unless an earlier run left work; what that run had recorded.
async fn start(
    arguments: &Arguments,
    store: &Store,
    queue: &Queue<Task>,
    crawler: &Crawler,
) -> Result<Report, BoxError> {
    if arguments.fresh {
        queue.clear().await?;
        digest::forget(store, &arguments.root).await?;
    }
    let before = digest::report(store, &arguments.root).await?;
    let waiting = queue.stats().await?.outstanding();
    if waiting == 0 {
        crawler.enqueue_root().await?;
    } else {
        eprintln!("resuming: {} files are done, {waiting} jobs wait", before.files);
    }
    crawler.counts().start(before.files, waiting);
    Ok(before)
}

fn stop_on_signal(stop: CancellationToken) {
    tokio::spawn(async move {
        if tokio::signal::ctrl_c().await.is_ok() {
            eprintln!("stopping: waiting for the files at hand");
            stop.cancel();
        }
    });
}

async fn finish(
    store: &Store,
    queue: &Queue<Task>,
    crawler: &Crawler,
    before: &Report,
) -> Result<ExitCode, BoxError> {
    let dead = queue.dead_letters(10).await?;
    for job in &dead {
        let task = store.serializer().decode::<Task>(&job.payload);
        let what = task.map_or_else(|_| job.id.to_string(), |task| task.to_string());
        eprintln!("failed: {what}: {}", job.reason);
    }
    let report = digest::report(store, crawler.root()).await?;
    println!(
        "files={} bytes={} hashed={} resumed={} redelivered={} digest={}",
        report.files,
        report.bytes,
        crawler.counts().hashed(),
        before.files,
        crawler.counts().redelivered(),
        report.digest,
    );
    Ok(if dead.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}
