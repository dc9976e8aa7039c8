//! What another version, or somebody else, stored.

use fastrand::Rng;
use kv_core::queue::{Inspect, Operation};
use kv_core::{Effect, ErrorKind};
use kv_testbed::{RedisServer, Reply};
use std::time::Duration;

use crate::stored;
use crate::support::{
    QUEUE, claim, claimed, contents, engine, every_verb, jobs, maintain, opened, operations,
    partition, session, unique,
};

fn key(part: &str) -> String {
    stored::key(&partition(), part)
}

/// Sets a field of a hash, whatever the bytes.
fn put(server: &RedisServer, part: &str, field: &str, bytes: &[u8]) {
    let key = key(part);
    let reply = server.command(&[b"HSET", key.as_bytes(), field.as_bytes(), bytes]).unwrap();
    assert!(matches!(reply, Reply::Integer(_)), "{reply:?}");
}

#[tokio::test]
async fn a_partition_in_an_unknown_format_is_refused_by_every_verb_and_left_as_it_is() {
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(3)).await.unwrap();
    claimed(&*engine, 1, 1).await;
    for (format, named) in
        [("2", "format 2"), ("5", "format 5"), ("", "another kind"), ("x y\r\nz", "format x")]
    {
        put(&server, "control", "format", format.as_bytes());
        let before = contents(&server);
        for (verb, result) in every_verb(&*engine).await {
            let error = result.expect_err(verb);
            assert_eq!((error.kind(), error.effect()), (ErrorKind::Config, Effect::NotApplied));
            assert!(error.to_string().contains(named), "{verb}: {error}");
        }
        assert_eq!(contents(&server), before);
    }
}

#[tokio::test]
async fn a_queue_in_an_unknown_format_or_of_other_partitions_is_not_opened_and_left_as_it_is() {
    let server = RedisServer::start().unwrap();
    let known = engine(&server.url()).await;
    known.open(QUEUE, 4).await.unwrap();
    let description = stored::description(QUEUE);
    for (fields, named) in [
        (["format", "3", "partitions", "4"], "the queue has 4"),
        (["format", "2", "partitions", "3"], "format 2"),
        (["format", "", "partitions", "3"], "format"),
    ] {
        let command = [&["HSET", description.as_str()], &fields[..]].concat();
        server.cli(&command).unwrap();
        let before = contents(&server);
        for engine in [&known, &engine(&server.url()).await] {
            let error = engine.open(QUEUE, 3).await.unwrap_err();
            assert_eq!((error.kind(), error.effect()), (ErrorKind::Config, Effect::NotApplied));
            assert!(error.to_string().contains(named), "{error}");
            assert_eq!(error.failed_key(), Some(QUEUE));
        }
        assert_eq!(contents(&server), before);
    }
}

/// Gives everything that is stored the names of builds before format 3.
fn rename_to_former(server: &RedisServer) {
    for key in contents(server).into_keys() {
        let former = key.replace("!kv:{", "{");
        assert_ne!(former, key);
        server.cli(&["RENAME", &key, &former]).unwrap();
    }
}

#[tokio::test]
async fn a_queue_with_jobs_under_its_former_names_is_refused_until_they_are_worked_off() {
    let server = RedisServer::start().unwrap();
    let build = engine(&server.url()).await;
    build.open(QUEUE, 3).await.unwrap();
    build.submit(&partition(), jobs(3)).await.unwrap();
    claimed(&*build, 1, 2).await;
    rename_to_former(&server);
    let before = contents(&server);
    let next = engine(&server.url()).await;
    for _ in 0..2 {
        let error = next.open(QUEUE, 2).await.unwrap_err();
        assert_eq!((error.kind(), error.effect()), (ErrorKind::Config, Effect::NotApplied));
        assert!(error.to_string().contains("holds 3 jobs"), "{error}");
        assert!(error.to_string().contains("in format 2; expected 3"), "{error}");
    }
    assert_eq!(contents(&server), before);
    let former = |part| key(part).replace("!kv:{", "{");
    server.cli(&["DEL", &former("ready"), &former("leases")]).unwrap();
    next.open(QUEUE, 2).await.unwrap();
    // What an older process brings in afterwards is told too.
    server.cli(&["ZADD", &former("dead"), "1", "70000000000001"]).unwrap();
    assert!(next.open(QUEUE, 2).await.unwrap_err().to_string().contains("holds 1 jobs"));
}

#[tokio::test]
async fn a_partition_that_was_not_opened_is_refused() {
    let server = RedisServer::start().unwrap();
    let never = engine(&server.url()).await;
    let engine = opened(&server.url()).await;
    let before = contents(&server);
    for (verb, result) in every_verb(&*never).await {
        assert_eq!(result.expect_err(verb).kind(), ErrorKind::Config, "{verb}");
    }
    let second = kv_core::queue::Partition { number: 1, ..partition() };
    assert_eq!(engine.submit(&second, jobs(1)).await.unwrap_err().kind(), ErrorKind::Config);
    assert_eq!(contents(&server), before);
}

/// Bytes that are a record, or nearly, or not at all.
fn hostile(rng: &mut Rng) -> Vec<u8> {
    let mut bytes: Vec<u8> = (0..rng.usize(..40)).map(|_| rng.u8(..)).collect();
    match rng.u8(..4) {
        // An array of nine, as a record is, of anything.
        0 => bytes.insert(0, 0x99),
        1 => {
            let small = [0xc0, 0xc2, 0xc3, 0x00, 0x7f, 0xff, 0xa1, 0x90, 0x80];
            bytes = (0..9).map(|_| small[rng.usize(..small.len())]).collect();
            bytes.insert(0, 0x99);
        }
        // Deeper than any stack.
        2 => bytes = vec![0x91; rng.usize(..200_000)],
        _ => {}
    }
    bytes
}

