//! The verbs on queues.

mod change;
mod look;
mod show;

use kv_core::Store;
use kv_queue::{JobFilter, Queue};
use serde_json::Value;

use crate::arguments::{QueueVerb, ShowVerb};
use crate::failure::{Failure, Result};
use crate::output::Output;

pub(crate) async fn run(store: &Store, verb: QueueVerb, output: &Output) -> Result<()> {
    let verb = match verb {
        QueueVerb::Show(verb) => verb,
        QueueVerb::Change(verb) => return change::run(store, verb, output).await,
    };
    match verb {
        ShowVerb::Queues => show::queues(store, output).await,
        ShowVerb::Queue { queue } => show::queue(&attach(store, &queue).await?, output).await,
        ShowVerb::Jobs { queue, limit, payloads: true, .. } => {
            show::payloads(&attach(store, &queue).await?, limit, output).await
        }
        ShowVerb::Jobs { queue, state, group, after, limit, .. } => {
            let mut filter = JobFilter::new().limit(limit);
            if let Some(group) = group {
                filter = filter.group(group);
            }
            if let Some(after) = after {
                filter = filter.after(after);
            }
            look::jobs(&attach(store, &queue).await?, state, filter, output).await
        }
        ShowVerb::Job { queue, id, unique, group, payloads } => {
            let queue = attach(store, &queue).await?;
            let id =
                look::named(&queue, id.as_deref(), unique.as_deref(), group.as_deref()).await?;
            look::job(store, &queue, id, payloads, output).await
        }
        ShowVerb::Workers { queue } => look::workers(&attach(store, &queue).await?, output).await,
        ShowVerb::Groups { queue } => show::groups(&attach(store, &queue).await?, output).await,
        ShowVerb::Schedules { queue } => {
            show::schedules(&attach(store, &queue).await?, output).await
        }
        ShowVerb::Dead { queue, by_reason: true, .. } => {
            show::reasons(&attach(store, &queue).await?, output).await
        }
        ShowVerb::Dead { queue, limit, payloads, .. } => {
            show::dead(store, &attach(store, &queue).await?, limit, payloads, output).await
        }
    }
}

/// An open queue by its name.
async fn attach(store: &Store, name: &str) -> Result<Queue<Value>> {
    if let Some(queue) = Queue::attach(store, name).await? {
        return Ok(queue);
    }
    let queues = kv_queue::queues(store).await?;
    let names: Vec<&str> = queues.iter().map(|queue| &*queue.name).take(10).collect();
    let known = match names.as_slice() {
        [] => "this store has none".to_owned(),
        names => format!("there are {}", names.join(", ")),
    };
    Err(Failure::Missing(format!("no queue {name:?}; {known}")))
}
