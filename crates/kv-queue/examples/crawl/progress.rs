//! Shows how far the crawl is: a bar on a terminal, plain lines elsewhere.

use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use kv_queue::CancellationToken;
use tokio::task::JoinHandle;
use tokio::time::{Instant, MissedTickBehavior, interval};

use crate::crawler::{Counts, Crawler};

pub(crate) struct Reporter {
    stop: CancellationToken,
    task: JoinHandle<()>,
}

impl Reporter {
    /// Shows the last state and ends.
    pub(crate) async fn stop(self) {
        self.stop.cancel();
        let _ = self.task.await;
    }
}

pub(crate) fn spawn(crawler: Arc<Crawler>) -> Reporter {
    let stop = CancellationToken::new();
    let stopped = stop.clone();
    let task = tokio::spawn(async move {
        if std::io::stderr().is_terminal() {
            draw(&crawler, &stopped).await;
        } else {
            print(&crawler, &stopped).await;
        }
    });
    Reporter { stop, task }
}

async fn draw(crawler: &Crawler, stop: &CancellationToken) {
    let bar = ProgressBar::new(0);
    let style = ProgressStyle::with_template("{wide_bar} {msg}");
    bar.set_style(style.unwrap_or_else(|_| ProgressStyle::default_bar()));
    let start = Instant::now();
    ticking(Duration::from_millis(100), stop, || {
        let counts = crawler.counts();
        bar.set_length(counts.found());
        bar.set_position(counts.done());
        bar.set_message(line(counts, start));
    })
    .await;
    bar.finish();
}

async fn print(crawler: &Crawler, stop: &CancellationToken) {
    let start = Instant::now();
    ticking(Duration::from_secs(1), stop, || eprintln!("{}", line(crawler.counts(), start))).await;
}

/// Shows at once, then at each tick, and once more at the end.
async fn ticking(period: Duration, stop: &CancellationToken, mut show: impl FnMut()) {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = ticks.tick() => show(),
            () = stop.cancelled() => break,
        }
    }
    show();
}

fn line(counts: &Counts, start: Instant) -> String {
    let seconds = start.elapsed().as_secs_f64().max(0.001);
    let rate = counts.hashed() as f64 / seconds;
    format!(
        "found {} done {} failed {} rate {rate:.0} files/s",
        counts.found(),
        counts.done(),
        counts.failed()
    )
}
