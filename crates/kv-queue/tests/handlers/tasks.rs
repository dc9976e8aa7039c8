//! Several types of payloads in one queue.

use std::time::Duration;

use kv_core::{Serializer, Store};
use kv_memory::MemoryStore;
use kv_queue::{
    Delivery, Job, Queue, RetryPolicy, Router, Task, Tasks, Undecodable, Worker, WorkerSummary,
};
use serde::{Deserialize, Serialize};

#[derive(Debug, PartialEq, Serialize, Deserialize)]
struct Mail {
    to: String,
    copies: Option<u8>,
}

#[derive(Serialize, Deserialize)]
enum Resize {
    Half,
    To(u32, u32),
}

#[derive(Serialize, Deserialize)]
struct Purge;

impl Task for Mail {
    const NAME: &'static str = "mail";
}

impl Task for Resize {
    const NAME: &'static str = "resize";
}

impl Task for Purge {
    const NAME: &'static str = "pur\"ge";
}

async fn queue(serializer: Serializer) -> Queue<Tasks> {
    let store = Store::new(MemoryStore::new()).with_serializer(serializer);
    let builder = Queue::builder("tasks").undecodable(Undecodable::Bury);
    builder.retry(RetryPolicy::fixed(Duration::ZERO)).open(&store).await.unwrap()
}

async fn run(queue: &Queue<Tasks>, router: Router) -> WorkerSummary {
    Worker::new(queue.clone()).until_drained().run_router(router).await.unwrap()
}

fn mail() -> Mail {
    Mail { to: "ada".to_owned(), copies: None }
}

#[tokio::test]
async fn each_type_comes_to_its_own_handler_in_every_format() {
    for serializer in [Serializer::Json, Serializer::MessagePack] {
        let queue = queue(serializer).await;
        queue.enqueue_task(Job::new(mail()).priority(3)).await.unwrap();
        queue.enqueue_task(Resize::To(3, 4)).await.unwrap();
        queue.enqueue_task(Resize::Half).await.unwrap();
        queue.enqueue_task(Purge).await.unwrap();
        let router = Router::new()
            .on(|it: Delivery<Mail>| async move { assert_eq!(*it.payload(), mail()) })
            .on(|it: Delivery<Resize>| async move {
                assert!(matches!(it.payload(), Resize::Half | Resize::To(3, 4)));
            })
            .on(|_: Delivery<Purge>| async {});
        let summary = run(&queue, router).await;
        assert_eq!((summary.done, summary.deliveries()), (4, 4));
    }
}

#[tokio::test]
async fn a_job_without_a_handler_is_set_aside_and_the_known_names_are_listed() {
    let queue = queue(Serializer::Json).await;
    queue.enqueue_task(Purge).await.unwrap();
    queue.enqueue_task(mail()).await.unwrap();
    let router = Router::new().on(|_: Delivery<Mail>| async {}).on(|_: Delivery<Resize>| async {});
    let summary = run(&queue, router).await;
    assert_eq!((summary.done, summary.undecodable), (1, 1));
    let reason = queue.clone().dead_letters(9).await.unwrap().remove(0).reason;
    assert!(reason.contains("no handler for the task `pur\\\"ge`"), "{reason}");
    assert!(reason.contains("known are: `mail`, `resize`"), "{reason}");
}

#[tokio::test]
async fn a_payload_of_another_shape_is_set_aside_and_its_value_is_not_shown() {
    #[derive(Serialize, Deserialize)]
    struct Other(String);
    impl Task for Other {
        const NAME: &'static str = "mail";
    }
    let queue = queue(Serializer::Json).await;
    queue.enqueue_task(Other("secret".to_owned())).await.unwrap();
    let summary = run(&queue, Router::new().on(|_: Delivery<Mail>| async {})).await;
    assert_eq!(summary.undecodable, 1);
    let reason = queue.dead_letters(9).await.unwrap().remove(0).reason;
    assert!(!reason.contains("secret"), "{reason}");
}
