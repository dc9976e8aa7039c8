//! Workers and the server are killed at random moments of one crawl, and nothing is lost.

mod fleet;
mod plan;
mod table;
mod watch;

use std::path::Path;
use std::time::Duration;

use kv_core::queue::Counts;
use kv_testbed::RedisServer;
use tokio::time::Instant;

use self::fleet::Fleet;
use self::plan::{Plan, Target};
use self::table::Table;
use self::watch::Watch;
use crate::program::{count, field};
use crate::tree::{self, Expected};

/// Far more than a crawl needs from one kill to the next, or to its end.
const LIMIT: Duration = Duration::from_secs(120);

#[tokio::test(flavor = "multi_thread")]
async fn a_crawl_whose_workers_and_server_are_killed_loses_nothing() {
    survive(&Plan::small()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `cargo xtask soak crawl` runs it"]
async fn soak() {
    survive(&Plan::from_env()).await;
}

/// Runs the crawl, kills as planned, and checks what is left.
async fn survive(plan: &Plan) {
    println!("{plan}");
    let root = tree::kept(plan.files);
    let expected = tree::expected(&root);
    let server = RedisServer::builder().config("appendonly", "yes");
    let mut server = server.config("appendfsync", &plan.appendfsync).start().unwrap();
    let start = Instant::now();
    let mut fleet = Fleet::start(&root, server.port(), plan.workers);
    let mut watch = Watch::open(&root, server.port()).await;
    let mut table = Table::new(start);
    for kill in plan.kills(expected.files + expected.directories) {
        let before = watch.moment(kill.done, &mut fleet, LIMIT).await;
        let at_risk = strike(kill.target, &mut server, &mut fleet).await;
        if matches!(kill.target, Target::Server { .. }) {
            watch = Watch::open(&root, server.port()).await;
        }
        // What the killed held stays leased; what they took since the first look is seen too.
        let after = watch.counts().await;
        table.note(&kill, &before, &after, at_risk);
        fleet.fill();
    }
    let summaries = fleet.end(LIMIT);
    let took = start.elapsed();
    let left = check(&root, &server, &expected, &summaries).await;
    let (redelivered, in_flight) = (fleet.redelivered(), table.in_flight());
    println!(
        "seed={} files={} kills={} in_flight={in_flight} redelivered={redelivered} restarts={} \
         dead={} lost={} seconds={:.1} digest={}",
        plan.seed,
        expected.files,
        plan.kills,
        fleet.restarts(),
        left.dead,
        left.entered - left.done - left.dead,
        took.as_secs_f64(),
        expected.digest,
    );
    let most = table.at_risk();
    assert!(redelivered <= most, "{redelivered} redelivered; at most {most} were in flight");
}

/// Kills, and starts the server again; how many jobs the killed can have had in flight at most.
async fn strike(target: Target, server: &mut RedisServer, fleet: &mut Fleet) -> u64 {
    match target {
        Target::Worker(worker) => {
            fleet.kill(worker);
            return fleet::IN_FLIGHT;
        }
        Target::AllWorkers => fleet.kill_all(),
        Target::Server { down } => {
            server.kill();
            // The outage itself, not a wait for something.
            tokio::time::sleep(down).await;
            server.restart().unwrap();
        }
    }
    fleet.in_flight()
}

/// Every file has its record, every job that entered was done, and every crawler saw it so.
async fn check(
    root: &Path,
    server: &RedisServer,
    expected: &Expected,
    summaries: &[String],
) -> Counts {
    let counts = Watch::open(root, server.port()).await.counts().await;
    assert_eq!(counts.outstanding(), 0, "not drained: {counts:?}");
    assert_eq!((counts.dead, counts.evicted, counts.cancelled), (0, 0, 0), "{counts:?}");
    assert_eq!(counts.entered, counts.done, "jobs were lost: {counts:?}");
    for summary in summaries {
        assert_eq!(count(summary, "files"), expected.files);
        assert_eq!(field(summary, "digest"), expected.digest);
    }
    counts
}
