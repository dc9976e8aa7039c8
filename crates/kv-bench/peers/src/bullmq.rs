//! BullMQ's port to Rust.

use std::sync::Arc;

use bullmq::options::{QueueOptions, RedisConnectionOptions, WorkerOptions};
use bullmq::queue::BulkJob;
use bullmq::types::RemoveOnFinish;
use bullmq::worker::CancellationToken;
use bullmq::{Job, Queue, Worker};

use crate::task::{Result, Tally, Task};

const QUEUE: &str = "bench";

fn connection(task: &Task) -> RedisConnectionOptions {
    RedisConnectionOptions { url: task.url(), ..RedisConnectionOptions::default() }
}

async fn queue(task: &Task) -> Result<Queue> {
    let options = QueueOptions::default().connection(connection(task));
    Ok(Queue::with_options(QUEUE, options).await?)
}

fn bulk(batch: Vec<String>) -> Vec<BulkJob> {
    batch.into_iter().map(|payload| BulkJob::new("job", payload)).collect()
}

pub async fn process(task: &Task) -> Result<()> {
    let queue = queue(task).await?;
    for batch in task.batches() {
        queue.add_bulk(bulk(batch)).await?;
    }
    let tally = Tally::new(task);
    let options = WorkerOptions::default()
        .connection(connection(task))
        .concurrency(task.tasks)
        .remove_on_complete(RemoveOnFinish::Bool(true));
    let noting = tally.clone();
    let processor = move |job: Job, _: CancellationToken| {
        noting.note(job.data().as_str().unwrap_or_default());
        std::future::ready(Ok(serde_json::Value::Null))
    };
    let start = task.start()?;
    let worker = Worker::with_options(QUEUE, processor, options).await?;
    tally.wait().await;
    tally.tell(start.elapsed());
    worker.close(1_000).await?;
    Ok(())
}

pub async fn add(task: &Task) -> Result<()> {
    let queue = Arc::new(queue(task).await?);
    let add = |share: Vec<Vec<String>>| {
        let queue = queue.clone();
        async move {
            for batch in share {
                queue.add_bulk(bulk(batch)).await?;
            }
            Ok(())
        }
    };
    task.add_all(add, async || Ok(queue.get_waiting_count().await?)).await
}
