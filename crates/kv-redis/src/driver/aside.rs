//! A separate connection, for a command that blocks its connection.

use std::time::Duration;

use bytes::Bytes;
use kv_core::Result;
use tokio::time::timeout as within;

use super::node::Node;
use super::send::Manner;
use super::{Answer, Driver, Request, error};

/// A connection to the server that probably has a key. After an error another server may have the
/// key, and the caller makes another connection.
pub(crate) struct Aside {
    node: Node,
    timeout: Duration,
}

impl Driver {
    /// Connects once more to the server that has a key. Each call on the connection may take this
    /// long.
    pub(crate) async fn aside(&self, key: &Bytes, timeout: Duration) -> Result<Aside> {
        self.check_open()?;
        let known = self.topology.node_for(&Request::Get(key.clone()))?;
        let dial = self.dial.aside(timeout);
        let node = within(self.timeout, Node::open(&dial, &known.address)).await;
        let node = node.unwrap_or_else(|_| Err(error::timed_out(&known.server)));
        // The server that had the key cannot be reached: it may have been replaced.
        let node = node.inspect_err(|_| self.topology.look_soon())?;
        Ok(Aside { node, timeout })
    }

    /// Sends one request over a separate connection.
    pub(crate) async fn call_aside(&self, aside: &Aside, request: Request) -> Result<Answer> {
        self.check_open()?;
        let (access, server) = (request.access(), &aside.node.server);
        let link = aside.node.link(1)?;
        link.ready().await?;
        match within(aside.timeout, link.send(request, Manner::Plain)).await {
            Ok(Ok(answer)) => Ok(answer),
            Ok(Err(fault)) => {
                self.topology.look_soon();
                Err(match self.redirect(&fault, &aside.node.address) {
                    Some(_) => error::sent_on(server),
                    None => error::convert(&fault, access, server),
                })
            }
            Err(_) => Err(error::late(access, server)),
        }
    }
}
