//! A loop that fires what is due.

use std::time::Duration;

use kv_core::Result;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::fire::Agenda;
use super::schedules::Schedules;

/// How often a scheduler asks whether schedules were changed.
const SCAN_PERIOD: Duration = Duration::from_secs(5);

/// How often a scheduler reads all schedules, whatever it was told.
const READ_PERIOD: Duration = Duration::from_secs(60);

/// How long a scheduler waits after an error.
const AFTER_ERROR: Duration = Duration::from_secs(1);

/// Fires the schedules of a queue while it runs.
///
/// Run one in each process, beside the worker: all of them together fire each due time once. A
/// scheduler sleeps until exactly the next due time by the store's clock. It asks once in 5 seconds
/// whether schedules were changed.
///
/// ```
/// use kv_queue::{CancellationToken, Cron, Queue};
///
/// # tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap().block_on(async {
/// # let store = kv_core::Store::new(kv_memory::MemoryStore::new());
/// let queue = Queue::<String>::open(&store, "reports").await?;
/// queue.schedule("daily", Cron::new("@daily", "UTC")?, "report".to_owned()).await?;
/// let stop = CancellationToken::new();
/// let scheduler = queue.schedules().scheduler().stop_on(stop.clone());
/// let running = tokio::spawn(scheduler.run());
/// stop.cancel();
/// running.await.unwrap()?;
/// # Ok::<(), kv_core::Error>(()) }).unwrap();
/// ```
#[derive(Debug)]
pub struct Scheduler {
    schedules: Schedules,
    stop: CancellationToken,
}

impl Schedules {
    /// A scheduler of these schedules, to be run.
    #[must_use]
    pub fn scheduler(&self) -> Scheduler {
        Scheduler { schedules: self.clone(), stop: CancellationToken::new() }
    }
}

impl Scheduler {
    /// Ends the scheduler when the token is cancelled.
    #[must_use]
    pub fn stop_on(self, token: CancellationToken) -> Self {
        Self { stop: token, ..self }
    }

    /// Fires what is due until the scheduler is stopped.
    ///
    /// # Errors
    /// Errors that waiting does not clear, such as `Closed` and `Auth`. Other errors are logged,
    /// and tried again after a second.
    ///
    /// # Cancel safety
    /// A dropped future ends the scheduler. A due time that it was dealing with is dealt with by
    /// another scheduler, or by a later one.
    pub async fn run(self) -> Result<()> {
        let stop = self.stop.clone();
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.fire() => ended,
        }
    }

    async fn fire(&self) -> Result<()> {
        let (mut agenda, mut read) = (Agenda::default(), None::<Instant>);
        loop {
            let is_old = read.is_none_or(|read| read.elapsed() >= READ_PERIOD);
            let pause = match self.turn(&mut agenda, is_old).await {
                Ok(pause) => {
                    if is_old {
                        read = Some(Instant::now());
                    }
                    pause
                }
                Err(error) if error.kind().is_transient() => {
                    let queue = self.schedules.connection().queue();
                    tracing::warn!(queue, %error, "the schedules cannot be read");
                    AFTER_ERROR
                }
                Err(error) => return Err(error),
            };
            tokio::time::sleep(pause).await;
        }
    }

    /// Fires what is due. Returns how long to wait.
    async fn turn(&self, agenda: &mut Agenda, is_old: bool) -> Result<Duration> {
        self.schedules.connection().check_open()?;
        match is_old {
            true => agenda.read(&self.schedules).await?,
            false => agenda.refresh(&self.schedules).await?,
        }
        let (fired, failed) = agenda.fire(&self.schedules).await?;
        if let Some(error) = failed {
            let queue = self.schedules.connection().queue();
            tracing::warn!(queue, %error, "a schedule could not be fired");
            return Ok(AFTER_ERROR);
        }
        Ok(fired.next.map_or(SCAN_PERIOD, |next| next.min(SCAN_PERIOD)))
    }
}
