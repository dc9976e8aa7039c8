//! Whether a server that does not answer a TLS handshake answers in plain text: Redis takes the
//! handshake for the beginning of a command, and waits for the rest.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::sleep;

use super::connector::Connector;
use crate::config::Address;

/// How long a handshake may take before the server is asked in plain text.
const SLOW: Duration = Duration::from_secs(1);

/// Returns when the server answers in plain text; never returns if it does not.
pub(super) async fn answers_in_plain_text(connector: &Connector, address: &Address) {
    sleep(SLOW.min(connector.timeout / 4)).await;
    if !answers(address).await.unwrap_or(false) {
        std::future::pending::<()>().await;
    }
}

/// The request reveals nothing, and the reply is a status or an error.
async fn answers(address: &Address) -> std::io::Result<bool> {
    let Address::Tcp { host, port } = address else { return Ok(false) };
    let mut stream = TcpStream::connect((host.as_str(), *port)).await?;
    stream.write_all(b"PING\r\n").await?;
    Ok(matches!(stream.read_u8().await?, b'+' | b'-'))
}
