//! The names that programs outside this repository are written against, used as they use them.

#![cfg(test)]

use std::time::Duration;

use futures_core::Stream;
use kv_core::{
    Clock, Condition, Expiry, KeyValueStore, Remaining, Serializer, SetOptions, Store, SystemClock,
    Version,
};
use kv_memory::MemoryStore;
use kv_queue::{
    Cron, Delivery, Enqueue, GroupLimit, Job, JobFilter, JobId, JobInfo, Queue, RetryPolicy, State,
    Worker,
};
use kv_redis::{RedisConfig, RedisStore};

type Error = Box<dyn std::error::Error + Send + Sync>;

const MINUTE: Duration = Duration::from_secs(60);

fn is_send<T: Send>(value: T) -> T {
    value
}

#[tokio::test]
async fn the_store_reads_and_writes_typed_values() -> Result<(), Error> {
    let memory: Box<dyn KeyValueStore> = Box::new(MemoryStore::new());
    let store = Store::from(memory).with_serializer(Serializer::MessagePack);
    let store = store.with_default_ttl(MINUTE).namespace("processed");
    is_send(store.set("k", "value")).await?;
    let options = SetOptions::new().ttl(MINUTE).condition(Condition::Present);
    let _: bool = store.set_with("k", &1, options).await?;
    let _: Option<i32> = store.get("k").await?;
    let _: Option<(i32, Version)> = store.get_versioned::<i32>("k").await?;
    let _: bool = store.exists("k").await?;
    let _: Option<Remaining> = store.ttl("k").await?;
    let _: bool = store.touch("k", Expiry::Never).await?;
    let _: bool = store.set_if_absent("l", &2, Expiry::Default).await?;
    let _: Option<i32> = is_send(store.take::<i32>("l")).await?;
    let new = is_send(store.update("k", |old: Option<i32>| old.map(|old| old + 1))).await?;
    assert_eq!(new, Some(2));
    let load = || async { Ok::<_, std::io::Error>(3) };
    let loaded: i32 = is_send(store.get_or_set_with("m", MINUTE, load)).await?;
    assert_eq!((loaded, store.prefix(), store.delete("k").await?), (3, "processed:", true));
    Ok(())
}

#[tokio::test]
async fn the_store_counts_scans_and_batches() -> Result<(), Error> {
    let store = Store::new(MemoryStore::new());
    assert_eq!(store.increment("hits", 1, MINUTE).await?, 1);
    assert_eq!(store.counter("hits").await?, Some(1));
    store.set_many([("a", 1), ("b", 2)], MINUTE).await?;
    assert_eq!(store.get_many::<i32>(["a", "x"]).await?, [Some(1), None]);
    let ((), found, hit) =
        store.pipeline().set("c", &1).get::<i32>("b").exists("x").execute().await?;
    assert_eq!((found, hit), (Some(2), false));
    let mut batch = store.batch();
    let ticket = batch.get::<i32>("b");
    assert_eq!(batch.execute().await?.take(ticket)?, Some(2));
    let mut scan: Box<dyn Stream<Item = kv_core::Result<String>> + Unpin> = {
        let mut own = store.scan("*");
        assert!(own.next().await.is_some());
        Box::new(own)
    };
    let rest = std::future::poll_fn(|cx| std::pin::Pin::new(&mut scan).poll_next(cx)).await;
    assert!(rest.is_some());
    assert_eq!(store.keys("?").await?, ["a", "b", "c"]);
    assert_eq!(store.delete_many(vec!["a".to_owned(), "b".to_owned()]).await?, 2);
    store.ping().await?;
    let _ = (store.stats().await?, store.serializer(), store.inner().capabilities());
    Ok(store.close().await?)
}

#[tokio::test]
async fn backends_and_configurations_are_made_as_documented() -> Result<(), Error> {
    let clock = SystemClock::new();
    assert!(clock.wall() > Duration::ZERO);
    let builder = MemoryStore::builder().max_entries(9).cleanup_interval(MINUTE).clock(clock);
    let _: MemoryStore = builder.build();
    let nobody = RedisConfig::from_url("redis://127.0.0.1:1/0")?;
    assert!(RedisStore::connect(nobody).await.is_err());
    assert!(RedisConfig::builder().host("localhost").port(6379).build().is_ok());
    let none: [(String, String); 0] = [];
    let _: Store = kv_config::Config::from_vars(none)?.open().await?;
    let _: Box<dyn KeyValueStore> = kv_config::Config::builder().build()?.connect().await?;
    let _: Store = kv_config::from_env().await?;
    Ok(())
}

