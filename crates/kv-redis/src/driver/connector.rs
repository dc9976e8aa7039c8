//! How the connections of a store are made, to any server.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use fred::clients::Client;
use fred::types::RespVersion;
#[cfg(feature = "tls")]
use fred::types::config::TlsConfig;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, Server, ServerConfig, TcpConfig,
};
use kv_core::Result;
use socket2::TcpKeepalive;
use tokio::sync::Notify;

#[cfg(feature = "tls")]
use super::tls;
use crate::config::{Address, Protocol, RedisConfig, Secret, Sentinels, Servers};

/// How long fred waits between two attempts to connect, at least and at most.
const RECONNECT_MILLIS: (u32, u32) = (100, 1_500);
const RECONNECT_JITTER_MILLIS: u32 = 100;
/// How many notices of changes wait for the task that reads them.
const NOTICES: usize = 4_096;
/// After this long without traffic the system probes the peer.
const KEEPALIVE: Duration = Duration::from_secs(15);

/// The settings that all connections of a store share.
#[derive(Clone)]
pub(super) struct Connector {
    username: Option<String>,
    password: Option<Secret>,
    /// `None` on a Cluster, which has only database 0.
    db: Option<u8>,
    #[cfg(feature = "tls")]
    tls: Option<TlsConfig>,
    is_encrypted: bool,
    protocol: Protocol,
    connections: usize,
    pub(super) timeout: Duration,
    closed: Arc<AtomicBool>,
    /// Notified when a connection broke, or leads to a server that refuses writes.
    pub(super) lost: Arc<Notify>,
}

impl Connector {
    /// Reads the files that the configuration names.
    pub(super) fn new(config: &RedisConfig) -> Result<Self> {
        let has_databases = !matches!(config.servers, Servers::Cluster(_));
        Ok(Self {
            username: config.username.clone(),
            password: config.password.clone(),
            db: has_databases.then_some(config.db),
            #[cfg(feature = "tls")]
            tls: config.tls.as_ref().map(tls::load).transpose()?,
            is_encrypted: config.tls.is_some(),
            protocol: config.protocol,
            connections: config.max_connections,
            timeout: config.timeout,
            closed: Arc::default(),
            lost: Arc::default(),
        })
    }

    /// For a question to a Sentinel: one connection with this timeout.
    pub(super) fn to_sentinels(&self, sentinels: &Sentinels, timeout: Duration) -> Self {
        Self {
            username: sentinels.username.clone(),
            password: sentinels.password.clone(),
            db: None,
            ..self.with_timeout(timeout)
        }
    }

    /// One connection with this timeout, whose end notifies nobody.
    pub(super) fn with_timeout(&self, timeout: Duration) -> Self {
        let lost = Arc::default();
        Self { connections: 1, timeout: timeout.min(self.timeout), lost, ..self.clone() }
    }

    /// One connection that may be silent for this long, and whose end notifies nobody.
    pub(super) fn dedicated(&self, timeout: Duration) -> Self {
        Self { timeout, ..self.with_timeout(timeout) }
    }

    /// How many connections each server gets.
    pub(super) fn connections(&self) -> usize {
        self.connections
    }

    pub(super) fn is_encrypted(&self) -> bool {
        self.is_encrypted
    }

    pub(super) fn is_closed(&self) -> bool {
        self.closed.load(Ordering::SeqCst)
    }

    /// Marks the store as closed. Returns whether it already was.
    pub(super) fn close(&self) -> bool {
        self.closed.swap(true, Ordering::SeqCst)
    }

    /// A connection for notices of changes, which is not made yet. It is not made again once it
    /// breaks, since notices would be missing.
    pub(super) fn tracking_client(&self, address: &Address) -> Client {
        let performance = PerformanceConfig {
            default_command_timeout: self.timeout,
            broadcast_channel_capacity: NOTICES,
            ..PerformanceConfig::default()
        };
        let config = Config { version: RespVersion::RESP2, ..self.server(address) };
        Client::new(config, Some(performance), Some(self.connection()), None)
    }

    /// A connection that is not made yet.
    pub(super) fn client(&self, address: &Address) -> Client {
        let (least, most) = RECONNECT_MILLIS;
        let mut policy = ReconnectPolicy::new_exponential(0, least, most, 2);
        policy.set_jitter(RECONNECT_JITTER_MILLIS);
        let performance = PerformanceConfig {
            // A little less than the caller waits: fred does not send later what it has given up
            // itself.
            default_command_timeout: self.timeout - self.timeout / 20,
            ..PerformanceConfig::default()
        };
        let connection = Some(self.connection());
        Client::new(self.server(address), Some(performance), connection, Some(policy))
    }

    fn server(&self, address: &Address) -> Config {
        let server = match address {
            Address::Tcp { host, port } => {
                ServerConfig::Centralized { server: Server::new(host.as_str(), *port) }
            }
            Address::Unix(path) => ServerConfig::Unix { path: path.clone() },
        };
        Config {
            server,
            username: self.username.clone(),
            password: self.password.as_ref().map(Secret::expose).map(str::to_owned),
            database: self.db,
            #[cfg(feature = "tls")]
            tls: self.tls.clone(),
            version: match self.protocol {
                Protocol::Resp2 => RespVersion::RESP2,
                Protocol::Resp3 => RespVersion::RESP3,
            },
            ..Config::default()
        }
    }

    fn connection(&self) -> ConnectionConfig {
        ConnectionConfig {
            connection_timeout: self.timeout,
            internal_command_timeout: self.timeout,
            max_command_attempts: 1,
            reconnect_on_auth_error: true,
            // Unbounded, since fred's task ends when its own order to reconnect finds no room, and
            // flushes no more once a command found none. `Node` bounds the waiting commands.
            max_command_buffer_len: 0,
            tcp: TcpConfig {
                nodelay: Some(true),
                keepalive: Some(
                    TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3),
                ),
                #[cfg(target_os = "linux")]
                user_timeout: Some(self.timeout),
                ..TcpConfig::default()
            },
            ..ConnectionConfig::default()
        }
    }
}
