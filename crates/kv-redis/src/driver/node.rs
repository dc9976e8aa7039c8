//! One server, and the connections to it.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use futures_util::future::{join_all, try_join_all};
use kv_core::Result;
use tokio::sync::OnceCell;

use super::access::Access;
use super::connect::Link;
use super::dial::Dial;
use super::{CHUNK, MOST_WAITING, error};
use crate::config::Address;

/// A server with its connections, which calls use in turn.
pub(super) struct Node {
    pub(super) address: Address,
    /// The address as errors show it.
    pub(super) server: Arc<str>,
    links: Vec<Arc<Link>>,
    next: AtomicUsize,
    dial: Dial,
    /// For writes that wait for copies, which block their connection.
    durable: OnceCell<Arc<Link>>,
}

impl Node {
    /// Connects, within the time that the caller gives it.
    pub(super) async fn open(dial: &Dial, address: &Address) -> Result<Self> {
        let links = (0..dial.connections()).map(|_| Link::open(dial, address));
        let links = try_join_all(links).await?.into_iter().map(Arc::new).collect();
        let (address, server) = (address.clone(), address.to_string().into());
        let (next, dial, durable) = (AtomicUsize::new(0), dial.clone(), OnceCell::new());
        Ok(Self { address, server, links, next, dial, durable })
    }

    /// The next connection in turn, if it has room for this many commands.
    pub(super) fn link(&self, commands: usize) -> Result<&Arc<Link>> {
        let turn = self.next.fetch_add(1, Ordering::Relaxed) % self.links.len().max(1);
        let link = self.links.get(turn).ok_or_else(|| error::unreachable(&self.server))?;
        self.with_room(link, commands)
    }

    /// The connection for writes that wait for copies, if it has room; made at its first use.
    pub(super) async fn durable_link(&self, commands: usize) -> Result<&Arc<Link>> {
        let open = async || Link::open(&self.dial, &self.address).await.map(Arc::new);
        self.with_room(self.durable.get_or_try_init(open).await?, commands)
    }

    fn with_room<'a>(&self, link: &'a Arc<Link>, commands: usize) -> Result<&'a Arc<Link>> {
        if link.waiting() + commands.min(CHUNK) > MOST_WAITING {
            return Err(error::backpressure(&self.server));
        }
        Ok(link)
    }

    /// Whether commands can be sent now on every connection.
    pub(super) fn is_ready(&self) -> bool {
        self.links.iter().all(|link| link.is_ready())
    }

    /// Closes the connections after the commands in flight.
    pub(super) async fn quit(&self) -> Result<()> {
        let quit = join_all(self.all().map(|link| link.quit())).await;
        let fault = quit.into_iter().find_map(|quit| quit.err().filter(|it| !it.is_canceled()));
        let error = fault.map(|fault| error::convert(&fault, Access::Read, &self.server));
        error.map_or(Ok(()), Err)
    }

    /// Ends the connections at once.
    pub(super) fn end(&self) {
        self.all().for_each(|link| link.end());
    }

    fn all(&self) -> impl Iterator<Item = &Arc<Link>> {
        self.links.iter().chain(self.durable.get())
    }
}
