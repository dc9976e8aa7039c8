//! One connection: opened, watched, brought back, and ended with its owner.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, EventInterface, MetricsInterface};
use fred::types::ClientState;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, Server, ServerConfig, TcpConfig,
    UnresponsiveConfig,
};
use socket2::TcpKeepalive;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::task::JoinHandle;
use tokio::time::{sleep, timeout};

use super::error;
use super::health::Health;
use super::request::{Access, Answer, Request};
use super::send::send;
use crate::config::{RedisConfig, Secret};

/// How long the library may sleep between two attempts to connect, at least and at most.
const RECONNECT_MILLIS: (u32, u32) = (100, 1_500);
const RECONNECT_JITTER_MILLIS: u32 = 100;
/// After this long without traffic the peer is asked whether it is still there.
const KEEPALIVE: Duration = Duration::from_secs(15);
/// How often a waiting call looks at the state of its connection: the library's own notice can
/// come between a look and the wait for it.
const LOOK: Duration = Duration::from_millis(10);
/// How long to wait before a connection's task is started anew. It ends only by a fault of its own.
const RESTART_PAUSE: Duration = Duration::from_secs(1);

/// How the task that runs a connection ends.
type Ended = Result<(), FredError>;

/// A connection and the task that looks after it.
pub(super) struct Link {
    client: Client,
    server: Arc<str>,
    health: Arc<Health>,
    keeper: AbortOnDrop<()>,
}

impl Link {
    /// Connects, within the time that the caller gives it.
    pub(super) async fn open(
        config: &RedisConfig,
        closed: &Arc<AtomicBool>,
    ) -> kv_core::Result<Self> {
        let server: Arc<str> = config.server().into();
        let client = client(config);
        let router = AbortOnDrop(client.connect());
        let router = wait_until_connected(&client, router)
            .await
            .map_err(|fault| error::convert(&fault, Access::Read, &server))?;
        let health = Arc::new(Health::new(client.error_rx()));
        // Listened to from here on: the task may start after the first break.
        let events = Events { breaks: client.error_rx(), connections: client.reconnect_rx() };
        let keeper = Keeper {
            client: client.clone(),
            server: server.clone(),
            closed: closed.clone(),
            health: health.clone(),
        };
        let keeper = AbortOnDrop(tokio::spawn(keeper.run(router, events)));
        Ok(Self { client, server, health, keeper })
    }

    /// Sends one request and waits for its reply; the first poll hands it over.
    ///
    /// A script that the server does not know is sent once more, `whole`: it was not executed.
    pub(super) async fn send(&self, request: Request, whole: bool) -> Result<Answer, FredError> {
        let script = matches!(request, Request::Script { .. }).then(|| request.clone());
        let mut result = send(&self.client, request, whole).await;
        if let (Err(fault), Some(script)) = (&result, script)
            && error::is_unknown_script(fault)
        {
            tracing::info!(server = %self.server, "redis forgot a script; sending it again");
            result = send(&self.client, script, true).await;
        }
        match &result {
            Err(fault) if error::is_lost_connection(fault) => self.health.broke(),
            Err(fault) if !error::is_reply(fault) => {}
            Ok(_) | Err(_) => self.health.replied(),
        }
        result
    }

    /// How many replies have come so far.
    pub(super) fn replies(&self) -> u64 {
        self.health.replies()
    }

    /// Whether commands can be sent now.
    pub(super) fn is_ready(&self) -> bool {
        self.client.state() == ClientState::Connected && !self.health.is_breaking()
    }

