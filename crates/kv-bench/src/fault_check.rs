//! What has to hold before a figure counts, with a fault: no job is lost, none is settled by who
//! lost it, and none is claimed twice.

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use kv_core::ErrorKind;
use kv_queue::Delivery;
use kv_testbed::{Cut, Proxy};
use tokio::time::timeout;

use crate::Result;
use crate::payload::SMALL;
use crate::queue::floor;
use crate::queue::ours::Ours;
use crate::server::Bed;

/// Far longer than any of it takes.
const LIMIT: Duration = Duration::from_secs(30);
const SHORT_LEASE: Duration = Duration::from_millis(100);

/// Tries the library's queue and the floor; what held.
pub(crate) async fn queue(bed: &Bed) -> Result<Vec<String>> {
    bed.clear()?;
    timeout(LIMIT, a_zombie_cannot_settle(bed)).await??;
    bed.clear()?;
    timeout(LIMIT, a_killed_holder_loses_nothing(bed)).await??;
    bed.clear()?;
    timeout(LIMIT, a_lost_reply_claims_nothing_twice(bed)).await??;
    bed.clear()?;
    timeout(LIMIT, floor::recovers(bed)).await??;
    let held = [
        "kv-queue: an ack after the lease's end is refused, and the job's next holder's is not",
        "kv-queue: a job whose holder is killed (SIGKILL) is delivered again, once",
        "kv-queue: a claim and acks whose replies are lost are repeated and happen once",
        "floor: a job whose lease has ended is delivered again",
    ];
    Ok(held.map(str::to_owned).to_vec())
}

async fn a_zombie_cannot_settle(bed: &Bed) -> Result<()> {
    let ours = Ours::open_with(&bed.url(), 1, SHORT_LEASE).await?;
    ours.fill(1, SMALL).await?;
    let zombie = take(&ours).await?;
    let heir = take(&ours).await?;
    let late = zombie.ack().await;
    if !late.is_err_and(|error| error.kind() == ErrorKind::Conflict) {
        return Err("an ack after the lease's end was not refused".into());
    }
    heir.ack().await?;
    done(&ours, 1).await
}

async fn a_killed_holder_loses_nothing(bed: &Bed) -> Result<()> {
    let ours = Ours::open_with(&bed.url(), 1, SHORT_LEASE).await?;
    ours.fill(1, SMALL).await?;
    let url = bed.url();
    let held = tokio::task::spawn_blocking(move || Holder::start(&url)?.kill()).await??;
    let delivery = take(&ours).await?;
    if delivery.payload() != &held || delivery.delivery() != 2 {
        return Err("the job of a killed holder did not come back".into());
    }
    delivery.ack().await?;
    done(&ours, 1).await
}

async fn a_lost_reply_claims_nothing_twice(bed: &Bed) -> Result<()> {
    const JOBS: usize = 5;
    let proxy = Proxy::start(("127.0.0.1", bed.port())).await?;
    let ours = Ours::open(&format!("redis://127.0.0.1:{}/0", proxy.port())).await?;
    ours.fill(JOBS as u64, SMALL).await?;
    // Requests that claim or settle, and no others here, name a session.
    proxy.cut(Cut::in_reply("lane:", 0));
    let deliveries = ours.queue.dequeue(JOBS).await?;
    let leased = ours.queue.stats().await?.leased;
    if (deliveries.len(), leased) != (JOBS, JOBS as u64) || proxy.traffic().cuts != 1 {
        let came = deliveries.len();
        return Err(format!("after a lost reply {came} jobs came and {leased} are out").into());
    }
    for delivery in deliveries {
        proxy.cut(Cut::in_reply("lane:", 0));
        delivery.ack().await?;
    }
    done(&ours, JOBS as u64).await
}

/// The next job, as soon as there is one.
async fn take(ours: &Ours) -> Result<Delivery<String>> {
    loop {
        if let Some(delivery) = ours.queue.dequeue(1).await?.pop() {
            return Ok(delivery);
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

async fn done(ours: &Ours, jobs: u64) -> Result<()> {
    let stats = ours.queue.stats().await?;
    if stats.done == jobs && stats.outstanding() == 0 && stats.dead == 0 {
        return Ok(());
    }
    Err(format!("not each of {jobs} jobs was done once: {stats:?}").into())
}

/// Another process that has a job in hand.
struct Holder {
    child: Child,
    payload: String,
}

impl Holder {
    fn start(url: &str) -> Result<Self> {
        let program = std::env::current_exe()?;
        let mut child = Command::new(program)
            .args(["hold-job", url])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut payload = String::new();
        let output = child.stdout.take().ok_or("the holder has no output")?;
        BufReader::new(output).read_line(&mut payload)?;
        Ok(Self { child, payload: payload.trim_end().to_owned() })
    }

    /// Kills it at once; the payload of the job that it had.
    fn kill(mut self) -> Result<String> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(self.payload)
    }
}

/// Takes a job, says which, and holds it until killed.
pub(crate) async fn hold_job(url: &str) -> Result<()> {
    let ours = Ours::open_with(url, 1, SHORT_LEASE).await?;
    let delivery = take(&ours).await?;
    println!("{}", delivery.payload());
    // Not for ever: whoever started this may have died without killing it.
    tokio::time::sleep(LIMIT).await;
    Ok(())
}
