//! A TCP proxy that breaks connections where a test wants it.

mod connection;
mod cut;
mod frames;

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::num::NonZeroU64;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::net::{TcpListener, ToSocketAddrs, lookup_host};
use tokio::sync::watch;
use tokio::task::{AbortHandle, JoinSet};
use tokio::time::sleep;

pub use self::cut::Cut;
use crate::error::{Error, Result};

const ACCEPT_AGAIN: Duration = Duration::from_millis(10);

/// What a [`Proxy`] does with the bytes it carries, and with new connections.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Passes everything on at once.
    #[default]
    Pass,
    /// Passes everything on later, requests and replies by a time each.
    ///
    /// It moves bytes in time and does not slow them down: any number of requests may be on their
    /// way at once. A delay is exact to about a millisecond, and never shorter than asked for.
    Delay {
        /// From the client to the server.
        request: Duration,
        /// From the server to the client.
        reply: Duration,
    },
    /// Passes on so many bytes a second at most, on each connection and each way.
    ///
    /// What waits is kept in a long queue, as in a router on the way: a sender gets rid of up to 64
    /// MiB at once, and they arrive in their time.
    Throttle {
        /// More than none.
        bytes_per_second: NonZeroU64,
    },
    /// Accepts connections and keeps them open, but carries nothing either way.
    ///
    /// As when a network loses its packets: what is sent meanwhile arrives when another mode is
    /// set, unless the connection has been given up by then.
    BlackHole,
    /// Requests go through, replies are held back until another mode is set.
    HoldReplies,
    /// Resets every new connection as soon as it is accepted; older ones go on.
    Refuse,
}

/// Which way bytes go.
#[derive(Debug, Clone, Copy)]
enum Direction {
    Request,
    Reply,
}

impl Mode {
    fn holds(self, direction: Direction) -> bool {
        matches!((self, direction), (Self::BlackHole, _) | (Self::HoldReplies, Direction::Reply))
    }

    fn delay(self, direction: Direction) -> Duration {
        match (self, direction) {
            (Self::Delay { request, .. }, Direction::Request) => request,
            (Self::Delay { reply, .. }, Direction::Reply) => reply,
            _ => Duration::ZERO,
        }
    }

    /// How long so many bytes take.
    fn duration(self, bytes: usize) -> Duration {
        match self {
            Self::Throttle { bytes_per_second } => {
                let nanos = u64::try_from(bytes).unwrap_or(u64::MAX).saturating_mul(1_000_000_000);
                Duration::from_nanos(nanos / bytes_per_second)
            }
            _ => Duration::ZERO,
        }
    }
}

/// What has gone through a [`Proxy`] so far.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Traffic {
    /// Connections accepted, refused ones included.
    pub connections: u64,
    /// Bytes written to the server.
    pub request_bytes: u64,
    /// Bytes written to the clients.
    pub reply_bytes: u64,
    /// Cuts that were armed and have happened.
    pub cuts: u64,
    /// The bytes of the largest command that has gone through whole, as they are on the wire.
    pub largest_request: u64,
    /// The same of replies.
    pub largest_reply: u64,
}

#[derive(Debug, Default)]
struct Shared {
    mode: watch::Sender<Mode>,
    resets: watch::Sender<()>,
    armed: Mutex<Option<Cut>>,
    connections: AtomicU64,
    request_bytes: AtomicU64,
    reply_bytes: AtomicU64,
    cuts: AtomicU64,
    largest_request: AtomicU64,
    largest_reply: AtomicU64,
}

impl Shared {
    /// Counts bytes that went through, and the largest frame so far.
    fn count(&self, direction: Direction, bytes: usize, largest: u64) {
        let (counter, maximum) = match direction {
            Direction::Request => (&self.request_bytes, &self.largest_request),
            Direction::Reply => (&self.reply_bytes, &self.largest_reply),
        };
        counter.fetch_add(u64::try_from(bytes).unwrap_or(u64::MAX), Ordering::SeqCst);
        maximum.fetch_max(largest, Ordering::SeqCst);
    }

    fn cut_done(&self) -> io::Error {
        self.cuts.fetch_add(1, Ordering::SeqCst);
        io::ErrorKind::ConnectionReset.into()
    }
}

/// A TCP proxy on a port of 127.0.0.1, in front of any address.
///
/// Its tasks end, and its connections close, when it is dropped. It needs a Tokio runtime with
/// I/O and time, whose clock is not paused.
#[derive(Debug)]
pub struct Proxy {
    port: u16,
    shared: Arc<Shared>,
    acceptor: AbortHandle,
}

impl Proxy {
    /// Starts a proxy in front of `upstream`, in [`Mode::Pass`].
    ///
    /// The server need not run yet: a client whose server cannot be reached is reset.
    ///
    /// # Errors
    /// When `upstream` names no address, or no port can be bound.
    ///
    /// # Cancel safety
    /// Dropping the future leaves nothing behind.
    pub async fn start(upstream: impl ToSocketAddrs) -> Result<Self> {
        let upstream = lookup_host(upstream)
            .await
            .map_err(Error::context("cannot resolve the address behind the proxy"))?
            .next()
            .ok_or_else(|| Error::new("the address behind the proxy resolves to nothing"))?;
        let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = bound.map_err(Error::context("cannot bind the proxy's port"))?;
        let address = listener.local_addr().map_err(Error::context("cannot bind a port"))?;
        let shared = Arc::new(Shared::default());
        let acceptor = tokio::spawn(accept(listener, upstream, shared.clone())).abort_handle();
        Ok(Self { port: address.port(), shared, acceptor })
    }

    /// The port on 127.0.0.1 to connect to.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// `redis://127.0.0.1:PORT/0`.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}/0", self.port)
    }

    /// Changes the mode, for new connections and for those that are open.
    pub fn set_mode(&self, mode: Mode) {
        self.shared.mode.send_replace(mode);
    }

    /// Arms a cut; it happens once, and replaces one that has not happened yet.
    pub fn cut(&self, cut: Cut) {
        *lock(&self.shared.armed) = Some(cut);
    }

    /// Resets every open connection.
    pub fn reset_connections(&self) {
        self.shared.resets.send_replace(());
    }

    /// What has gone through so far.
    pub fn traffic(&self) -> Traffic {
        Traffic {
            connections: self.shared.connections.load(Ordering::SeqCst),
            request_bytes: self.shared.request_bytes.load(Ordering::SeqCst),
            reply_bytes: self.shared.reply_bytes.load(Ordering::SeqCst),
            cuts: self.shared.cuts.load(Ordering::SeqCst),
            largest_request: self.shared.largest_request.load(Ordering::SeqCst),
            largest_reply: self.shared.largest_reply.load(Ordering::SeqCst),
        }
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.acceptor.abort();
    }
}

/// Owns the tasks of the connections: they end with it.
async fn accept(listener: TcpListener, upstream: SocketAddr, shared: Arc<Shared>) {
    let mut connections = JoinSet::new();
    loop {
        let Ok((client, _)) = listener.accept().await else {
            // The client is gone already, or files have run out for the moment.
            sleep(ACCEPT_AGAIN).await;
            continue;
        };
        shared.connections.fetch_add(1, Ordering::SeqCst);
        while connections.try_join_next().is_some() {}
        if *shared.mode.borrow() == Mode::Refuse {
            connection::reset(&client);
        } else {
            connections.spawn(connection::carry(client, upstream, shared.clone()));
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