    /// Returns when commands can be sent.
    ///
    /// It waits while an attempt to connect is under way, and fails at once when the last one
    /// failed, so that a caller can fall back on something else.
    pub(super) async fn ready(&self) -> kv_core::Result<()> {
        loop {
            match self.client.state() {
                ClientState::Connected if !self.health.is_breaking() => return Ok(()),
                ClientState::Connected | ClientState::Connecting => sleep(LOOK).await,
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

    /// Closes the connection after the commands that are under way.
    pub(super) async fn quit(&self) -> Result<(), FredError> {
        match self.client.state() {
            ClientState::Connected => self.client.quit().await,
            ClientState::Connecting | ClientState::Disconnected | ClientState::Disconnecting => {
                Ok(())
            }
        }
    }

    /// Ends the connection at once.
    pub(super) fn end(&self) {
        self.keeper.0.abort();
    }

    /// Tells that nothing came back for as long as a call may take: the connection is replaced.
    pub(super) fn report_stall(&self) {
        self.health.stalled.notify_one();
    }
}

async fn wait_until_connected(
    client: &Client,
    mut router: AbortOnDrop<Ended>,
) -> Result<AbortOnDrop<Ended>, FredError> {
    loop {
        tokio::select! {
            biased;
            ended = &mut router.0 => {
                return Err(ended.map_err(FredError::from).and_then(|end| end).err()
                    .unwrap_or_else(FredError::new_canceled));
            }
            () = sleep(LOOK) => {}
        }
        if client.is_connected() {
            return Ok(router);
        }
    }
}

/// Ends a task with its owner; dropping a handle alone would let it run on.
struct AbortOnDrop<T>(JoinHandle<T>);

impl<T> Drop for AbortOnDrop<T> {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Tells the operator what becomes of a connection, and replaces it where the library does not.
struct Keeper {
    client: Client,
    server: Arc<str>,
    closed: Arc<AtomicBool>,
    health: Arc<Health>,
}

/// What the library tells of a connection.
struct Events {
    breaks: Receiver<(FredError, Option<Server>)>,
    connections: Receiver<Server>,
}

impl Keeper {
    async fn run(self, mut router: AbortOnDrop<Ended>, mut events: Events) {
        loop {
            tokio::select! {
                _ = &mut router.0 => {
                    if self.closed.load(Ordering::SeqCst) {
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
                () = self.health.stalled.notified() => self.replace().await,
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
    }

    /// The library notices a silent peer only when nothing is written to it.
    async fn replace(&self) {
        tracing::warn!(server = %self.server, "redis does not answer; replacing the connection");
        let limit = self.client.connection_config().connection_timeout;
        // Whatever comes of it is seen in the connection's state.
        let _ = timeout(limit, self.client.force_reconnection()).await;
    }

    /// The store was closed: its last commands are still being answered.
    async fn end(&self, mut router: AbortOnDrop<Ended>) {
        let _ = (&mut router.0).await;
    }
}

fn client(config: &RedisConfig) -> Client {
    let (least, most) = RECONNECT_MILLIS;
    let mut policy = ReconnectPolicy::new_exponential(0, least, most, 2);
    policy.set_jitter(RECONNECT_JITTER_MILLIS);
    let performance = PerformanceConfig {
        // A little less than the caller waits: what the library itself gives up is not sent later.
        default_command_timeout: config.timeout - config.timeout / 20,
        ..PerformanceConfig::default()
    };
    Client::new(server(config), Some(performance), Some(connection(config)), Some(policy))
}

fn server(config: &RedisConfig) -> Config {
    Config {
        server: ServerConfig::Centralized {
            server: Server::new(config.host.as_str(), config.port),
        },
        username: config.username.clone(),
        password: config.password.as_ref().map(Secret::expose).map(str::to_owned),
        database: Some(config.db),
        ..Config::default()
    }
}

fn connection(config: &RedisConfig) -> ConnectionConfig {
    ConnectionConfig {
        connection_timeout: config.timeout,
        internal_command_timeout: config.timeout,
        max_command_attempts: 1,
        reconnect_on_auth_error: true,
        // Unbounded, since the library's task ends when its own order to reconnect finds no room,
        // and flushes no more once a command found none. `Driver` bounds what waits.
        max_command_buffer_len: 0,
        unresponsive: UnresponsiveConfig {
            max_timeout: Some(config.timeout),
            interval: (config.timeout / 4).max(Duration::from_millis(1)),
        },
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3)),
            #[cfg(target_os = "linux")]
            user_timeout: Some(config.timeout),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    }
}
