//! An engine that is disturbed at every step, in a way that its answers must not show.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, Session, Submit, Submitted, check_exchange,
};
use kv_core::{Error, ErrorKind, Result, async_trait};
use kv_testbed::{Connection, RedisServer};

use super::stored;

/// What happens at every step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Disturbance {
    /// The reply to a request on a session is lost, and the request is sent again.
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
    /// The last request of each session of each partition.
    sessions: Mutex<HashMap<(u32, Arc<str>), u64>>,
}

impl Disturbed {
    pub(crate) fn new(
        server: &RedisServer,
        engine: Arc<dyn QueueEngine>,
        disturbance: Disturbance,
    ) -> Self {
        let connection = Mutex::new(server.connection().unwrap());
        Self { engine, disturbance, connection, sessions: Mutex::default() }
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

    /// Whether a request is a session's next.
    fn is_next(&self, at: &Partition, session: &Session) -> bool {
        let mut sessions = self.sessions.lock().unwrap();
        let last = sessions.entry((at.number, Arc::clone(&session.name))).or_default();
        session.request > std::mem::replace(last, session.request.max(*last))
    }

    /// Takes the wake-up for a claim that is sure to be done.
    fn take_wake_up(&self, at: &Partition, request: &Exchange) {
        let is_done = self.is_next(at, &request.session) && check_exchange(request).is_ok();
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
        if let Some(session) = &request.session {
            self.is_next(at, session);
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

    async fn maintain(&self, at: &Partition, request: Maintain) -> Result<Maintained> {
        self.begin();
        self.checked(at, self.engine.maintain(at, request).await)
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
