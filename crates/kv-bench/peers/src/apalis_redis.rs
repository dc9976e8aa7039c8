//! apalis-redis, with leases.

use std::sync::Arc;

use apalis::prelude::*;
use apalis_redis::{Config, ConnectionManager, RedisStorage};

use crate::task::{Result, Tally, Task};

async fn storage(task: &Task) -> Result<RedisStorage<String, ConnectionManager>> {
    let config = Config::default().queue("bench").lock_tasks(true).batch_size(task.tasks.max(10));
    let connection = apalis_redis::connect(task.url()).await?;
    Ok(RedisStorage::new(connection).with_config(config))
}

async fn handle(payload: String, tally: Data<Arc<Tally>>) -> std::result::Result<(), BoxDynError> {
    tally.note(&payload);
    Ok(())
}

pub async fn process(task: &Task) -> Result<()> {
    let mut storage = storage(task).await?;
    for batch in task.batches() {
        storage.push_bulk(batch).await?;
    }
    let tally = Tally::new(task);
    let worker = WorkerBuilder::new("bench")
        .backend(storage)
        .data(tally.clone())
        .concurrency(task.tasks)
        .parallelize(tokio::spawn)
        .build(handle);
    let start = task.start()?;
    let running = tokio::spawn(worker.run());
    tally.wait().await;
    tally.tell(start.elapsed());
    running.abort();
    Ok(())
}

pub async fn add(task: &Task) -> Result<()> {
    let storage = storage(task).await?;
    let mut connection = storage.clone().get_connection().clone();
    let add = |share: Vec<Vec<String>>| {
        let mut storage = storage.clone();
        async move {
            for batch in share {
                storage.push_bulk(batch).await?;
            }
            Ok(())
        }
    };
    // It puts new jobs into the set of scheduled ones, due at once.
    let scheduled = storage.get_config().scheduled_jobs_set();
    task.add_all(add, async || {
        Ok(redis::cmd("ZCARD").arg(scheduled).query_async(&mut connection).await?)
    })
    .await
}
