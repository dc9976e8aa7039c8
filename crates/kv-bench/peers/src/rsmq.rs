//! rsmq_async: a job is hidden while it is worked on, and deleted when it is done.

use std::sync::Arc;
use std::time::Duration;

use rsmq_async::{Rsmq, RsmqConnection, RsmqOptions};
use tokio::task::JoinSet;

use crate::task::{Result, Tally, Task};

const QUEUE: &str = "bench";
const HIDDEN: Duration = Duration::from_secs(30);

async fn queue(task: &Task) -> Result<Rsmq> {
    let options =
        RsmqOptions { host: "127.0.0.1".into(), port: task.port, ..RsmqOptions::default() };
    let mut queue = Rsmq::new(options).await?;
    queue.create_queue(QUEUE, Some(HIDDEN), None, None).await?;
    Ok(queue)
}

/// Each task takes a job, then deletes it. Where many are taken at once, two loops share the tasks:
/// each takes as many jobs as it has tasks, then deletes all of them at once.
pub async fn process(task: &Task, many: bool) -> Result<()> {
    let mut queue = queue(task).await?;
    for batch in task.batches() {
        queue.send_message_batch(QUEUE, batch, None).await?;
    }
    let loops = if many { task.tasks.min(2) } else { task.tasks };
    let size = u32::try_from(task.tasks / loops)?;
    let tally = Tally::new(task);
    let start = task.start()?;
    let running: Vec<_> =
        (0..loops).map(|_| tokio::spawn(work(queue.clone(), size, tally.clone()))).collect();
    for one in running {
        one.await??;
    }
    tally.tell(start.elapsed());
    Ok(())
}

async fn work(mut queue: Rsmq, size: u32, tally: Arc<Tally>) -> Result<()> {
    while !tally.is_complete() {
        if size == 1 {
            if let Some(message) = queue.receive_message::<String>(QUEUE, None).await? {
                tally.note(&message.message);
                queue.delete_message(QUEUE, &message.id).await?;
            }
            continue;
        }
        let mut deleting = JoinSet::new();
        for message in queue.receive_message_batch::<String>(QUEUE, None, size).await? {
            let (mut queue, tally) = (queue.clone(), tally.clone());
            deleting.spawn(async move {
                tally.note(&message.message);
                queue.delete_message(QUEUE, &message.id).await
            });
        }
        while let Some(deleted) = deleting.join_next().await {
            deleted??;
        }
    }
    Ok(())
}

pub async fn add(task: &Task) -> Result<()> {
    let mut queue = queue(task).await?;
    let adding = queue.clone();
    let add = |share: Vec<Vec<String>>| {
        let mut queue = adding.clone();
        async move {
            for batch in share {
                queue.send_message_batch(QUEUE, batch, None).await?;
            }
            Ok(())
        }
    };
    task.add_all(add, async || Ok(queue.get_queue_attributes(QUEUE).await?.msgs)).await
}
