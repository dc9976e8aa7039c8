//! One connection: opened, watched, restored, and ended with its owner.

use std::net::IpAddr;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, EventInterface, MetricsInterface};
use fred::types::ClientState;
use fred::types::config::Server;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

use super::access::Access;
use super::connector::Connector;
use super::error;
use super::health::Health;
use super::loaded::Loaded;
use super::probe::answers_in_plain_text;
use super::request::{Answer, Request};
use super::send::{SendMode, send};
use crate::config::Address;

/// How often a waiting call checks the state of its connection: fred's notice can come between a
/// check and the wait for the notice.
const POLL_PAUSE: Duration = Duration::from_millis(10);
/// How long to wait for the reply to the last command of a connection that has ended.
const LAST_REPLY: Duration = Duration::from_millis(200);
/// How long to wait before a connection's task is restarted. The task ends only by its own fault.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How long a connection is kept at least after it was replaced because its server refuses writes.
const DEMOTED_PAUSE: Duration = Duration::from_secs(1);

/// How the task that runs a connection ends.
type Ended = Result<(), FredError>;

/// A connection that is being made.
type Opening<'a> = Pin<Box<dyn Future<Output = kv_core::Result<Connection>> + Send + 'a>>;

/// A connection and the task that watches it.
pub(super) struct Connection {
    client: Client,
    server: Arc<str>,
    health: Arc<Health>,
    loaded: Loaded,
    keeper: AbortOnDrop<()>,
}

impl Connection {
    /// Connects. The caller bounds the time. The future hides its type, since much of fred is in it,
    /// and would be compiled with every future around it.
    #[inline(never)]
    pub(super) fn open<'a>(connector: &'a Connector, address: &'a Address) -> Opening<'a> {
        Box::pin(Self::opened(connector, address))
    }

    async fn opened(connector: &Connector, address: &Address) -> kv_core::Result<Self> {
        let server: Arc<str> = address.to_string().into();
        let client = connector.client(address);
        let breaks = client.error_rx();
        let router = AbortOnDrop(client.connect());
        let router = if connector.is_encrypted() {
            tokio::select! {
                router = wait_until_connected(&client, router, breaks) => {
                    router.map_err(|fault| error::convert(&fault, Access::Read, &server))?
                }
                () = answers_in_plain_text(connector, address) => return Err(error::plain_text(&server)),
            }
        } else {
            let router = wait_until_connected(&client, router, breaks).await;
            router.map_err(|fault| error::unwelcome(&fault, &server))?
        };
        let health = Arc::new(Health::new(client.error_rx()));
        // Listen from here on: the task may start after the first break.
        let events = Events { breaks: client.error_rx(), connections: client.reconnect_rx() };
        let keeper = Keeper {
            client: client.clone(),
            server: server.clone(),
            is_named: is_named(address),
            connector: connector.clone(),
            health: health.clone(),
            demoted: None,
        };
        let keeper = AbortOnDrop(tokio::spawn(keeper.run(router, events)));
        Ok(Self { client, server, health, loaded: Loaded::default(), keeper })
    }

    /// Sends one request and waits for its reply; the first poll hands it over.
    pub(super) async fn send(&self, request: Request, mode: SendMode) -> Result<Answer, FredError> {
        let result = send(&self.client, request, mode, &self.loaded, &self.server).await;
        self.heed(&result);
        result
    }

    fn heed(&self, result: &Result<Answer, FredError>) {
        match result {
            Err(fault) if error::is_lost_connection(fault) => self.health.broke(),
            Err(fault) if !error::is_reply(fault) => {}
            Err(fault) => {
                self.health.replied();
                if error::is_demoted(fault) {
                    self.health.demoted.notify_one();
                }
            }
            Ok(_) => self.health.replied(),
        }
    }

    /// The number of replies so far.
    pub(super) fn replies(&self) -> u64 {
        self.health.replies()
    }

    /// Whether commands can be sent now.
    pub(super) fn is_ready(&self) -> bool {
        self.client.state() == ClientState::Connected && !self.health.is_breaking()
    }

    /// Returns when commands can be sent.
    ///
    /// Waits while an attempt to connect runs. Fails at once if the last attempt failed, so that a
    /// caller can use a fallback.
    pub(super) async fn ready(&self) -> kv_core::Result<()> {
        loop {
            match self.client.state() {
                ClientState::Connected if !self.health.is_breaking() => return Ok(()),
                ClientState::Connected | ClientState::Connecting => sleep(POLL_PAUSE).await,
                ClientState::Disconnected | ClientState::Disconnecting => {
                    return Err(error::unreachable(&self.server));
                }
            }
        }
    }

    /// How many commands wait to be written.
    pub(super) fn waiting(&self) -> usize {
        self.client.command_queue_len()
    }

