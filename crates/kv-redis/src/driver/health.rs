//! What is known of a connection before the library says so.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use fred::error::Error as FredError;
use fred::types::config::Server;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::TryRecvError;
use tokio::time::Instant;

/// How long after a break the library may call itself connected: its first pause and a margin.
const UNTRUSTED: Duration = Duration::from_millis(250);

/// What the calls on a connection and its keeper tell each other.
///
/// When a connection breaks, the library calls itself connected until it first tries again. What
/// it is given meanwhile waits inside it, out of our hands, for as long as the server is away; so
/// a break has to be known before the next command is handed over.
pub(super) struct Health {
    /// Counts what the server answered.
    replies: AtomicU64,
    /// Rung when a call got no answer in time, nor any other call meanwhile.
    pub(super) stalled: Notify,
    /// Rung when the server refused a write as a replica does.
    pub(super) demoted: Notify,
    breaks: Mutex<Breaks>,
}

struct Breaks {
    /// The library sends its notice of a break before it takes the next command.
    notices: Receiver<(FredError, Option<Server>)>,
    untrusted: Option<Instant>,
}

impl Health {
    pub(super) fn new(notices: Receiver<(FredError, Option<Server>)>) -> Self {
        let breaks = Mutex::new(Breaks { notices, untrusted: None });
        Self { replies: AtomicU64::new(0), stalled: Notify::new(), demoted: Notify::new(), breaks }
    }

    pub(super) fn replied(&self) {
        self.replies.fetch_add(1, Ordering::Relaxed);
    }

    /// How many replies have come so far.
    pub(super) fn replies(&self) -> u64 {
        self.replies.load(Ordering::Relaxed)
    }

    /// A call lost its connection; it is told before the notice is sent.
    pub(super) fn broke(&self) {
        self.breaks().untrusted = Some(Instant::now() + UNTRUSTED);
    }

    /// There is a new connection.
    pub(super) fn mended(&self) {
        let mut breaks = self.breaks();
        breaks.take_notices();
        breaks.untrusted = None;
    }

    /// Whether the connection broke, and the library may not know it yet.
    pub(super) fn is_breaking(&self) -> bool {
        let mut breaks = self.breaks();
        if breaks.take_notices() {
            breaks.untrusted = Some(Instant::now() + UNTRUSTED);
        }
        breaks.untrusted.is_some_and(|until| Instant::now() < until)
    }

    fn breaks(&self) -> MutexGuard<'_, Breaks> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaks {
    /// Whether there were any. The channel keeps a few dozen at most.
    fn take_notices(&mut self) -> bool {
        let mut any = false;
        while !matches!(self.notices.try_recv(), Err(TryRecvError::Empty | TryRecvError::Closed)) {
            any = true;
        }
        any
    }
}