#[tokio::test]
async fn the_queue_is_used_as_documented() -> Result<(), Error> {
    let store = Store::new(MemoryStore::new());
    let _ = Queue::<String>::open(&store, "fetch:run-42").await?;
    let retry = RetryPolicy::fixed(Duration::ZERO);
    let builder = Queue::<String>::builder("fetch:run-43").lease(MINUTE).partitions(2).retry(retry);
    let queue = builder.open(&store).await?;
    let job = Job::new("x".to_owned()).unique("url").delay(Duration::ZERO).priority(3);
    let _: JobId = match is_send(queue.enqueue(job)).await? {
        Enqueue::Added(id) | Enqueue::Duplicate(id) => id,
    };
    let enqueued = is_send(queue.enqueue_many(["y".to_owned(), "z".to_owned()])).await?;
    assert_eq!((enqueued.added, enqueued.duplicates), (2, 0));
    let delivery = is_send(queue.dequeue(1)).await?.remove(0);
    let _: &String = delivery.payload();
    delivery.extend(MINUTE).await?;
    delivery.checkpoint(&vec![1, 2]).await?;
    let _: Option<Vec<i32>> = delivery.restore::<Vec<i32>>()?;
    is_send(delivery.snooze(Duration::ZERO)).await?;
    let _ = (queue.peek(1).await?, queue.size().await?, queue.stats().await?);
    let worker = Worker::new(queue.clone()).concurrency(64).until_drained();
    worker.run(|delivery| async move { delivery.ack().await }).await?;
    assert!(queue.drained().await?);
    queue.clear().await?;
    Ok(queue.close().await?)
}

#[tokio::test]
async fn handlers_and_schedules_are_written_as_documented() -> Result<(), Error> {
    let store = Store::new(MemoryStore::new());
    let queue = Queue::<String>::open(&store, "reports").await?;
    let now = std::time::UNIX_EPOCH + store.inner().now().await?;
    is_send(queue.enqueue(Job::new("x".to_owned()).run_at(now))).await?;
    let cron = Cron::new("30 2 * * *", "Europe/London")?;
    queue.schedule("daily", cron, Job::new("daily".to_owned())).await?;
    let stated = |delivery: &Delivery<String>| {
        drop(is_send(delivery.cancelled()));
    };
    let worker = Worker::new(queue.clone()).state(vec![1]).concurrency(2).until_drained();
    let run = worker.run(move |app, delivery| {
        stated(&delivery);
        async move {
            let text = delivery.into_payload();
            if text.len() < app.len() { Err("too short") } else { Ok(()) }
        }
    });
    assert_eq!(is_send(run).await?.done, 1);
    Ok(())
}

#[tokio::test]
async fn jobs_are_asked_about_as_documented() -> Result<(), Error> {
    let store = Store::new(MemoryStore::new());
    let builder = Queue::<u32>::builder("asked").keep_done(9).keep_done_for(MINUTE);
    let queue = builder.open(&store).await?;
    let id: JobId = queue.enqueue(Job::new(1).delay(MINUTE)).await?.id();
    assert_eq!(queue.run_now(id).await?, 1);
    let delivery = is_send(queue.dequeue(1)).await?.remove(0);
    let _: Option<std::time::SystemTime> = delivery.enqueued_at();
    is_send(delivery.ack_with(&2)).await?;
    let _: Option<JobInfo> = is_send(queue.job(id)).await?;
    assert_eq!(is_send(queue.result::<u32>(id)).await?, Some(2));
    assert_eq!(is_send(queue.wait::<u32>(id, MINUTE)).await?, 2);
    let page = is_send(queue.list(State::Done, JobFilter::new())).await?;
    assert_eq!((page.jobs.len(), page.next), (1, None));
    let _ = (queue.cancel(id).await?, queue.redrive(id).await?, queue.discard(id).await?);
    let text = serde_json::to_string(&id)?;
    assert_eq!((serde_json::from_str::<JobId>(&text)?, id.to_string().parse::<JobId>()?), (id, id));
    assert!(is_send(queue.workers()).await?.is_empty());
    Ok(())
}

#[tokio::test]
async fn groups_are_used_as_documented() -> Result<(), Error> {
    let store = Store::new(MemoryStore::new());
    let limit = GroupLimit::new().concurrency(2).rate(5, Duration::from_secs(1));
    let queue = Queue::<u32>::builder("polite").group_limit(limit).open(&store).await?;
    queue.enqueue(Job::new(1).group("example.org")).await?;
    let delivery = is_send(queue.dequeue(1)).await?.remove(0);
    let _: Option<&str> = delivery.group();
    is_send(delivery.limited(MINUTE)).await?;
    assert_eq!(is_send(queue.groups()).await?[0].waiting, 1);
    Ok(())
}
