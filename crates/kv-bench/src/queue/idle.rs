//! What a worker that has nothing to do sends.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::Error;
use kv_queue::{CancellationToken, Worker};
use kv_testbed::Reply;
use tokio::time::sleep;

use super::ours::Ours;
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::server::Bed;
use crate::statistics::count;

pub(crate) const SCENARIO: &str = "idle";
const FIGURE: &str = "commands/s";
const LEASE: Duration = Duration::from_secs(30);

/// Until a worker that was just started is at rest.
const SETTLE: Duration = Duration::from_secs(3);

/// Twice as long as the backend blocks on one command.
const WATCH: Duration = Duration::from_secs(10);

/// The contest.
pub(crate) fn plan(bed: &Arc<Bed>, settings: &Settings) -> Plan {
    let watch = if settings.quick { WATCH / 5 } else { WATCH };
    let about = format!(
        "One process, one `Worker`, no jobs: what it sends within {watch:?}, as MONITOR shows it; \
         commands inside scripts do not count."
    );
    let mut plan = Plan::new(SCENARIO, "an idle worker", &about, FIGURE).at_most_rounds(1);
    for (partitions, name) in [(1, "1 partition"), (16, "16 partitions"), (64, "64 partitions")] {
        let idle = Idle { bed: bed.clone(), partitions, watch };
        plan = plan
            .enter(name, Tier::Fenced, "kv-queue", idle)
            .target(Target::at_most(1.0, name, FIGURE));
    }
    plan
}

struct Idle {
    bed: Arc<Bed>,
    partitions: u32,
    watch: Duration,
}

#[async_trait]
impl Contestant for Idle {
    async fn turn(&mut self) -> Result<Sample> {
        self.bed.clear()?;
        let ours = Ours::open_with(&self.bed.url(), self.partitions, LEASE).await?;
        let stop = CancellationToken::new();
        let worker = Worker::new(ours.queue.clone()).stop_on(stop.clone());
        let worker = tokio::spawn(worker.run(|_| std::future::ready(Ok::<(), Error>(()))));
        sleep(SETTLE).await;
        let sent = self.sent().await?;
        stop.cancel();
        worker.await??;
        let rate = count(sent) / self.watch.as_secs_f64();
        Ok(Sample::from([(FIGURE.to_owned(), rate)]))
    }
}

impl Idle {
    /// How many commands reach the server meanwhile.
    async fn sent(&self) -> Result<usize> {
        let mut monitor = self.bed.connection()?;
        monitor.command(&["MONITOR"])?;
        sleep(self.watch).await;
        let mut sent = 0;
        while monitor.has_reply()? {
            // `1766666666.123456 [0 lua] "get" "k"` is a command inside a script.
            if let Reply::Simple(line) = monitor.read()? {
                sent += usize::from(!line.contains(" lua] "));
            }
        }
        Ok(sent)
    }
}
