//! An engine that is disturbed at every step, in a way that its answers must not show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Lane, Partition, QueueEngine,
    Submit, Submitted, Tend, Tended, check_exchange,
};
use kv_core::{Error, ErrorKind, Result, async_trait};
use kv_testbed::{Connection, RedisServer};

use super::stored;

/// What happens at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// The reply to a request on a lane is lost, and the request is sent again.
    RepliesLost,
    /// The server forgets all scripts.
    ScriptsForgotten,
    /// Who claims was woken: the wake-up is taken. Where then something is claimable without
    /// another wake-up, the step fails.
    WakeUpsTaken,
}

pub(crate) struct Disturbed {
    engine: Arc<dyn QueueEngine>,
    disturbance: Disturbance,
    connection: Mutex<Connection>,
    /// The last request of each lane of each partition.
    lanes: Mutex<HashMap<(u32, Arc<str>), u64>>,
}

impl Disturbed {
    pub(crate) fn new(
        server: &RedisServer,
        engine: Arc<dyn QueueEngine>,
        disturbance: Disturbance,
    ) -> Self {
        let connection = Mutex::new(server.connection().unwrap());
        Self { engine, disturbance, connection, lanes: Mutex::default() }
    }

    fn ask(&self, command: &[&str]) {
        stored::ask(&mut self.connection.lock().unwrap(), command).unwrap();
    }

    fn begin(&self) {
        if self.disturbance == Disturbance::ScriptsForgotten {
            self.ask(&["SCRIPT", "FLUSH"]);
        }
    }

    /// The answer of a step, unless it left something claimable without a wake-up.
    fn checked<R>(&self, at: &Partition, answer: Result<R>) -> Result<R> {
        if self.disturbance == Disturbance::WakeUpsTaken {
            let woken = stored::check_wake(&mut self.connection.lock().unwrap(), at);
            woken.map_err(|why| Error::new(ErrorKind::Backend, why))?;
        }
        answer
    }

    /// Whether a request is a lane's next.
    fn is_next(&self, at: &Partition, lane: &Lane) -> bool {
        let mut lanes = self.lanes.lock().unwrap();
        let last = lanes.entry((at.number, Arc::clone(&lane.name))).or_default();
        lane.request > std::mem::replace(last, lane.request.max(*last))
    }

    /// Takes the wake-up for a claim that is sure to be done.
    fn take_wake_up(&self, at: &Partition, request: &Exchange) {
        let is_done = self.is_next(at, &request.lane) && check_exchange(request).is_ok();
        if is_done && request.claim.is_some_and(|claim| claim.limit > 0) {
            self.ask(&["LPOP", &stored::key(at, "wake")]);
        }
    }
}

#[async_trait]
impl QueueEngine for Disturbed {
    async fn open(&self, queue: &str, partitions: u32) -> Result<()> {
        self.begin();
        self.engine.open(queue, partitions).await
    }

    async fn submit(&self, at: &Partition, request: Submit) -> Result<Vec<Submitted>> {
        self.begin();
        if let Some(lane) = &request.lane {
            self.is_next(at, lane);
            if self.disturbance == Disturbance::RepliesLost {
                let _ = self.engine.submit(at, request.clone()).await;
            }
        }
        self.checked(at, self.engine.submit(at, request).await)
    }

    async fn exchange(&self, at: &Partition, request: Exchange) -> Result<Exchanged> {
        self.begin();
        match self.disturbance {
            Disturbance::RepliesLost => {
                let _ = self.engine.exchange(at, request.clone()).await;
            }
            Disturbance::WakeUpsTaken => self.take_wake_up(at, &request),
            Disturbance::ScriptsForgotten => {}
        }
        self.checked(at, self.engine.exchange(at, request).await)
    }

    async fn tend(&self, at: &Partition, request: Tend) -> Result<Tended> {
        self.begin();
        self.checked(at, self.engine.tend(at, request).await)
    }

    async fn control(&self, at: &Partition, request: Control) -> Result<Controlled> {
        self.begin();
        self.checked(at, self.engine.control(at, request).await)
    }

    async fn inspect(&self, at: &Partition, request: Inspect) -> Result<Inspected> {
        self.begin();
        self.engine.inspect(at, request).await
    }

    async fn remove(&self, queue: &str, partitions: u32) -> Result<()> {
        self.engine.remove(queue, partitions).await
    }

    async fn wait(&self, partitions: &[Partition], timeout: Duration) -> Result<Vec<u32>> {
        self.engine.wait(partitions, timeout).await
    }
}
