//! Queues, jobs and dead letters, to look at.

use std::collections::BTreeMap;
use std::time::{SystemTime, UNIX_EPOCH};

use kv_core::Store;
use kv_queue::{GroupBlock, Queue, QueueStats};
use serde_json::{Value, json};

use crate::failure::Result;
use crate::output::Output;

/// How many dead letters are counted by their reasons.
const MOST_COUNTED: usize = 10_000;

/// How many dead letters are read at a time.
const PAGE: usize = 500;

const COUNTS: [&str; 5] = ["ready", "timed", "running", "dead", "done"];

fn counts(stats: &QueueStats) -> [u64; 5] {
    [stats.ready, stats.timed, stats.leased, stats.dead, stats.done]
}

const OLDEST: &str = "oldest_ready_s";

/// How many seconds the oldest claimable job has waited, if there is one.
fn oldest(stats: &QueueStats) -> Value {
    stats.oldest_ready.map_or(Value::Null, |age| json!(age.as_secs()))
}

pub(super) async fn queues(store: &Store, output: &Output) -> Result<()> {
    let queues = kv_queue::queues(store).await?;
    let headings = [&["queue", "partitions"], &COUNTS[..], &["paused", OLDEST]].concat();
    let rows = queues.into_iter().map(|queue| {
        let mut row = vec![json!(queue.name), json!(queue.partitions)];
        row.extend(counts(&queue.stats).map(|count| json!(count)));
        row.extend([json!(queue.stats.paused), oldest(&queue.stats)]);
        row
    });
    output.rows(&headings, rows);
    Ok(())
}

pub(super) async fn queue(queue: &Queue<Value>, output: &Output) -> Result<()> {
    let stats = queue.stats().await?;
    let mut fields: Vec<(&str, Value)> =
        COUNTS.into_iter().zip(counts(&stats).map(|count| json!(count))).collect();
    fields.extend([
        ("entered", json!(stats.entered)),
        ("cancelled", json!(stats.cancelled)),
        ("evicted", json!(stats.evicted)),
        ("paused", json!(stats.paused)),
        (OLDEST, oldest(&stats)),
        ("drained", json!(queue.drained().await?)),
    ]);
    output.fields(&fields);
    Ok(())
}

/// What the next ready jobs carry.
pub(super) async fn payloads(queue: &Queue<Value>, limit: usize, output: &Output) -> Result<()> {
    let jobs = queue.peek(limit).await?.into_iter().enumerate();
    let rows = jobs.map(|(place, payload)| vec![json!(place + 1), json!(payload.to_string())]);
    output.rows(&["place", "payload"], rows);
    Ok(())
}

pub(super) async fn dead(
    store: &Store,
    queue: &Queue<Value>,
    limit: usize,
    payloads: bool,
    output: &Output,
) -> Result<()> {
    let letters = queue.dead_letters(limit).await?;
    let rows = letters.into_iter().map(|letter| {
        let died = letter.died.as_secs();
        let mut row = vec![
            json!(letter.id.to_string()),
            json!(died),
            json!(letter.failures),
            json!(letter.crashes),
            json!(letter.reason),
        ];
        if payloads {
            let decoded = store.serializer().decode::<Value>(&letter.payload);
            row.push(decoded.map_or_else(
                |_| json!(format!("<{} bytes that do not decode>", letter.payload.len())),
                |payload| json!(payload.to_string()),
            ));
        }
        row
    });
    let headings = ["id", "died_at_s", "failures", "crashes", "reason", "payload"];
    output.rows(&headings[..headings.len() - usize::from(!payloads)], rows);
    Ok(())
}

/// Dead letters by the first line of their reason, the most frequent first.
pub(super) async fn reasons(queue: &Queue<Value>, output: &Output) -> Result<()> {
    let mut walk = queue.walk_dead_letters();
    let (mut counted, mut reasons) = (0, BTreeMap::<String, u64>::new());
    while counted < MOST_COUNTED {
        let page = walk.next(PAGE).await?;
        if page.is_empty() {
            break;
        }
        counted += page.len();
        for letter in page {
            let reason = letter.reason.lines().next().unwrap_or_default().to_owned();
            *reasons.entry(reason).or_default() += 1;
        }
    }
    let mut sorted: Vec<_> = reasons.into_iter().collect();
    sorted.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
    let rows = sorted.into_iter().map(|(reason, count)| vec![json!(count), json!(reason)]);
    output.rows(&["letters", "reason"], rows);
    Ok(())
}

pub(super) async fn groups(queue: &Queue<Value>, output: &Output) -> Result<()> {
    let groups = queue.groups().await?;
    let rows = groups.into_iter().map(|group| {
        let (limit, seconds) = match group.block {
            None => (Value::Null, Value::Null),
            Some(GroupBlock::Concurrency) => (json!("concurrency"), Value::Null),
            Some(GroupBlock::Rate(left)) => (json!("rate"), json!(left.as_secs_f64())),
            Some(GroupBlock::Paused(left)) => (json!("paused"), json!(left.as_secs_f64())),
        };
        vec![json!(group.name), json!(group.waiting), json!(group.running), limit, seconds]
    });
    output.rows(&["group", "waiting", "running", "limited_by", "for_s"], rows);
    Ok(())
}

pub(super) async fn schedules(queue: &Queue<Value>, output: &Output) -> Result<()> {
    let schedules = queue.schedules().list().await?;
    let rows = schedules.into_iter().map(|schedule| {
        let last = schedule.history.first().map(|firing| firing.at);
        vec![
            json!(schedule.name),
            json!(schedule.cron.expression()),
            json!(schedule.cron.zone()),
            json!(schedule.is_paused),
            schedule.next.map_or(Value::Null, unix),
            last.map_or(Value::Null, unix),
        ]
    });
    output.rows(&["schedule", "cron", "zone", "paused", "next_at_s", "last_at_s"], rows);
    Ok(())
}

/// Whole seconds since 1970-01-01T00:00:00Z.
fn unix(time: SystemTime) -> Value {
    json!(time.duration_since(UNIX_EPOCH).unwrap_or_default().as_secs())
}
