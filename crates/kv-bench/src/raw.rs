//! The driver by itself, set up as the Redis backend sets it up.

use std::time::Duration;

use fred::clients::Client;
use fred::interfaces::ClientLike;
use fred::types::config::{
    Config, ConnectionConfig, PerformanceConfig, ReconnectPolicy, ServerConfig, TcpConfig,
};
use socket2::TcpKeepalive;

use crate::Result;

/// The backend's own timeout, unless it is told another.
const TIMEOUT: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(15);

/// One connection to a server on this machine, with the settings of `kv-redis`.
pub(crate) async fn connect(port: u16) -> Result<Client> {
    let config =
        Config { server: ServerConfig::new_centralized("127.0.0.1", port), ..Config::default() };
    let performance = PerformanceConfig {
        default_command_timeout: TIMEOUT - TIMEOUT / 20,
        ..PerformanceConfig::default()
    };
    let connection = ConnectionConfig {
        connection_timeout: TIMEOUT,
        internal_command_timeout: TIMEOUT,
        max_command_attempts: 1,
        reconnect_on_auth_error: true,
        max_command_buffer_len: 0,
        tcp: TcpConfig {
            nodelay: Some(true),
            keepalive: Some(TcpKeepalive::new().with_time(KEEPALIVE).with_interval(KEEPALIVE / 3)),
            #[cfg(target_os = "linux")]
            user_timeout: Some(TIMEOUT),
            ..TcpConfig::default()
        },
        ..ConnectionConfig::default()
    };
    let policy = ReconnectPolicy::new_exponential(0, 100, 5_000, 2);
    let client = Client::new(config, Some(performance), Some(connection), Some(policy));
    client.init().await?;
    Ok(client)
}
