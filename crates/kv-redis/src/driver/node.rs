//! One server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join_all, try_join_all};
use kv_core::Result;
use tokio::sync::OnceCell;

use super::access::Access;
use super::connect::Connection;
use super::connector::Connector;
use super::{CHUNK, MOST_WAITING, error};
use crate::config::Address;

/// A server with its connections, which calls use in turn.
pub(super) struct Node {
    pub(super) address: Address,
    /// The address as errors show it.
    pub(super) server: Arc<str>,
    connections: Vec<Arc<Connection>>,
    next: AtomicUsize,
    connector: Connector,
    /// For writes that wait for copies, which block their connection.
    durable: OnceCell<Arc<Connection>>,
}

impl Node {
    /// Connects, within the time that the caller gives it.
    pub(super) async fn open(connector: &Connector, address: &Address) -> Result<Self> {
        let connections =
            (0..connector.connections()).map(|_| Connection::open(connector, address));
        let connections = try_join_all(connections).await?.into_iter().map(Arc::new).collect();
        let (address, server) = (address.clone(), address.to_string().into());
        let (next, connector, durable) = (AtomicUsize::new(0), connector.clone(), OnceCell::new());
        Ok(Self { address, server, connections, next, connector, durable })
    }

    /// The next connection in turn, if it has room for this many commands.
    pub(super) fn connection(&self, commands: usize) -> Result<&Arc<Connection>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.connections.len().max(1);
        let connection =
            self.connections.get(turn).ok_or_else(|| error::unreachable(&self.server))?;
        self.with_room(connection, commands)
    }

    /// The connection for writes that wait for copies, if it has room; made at its first use.
    pub(super) async fn durable_connection(&self, commands: usize) -> Result<&Arc<Connection>> {
        let open = async || Connection::open(&self.connector, &self.address).await.map(Arc::new);
        self.with_room(self.durable.get_or_try_init(open).await?, commands)
    }

    fn with_room<'a>(
        &self,
        connection: &'a Arc<Connection>,
        commands: usize,
    ) -> Result<&'a Arc<Connection>> {
        if connection.waiting() + commands.min(CHUNK) > MOST_WAITING {
            return Err(error::backpressure(&self.server));
        }
        Ok(connection)
    }

    /// Whether commands can be sent now on every connection.
    pub(super) fn is_ready(&self) -> bool {
        self.connections.iter().all(|connection| connection.is_ready())
    }

    /// Closes the connections after the commands in flight.
    pub(super) async fn quit(&self) -> Result<()> {
        let quit = join_all(self.all().map(|connection| connection.quit())).await;
        let fault = quit.into_iter().find_map(|quit| quit.err().filter(|it| !it.is_canceled()));
        let error = fault.map(|fault| error::convert(&fault, Access::Read, &self.server));
        error.map_or(Ok(()), Err)
    }

    /// Ends the connections at once.
    pub(super) fn end(&self) {
        self.all().for_each(|connection| connection.end());
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Connection>> {
        self.connections.iter().chain(self.durable.get())
    }
}
