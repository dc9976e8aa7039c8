//! Stepping a server's clock moves its time and every expiry.

use std::time::Duration;

use kv_testbed::{RedisServer, Reply, Result, SteppedClock, eventually};

const BASE: Duration = Duration::from_millis(1_900_000_000_123);
const MILLISECOND: Duration = Duration::from_millis(1);
const LIMIT: Duration = Duration::from_secs(60);

fn frozen() -> Result<RedisServer> {
    RedisServer::builder().clock_frozen_at(BASE).start()
}

#[test]
fn a_frozen_clock_stands_still_and_moves_by_exactly_the_step() -> Result<()> {
    let server = frozen()?;
    assert_eq!((server.time()?, server.time()?), (BASE, BASE));
    let step = Duration::from_micros(86_400_000_001);
    server.clock()?.advance(step)?;
    assert_eq!(server.time()?, BASE + step);
    Ok(())
}

#[test]
fn a_frozen_key_lives_through_its_last_millisecond_and_no_longer() -> Result<()> {
    let server = frozen()?;
    server.cli(&["SET", "k", "v", "PX", "1000"])?;
    assert_eq!(server.cli(&["PTTL", "k"])?, Reply::Integer(1000));
    server.clock()?.advance(Duration::from_millis(999))?;
    assert_eq!(server.cli(&["PTTL", "k"])?, Reply::Integer(1));
    server.clock()?.advance(MILLISECOND)?;
    assert_eq!(server.cli(&["PTTL", "k"])?, Reply::Integer(0));
    assert_eq!(server.cli(&["EXISTS", "k"])?, Reply::Integer(1));
    server.clock()?.advance(MILLISECOND)?;
    assert_eq!(server.cli(&["EXISTS", "k"])?, Reply::Integer(0));
    assert_eq!(server.cli(&["PTTL", "k"])?, Reply::Integer(-2));
    Ok(())
}

#[test]
fn a_script_sees_the_frozen_clock() -> Result<()> {
    let server = frozen()?;
    let script = "local t = redis.call('TIME') return t[1] * 1000 + math.floor(t[2] / 1000)";
    let asked = server.cli(&["EVAL", script, "0"])?;
    assert_eq!(asked.integer(), i64::try_from(BASE.as_millis()).ok());
    Ok(())
}

#[test]
fn expired_keys_that_nobody_asks_for_are_swept_after_a_step() -> Result<()> {
    let server = frozen()?;
    for n in 0..200 {
        server.cli(&["SET", &format!("k{n}"), "v", "PX", "1000"])?;
    }
    assert_eq!(server.cli(&["DBSIZE"])?, Reply::Integer(200));
    server.clock()?.advance(Duration::from_secs(2))?;
    let is_empty = || matches!(server.cli(&["DBSIZE"]), Ok(Reply::Integer(0))).then_some(());
    assert!(eventually(LIMIT, is_empty).is_some(), "the active sweep removes them");
    Ok(())
}

#[test]
fn a_blocked_command_times_out_when_the_clock_is_stepped() -> Result<()> {
    let server = frozen()?;
    let mut connection = server.connection()?;
    connection.send(&["BLPOP", "list", "60"])?;
    let blocked = || {
        server.cli(&["INFO", "clients"]).ok()?.text()?.contains("blocked_clients:1").then_some(())
    };
    assert!(eventually(LIMIT, blocked).is_some());
    assert!(!connection.has_reply()?);
    server.clock()?.advance(Duration::from_secs(61))?;
    assert_eq!(connection.read()?, Reply::Nil);
    Ok(())
}

#[test]
fn a_running_clock_adds_its_steps_to_real_time() -> Result<()> {
    let server = RedisServer::builder().clock().start()?;
    server.cli(&["SET", "k", "v", "EX", "1000"])?;
    let before = server.time()?;
    server.clock()?.advance(Duration::from_secs(900))?;
    assert!(server.time()? >= before + Duration::from_secs(900));
    let left = server.cli(&["PTTL", "k"])?.integer().expect("a number");
    assert!((1..=100_000).contains(&left), "{left} ms are left");
    server.clock()?.advance(Duration::from_secs(101))?;
    assert_eq!(server.cli(&["GET", "k"])?, Reply::Nil);
    Ok(())
}

#[test]
fn a_restarted_server_keeps_its_clock_and_its_expiries() -> Result<()> {
    let builder = RedisServer::builder().clock_frozen_at(BASE).config("appendonly", "yes");
    let mut server = builder.start()?;
    server.cli(&["SET", "k", "v", "PX", "1000"])?;
    server.clock()?.advance(Duration::from_millis(400))?;
    server.restart()?;
    assert_eq!(server.time()?, BASE + Duration::from_millis(400));
    assert_eq!(server.cli(&["PTTL", "k"])?, Reply::Integer(600));
    Ok(())
}

#[test]
fn freezing_sets_the_time_whatever_was_stepped_before() -> Result<()> {
    let server = RedisServer::builder().clock().start()?;
    let clock: SteppedClock = server.clock()?.clone();
    clock.advance(Duration::from_secs(5))?;
    clock.freeze_at(BASE)?;
    assert_eq!(server.time()?, BASE);
    Ok(())
}

#[test]
fn a_server_without_a_clock_says_so_and_a_step_too_far_is_refused() -> Result<()> {
    assert!(RedisServer::start()?.clock().is_err());
    assert!(frozen()?.clock()?.advance(Duration::MAX).is_err());
    Ok(())
}

#[test]
fn a_frozen_clock_can_be_set_back_and_goes_on_from_there() -> Result<()> {
    let server = frozen()?;
    server.clock()?.advance(MILLISECOND * 5)?;
    server.clock()?.set_back(Duration::from_secs(3_600))?;
    assert_eq!(server.time()?, BASE + MILLISECOND * 5 - Duration::from_secs(3_600));
    server.clock()?.advance(MILLISECOND)?;
    assert_eq!(server.time()?, BASE + MILLISECOND * 6 - Duration::from_secs(3_600));
    assert!(RedisServer::builder().clock().start()?.clock()?.set_back(MILLISECOND).is_err());
    Ok(())
}