    /// Closes the connection after the commands in flight.
    ///
    /// A connection that has just come back may end before it takes QUIT: fred then waits for a
    /// reply that nobody sends.
    pub(super) async fn quit(&self) -> Result<(), FredError> {
        match self.client.state() {
            ClientState::Connected => {
                let mut quit = pin!(self.client.quit());
                tokio::select! {
                    biased;
                    quit = &mut quit => quit,
                    () = self.ended() => timeout(LAST_REPLY, quit).await.unwrap_or(Ok(())),
                }
            }
            ClientState::Connecting | ClientState::Disconnected | ClientState::Disconnecting => {
                Ok(())
            }
        }
    }

    /// Returns when the task that runs the connection has ended, which it does once it is closed.
    async fn ended(&self) {
        while !self.keeper.0.is_finished() {
            sleep(POLL_PAUSE).await;
        }
    }

    /// Ends the connection at once.
    pub(super) fn end(&self) {
        self.keeper.0.abort();
    }

    /// Reports that no reply came for as long as a call may take. The connection is then replaced.
    pub(super) fn report_stall(&self) {
        self.health.stalled.notify_one();
    }
}

/// A connection that breaks at once is an error too, since fred would retry for ever.
pub(super) async fn wait_until_connected(
    client: &Client,
    mut router: AbortOnDrop<Ended>,
    mut breaks: Receiver<(FredError, Option<Server>)>,
) -> Result<AbortOnDrop<Ended>, FredError> {
    let mut broke = None;
    loop {
        tokio::select! {
            biased;
            ended = &mut router.0 => {
                return Err(ended.map_err(FredError::from).and_then(|end| end).err()
                    .unwrap_or_else(FredError::new_canceled));
            }
            Ok((fault, _)) = breaks.recv(), if broke.is_none() => broke = Some(fault),
            () = sleep(POLL_PAUSE) => {
                // The task may have ended by itself, and its error says more.
                if let Some(fault) = broke {
                    return Err(fault);
                }
            }
        }
        if client.is_connected() && broke.is_none() {
            return Ok(router);
        }
    }
}

/// Whether the server is found by a name, which may later mean another server.
fn is_named(address: &Address) -> bool {
    matches!(address, Address::Tcp { host, .. } if host.parse::<IpAddr>().is_err())
}

/// Ends a task with its owner; dropping a handle alone would let it run on.
pub(super) struct AbortOnDrop<T>(pub(super) JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Logs the connection's events, and replaces the connection when fred does not.
struct Keeper {
    client: Client,
    server: Arc<str>,
    is_named: bool,
    connector: Connector,
    health: Arc<Health>,
    /// When the connection was last replaced because its server refused writes.
    demoted: Option<Instant>,
}

/// fred's events of a connection.
struct Events {
    breaks: Receiver<(FredError, Option<Server>)>,
    connections: Receiver<Server>,
}

impl Keeper {
    async fn run(mut self, mut router: AbortOnDrop<Ended>, mut events: Events) {
        loop {
            tokio::select! {
                _ = &mut router.0 => {
                    if self.connector.is_closed() {
                        return;
                    }
                    tracing::warn!(server = %self.server, "redis connection task ended; restarting");
                    sleep(RESTART_PAUSE).await;
                    router = AbortOnDrop(self.client.connect());
                }
                event = events.breaks.recv() => match event {
                    Ok((fault, _)) => self.disconnected(&fault),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return self.end(router).await,
                },
                event = events.connections.recv() => match event {
                    Ok(_) => self.connected(),
                    Err(RecvError::Lagged(_)) => {}
                    Err(RecvError::Closed) => return self.end(router).await,
                },
                () = self.health.stalled.notified() => {
                    tracing::warn!(
                        server = %self.server,
                        "redis does not answer; replacing the connection"
                    );
                    self.replace().await;
                }
                () = self.health.demoted.notified() => self.leave_replica().await,
            }
        }
    }

    fn connected(&self) {
        self.health.mended();
        tracing::info!(server = %self.server, "redis reconnected");
    }

    fn disconnected(&self, fault: &FredError) {
        let error = error::convert(fault, Access::Read, &self.server);
        tracing::warn!(server = %self.server, %error, "redis disconnected; reconnecting");
        self.connector.lost.notify_one();
    }

    /// A host name may now lead to the new primary; a topology is told to look for it.
    async fn leave_replica(&mut self) {
        self.connector.lost.notify_one();
        if self.is_named && self.demoted.is_none_or(|last| last.elapsed() > DEMOTED_PAUSE) {
            tracing::warn!(server = %self.server, "redis takes no writes; looking it up again");
            self.demoted = Some(Instant::now());
            self.replace().await;
        }
    }

    /// fred notices a silent peer only while nothing is written to it.
    async fn replace(&self) {
        let limit = self.client.connection_config().connection_timeout;
        // The connection's state shows the result.
        let _ = timeout(limit, self.client.force_reconnection()).await;
    }

    /// The store was closed: its last commands are still being answered.
    async fn end(&self, mut router: AbortOnDrop<Ended>) {
        let _ = (&mut router.0).await;
    }
}
