//! Servers that fail over and share out their slots anew, under a load of everything.
//!
//! What a primary acknowledged, it may lose when it is killed, since its replica follows a moment
//! later. That is counted, and is wrong if anything else explains it.

mod books;
mod fleet;
mod load;
mod plan;
mod registers;
mod table;

use std::time::Duration;

use fastrand::Rng;
use kv_testbed::{RedisCluster, RedisSentinels};
use tokio::task::block_in_place;
use tokio::time::{Instant, timeout};

use self::books::{Audit, Toll, Window};
use self::fleet::Fleet;
use self::load::Load;
use self::plan::{Fault, Plan, Slots};
use self::table::Table;
use crate::agreement::{assert_adds_up, assert_agrees};
use crate::bench::{HANGS, in_time};

/// Within this time of the servers' own recovery everything works, on a machine that has nothing
/// else to do: the soak holds to it, the tests of every run do not measure.
const RECOVERED: Duration = Duration::from_secs(5);

#[tokio::test(flavor = "multi_thread")]
async fn a_cluster_that_fails_over_and_is_resharded_under_load_loses_no_job() {
    survive(Plan::small(Some(Slots::Occupied)), cluster()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_primary_under_sentinels_that_fails_over_under_load_loses_no_job() {
    survive(Plan::small(None), sentinels()).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `cargo xtask soak failover` runs it"]
async fn soak_cluster() {
    recovered(survive(Plan::from_env(Some(Slots::All)), cluster()).await);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "takes minutes: `cargo xtask soak failover` runs it"]
async fn soak_sentinels() {
    recovered(survive(Plan::from_env(None), sentinels()).await);
}

fn recovered(longest: Duration) {
    assert!(longest < RECOVERED, "it took {longest:?} until all worked");
}

fn cluster() -> Fleet {
    Fleet::Cluster(RedisCluster::start().unwrap())
}

fn sentinels() -> Fleet {
    Fleet::Sentinels(RedisSentinels::start().unwrap())
}

/// Loads the servers, does to them what is planned, and checks what is left; how long it took at
/// most until everything worked again.
async fn survive(plan: Plan, mut fleet: Fleet) -> Duration {
    println!("{plan}");
    let mut rng = Rng::with_seed(plan.seed);
    let mut load = Load::start(&fleet).await;
    let mut table = Table::new();
    for fault in plan.faults(&mut rng) {
        in_time(load.progress(rng.usize(100..400))).await;
        strike(fault, &mut fleet, &mut load, &mut table, &mut rng).await;
    }
    in_time(load.end()).await;
    let audit = load.books.audit(&table.windows());
    table.print(&audit);
    check(&plan, &fleet, &load, &table, &audit).await;
    table.longest()
}

async fn strike(
    fault: Fault,
    fleet: &mut Fleet,
    load: &mut Load,
    table: &mut Table,
    rng: &mut Rng,
) {
    let from = Instant::now();
    let killed = block_in_place(|| fleet.strike(fault, rng));
    let to = Instant::now();
    let works = timeout(HANGS, load.works_since(to)).await;
    works.unwrap_or_else(|_| panic!("not everything works after it was {fault}"));
    table.note(Window { fault, from, to, may_lose: fleet.may_lose(fault) }, to.elapsed());
    if let Some(killed) = killed {
        block_in_place(|| fleet.restart(killed));
    }
}

async fn check(plan: &Plan, fleet: &Fleet, load: &Load, table: &Table, audit: &Audit) {
    let idle = load.idle_books.audit(&table.windows());
    let (gone, wrong_keys) = load.registers.audit(&table.windows());
    let counts = load.queue.stats().await.unwrap();
    let Toll { lost, repeated, errors } = audit.sum();
    println!(
        "seed={} acknowledged={} replicated={} lost={lost} repeated={repeated} dead={} \
         written={} of_them_lost={gone} errors={errors} recovered_after={:.3}",
        plan.seed,
        audit.acknowledged,
        audit.replicated,
        counts.dead,
        load.registers.sent(),
        table.longest().as_secs_f64(),
    );
    let wrong: Vec<_> = [&audit.wrong, &idle.wrong, &wrong_keys].into_iter().flatten().collect();
    let some = wrong.iter().take(5).collect::<Vec<_>>();
    assert!(wrong.is_empty(), "{} things are wrong, such as {some:#?}", wrong.len());
    for (_, toll) in audit.tolls.iter().filter(|(it, _)| matches!(it.fault, Fault::Reshard(_))) {
        assert_eq!((toll.repeated, toll.errors), (0, 0), "a reshard is not to be noticed");
    }
    assert_eq!((counts.outstanding(), counts.dead), (0, 0), "{counts:?}");
    assert_adds_up(&counts);
    fleet.primaries().into_iter().for_each(assert_agrees);
}