#[tokio::test]
async fn records_that_nobody_wrote_fail_no_verb_and_are_not_the_end_of_the_server() {
    let mut rng = Rng::with_seed(11);
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    let at = partition();
    for round in 0..150 {
        engine.submit(&at, jobs(4)).await.unwrap();
        let handles = claimed(&*engine, 10 * round + 1, 2).await;
        let peeked = engine.inspect(&at, Inspect::Peek { after: None, limit: 1, bytes: 1 }).await;
        let Ok(kv_core::queue::Inspected::Jobs(ready)) = peeked else { panic!("{peeked:?}") };
        for key in handles.iter().map(|handle| handle.key).chain(ready.iter().map(|it| it.key)) {
            put(&server, "records", &key.to_string(), &hostile(&mut rng));
        }
        let retry = Operation::Retry { after: Duration::ZERO, reason: "again".into() };
        let results = [
            engine.exchange(&at, operations(10 * round + 2, &handles, &retry)).await.map(drop),
            engine.exchange(&at, claim(10 * round + 3, 10)).await.map(drop),
            engine.maintain(&at, maintain(10)).await.map(drop),
        ];
        for result in results {
            assert!(result.is_ok(), "seed 11, round {round}: {result:?}");
        }
        server.cli(&["FLUSHALL"]).unwrap();
    }
}

#[tokio::test]
async fn sessions_that_nobody_wrote_are_an_error_and_never_a_panic() {
    let mut rng = Rng::with_seed(12);
    let server = RedisServer::start().unwrap();
    let engine = opened(&server.url()).await;
    for round in 0..300 {
        let mut record = hostile(&mut rng);
        if rng.bool() {
            // A request of this number was done, if one can read what was answered.
            let verb = if rng.bool() { "S" } else { "E" };
            record.splice(0..0, format!("7 {} {verb}", rng.u64(..)).into_bytes());
        }
        put(&server, "control", "lane:session", &record);
        let submit = kv_core::queue::Submit { session: Some(session(7)), ..jobs(1) };
        let results = [
            engine.submit(&partition(), submit).await.map(drop),
            engine.exchange(&partition(), claim(7, 3)).await.map(drop),
        ];
        for error in results.into_iter().filter_map(Result::err) {
            let expected = [ErrorKind::Backend, ErrorKind::Conflict];
            assert!(expected.contains(&error.kind()), "seed 12, round {round}: {error:?}");
        }
    }
}

/// What a plant makes every verb say, by name.
async fn after(server: &RedisServer, plant: &[&str]) -> Vec<(&'static str, kv_core::Result<()>)> {
    let engine = opened(&server.url()).await;
    engine.submit(&partition(), jobs(1)).await.unwrap();
    server.cli(plant).unwrap();
    let submit = kv_core::queue::Submit { session: None, jobs: vec![unique("u")] };
    let mut results = vec![("unique", engine.submit(&partition(), submit).await.map(drop))];
    results.extend(every_verb(&*engine).await);
    server.cli(&["FLUSHALL"]).unwrap();
    results
}

#[tokio::test]
async fn counters_and_keys_of_another_kind_are_an_error_and_never_a_panic() {
    let server = RedisServer::start().unwrap();
    let (jobs_key, control) = (key("jobs"), key("control"));
    // With the verb that must notice.
    let plants: [(&[&str], &str); 4] = [
        (&["HSET", &control, "sequence", "many"], "submit"),
        (&["HSET", &control, "token", "none"], "exchange"),
        (&["SET", &jobs_key, "a string"], "submit"),
        (&["SET", &control, "a string"], "counts"),
    ];
    for (plant, noticing) in plants {
        let results = after(&server, plant).await;
        let refused: Vec<_> =
            results.into_iter().filter_map(|(verb, it)| Some((verb, it.err()?))).collect();
        let known = [ErrorKind::Backend, ErrorKind::WrongType];
        for (verb, error) in &refused {
            assert!(known.contains(&error.kind()), "{plant:?}, {verb}: {error:?}");
        }
        let is_noticed = refused.iter().any(|(verb, _)| *verb == noticing);
        assert!(is_noticed, "{plant:?} was not noticed: {refused:?}");
    }
}

#[tokio::test]
async fn members_that_are_no_jobs_fail_no_verb() {
    let server = RedisServer::start().unwrap();
    let (ready, timed, leases, dead) = (key("ready"), key("timed"), key("leases"), key("dead"));
    let unique_key = key("unique");
    let plants: [&[&str]; 9] = [
        &["ZADD", &ready, "0", "!no job at all"],
        &["ZADD", &ready, "0", "70000000000009"],
        &["ZADD", &ready, "0", "x"],
        &["ZADD", &timed, "0", "no job"],
        &["ZADD", &leases, "1", "no lease at all"],
        &["ZADD", &leases, "1", ""],
        &["ZADD", &dead, "0", "x"],
        &["ZADD", &dead, "0", "70000000000009"],
        &["HSET", &unique_key, "u", "no job at all"],
    ];
    for plant in plants {
        for (verb, result) in after(&server, plant).await {
            assert!(result.is_ok(), "{plant:?}, {verb}: {result:?}");
        }
    }
}
