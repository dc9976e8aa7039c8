//! A separate connection, for a command that blocks its connection.

use std::time::Duration;

use bytes::Bytes;
use kv_core::Result;
use tokio::time::timeout as within;

use super::node::Node;
use super::send::SendMode;
use super::{Answer, Driver, Request, error};

/// A connection to the server that probably has a key. After an error another server may have the
/// key, and the caller makes another connection.
pub(crate) struct Dedicated {
    node: Node,
    timeout: Duration,
}

impl Driver {
    /// Connects once more to the server that has a key. Each call on the connection may take this
    /// long.
    pub(crate) async fn dedicated(&self, key: &Bytes, timeout: Duration) -> Result<Dedicated> {
        self.check_open()?;
        let known = self.topology.node_for(&Request::Get(key.clone()))?;
        let connector = self.connector.dedicated(timeout);
        let node = within(self.timeout, Node::open(&connector, &known.address)).await;
        let node = node.unwrap_or_else(|_| Err(error::timed_out(&known.server)));
        // The server that had the key cannot be reached: it may have been replaced.
        let node = node.inspect_err(|_| self.topology.refresh_soon())?;
        Ok(Dedicated { node, timeout })
    }

    /// Sends one request over a separate connection.
    pub(crate) async fn call_dedicated(
        &self,
        dedicated: &Dedicated,
        request: Request,
    ) -> Result<Answer> {
        self.check_open()?;
        let (access, server) = (request.access(), &dedicated.node.server);
        let connection = dedicated.node.connection(1)?;
        connection.ready().await?;
        match within(dedicated.timeout, connection.send(request, SendMode::Plain)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => {
                self.topology.refresh_soon();
                Err(match self.redirect(&fault, &dedicated.node.address) {
                    Some(_) => error::sent_on(server),
                    None => error::convert(&fault, access, server),
                })
            }
            Err(_) => Err(error::late(access, server)),
        }
    }
}
