//! What is known of a connection before the library says so.

use std::pin::Pin;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use fred::error::Error as FredError;
use fred::types::config::Server;
use futures_core::Stream;
use tokio::sync::Notify;
use tokio::sync::broadcast::Receiver;
use tokio::time::Instant;
use tokio_stream::wrappers::BroadcastStream;

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
    alarms: Arc<Alarms>,
    /// How many alarms had been raised when all that was known then was heeded.
    heeded: AtomicU64,
    breaks: Mutex<Breaks>,
}

/// Counts what may be a break, in the moment in which the library tells of it: without a lock,
/// which every command would have to take.
#[derive(Default)]
struct Alarms(AtomicU64);

impl Alarms {
    fn raised(&self) -> u64 {
        self.0.load(Ordering::SeqCst)
    }

    fn raise(&self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

impl Wake for Alarms {
    fn wake(self: Arc<Self>) {
        self.raise();
    }
}

struct Breaks {
    /// The library sends its notice of a break before it takes the next command.
    notices: BroadcastStream<(FredError, Option<Server>)>,
    untrusted: Option<Instant>,
}

impl Health {
    pub(super) fn new(notices: Receiver<(FredError, Option<Server>)>) -> Self {
        let alarms = Arc::<Alarms>::default();
        // So that the first look asks to be woken.
        alarms.raise();
        let notices = BroadcastStream::new(notices);
        Self {
            replies: AtomicU64::new(0),
            stalled: Notify::new(),
            demoted: Notify::new(),
            alarms,
            heeded: AtomicU64::new(0),
            breaks: Mutex::new(Breaks { notices, untrusted: None }),
        }
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
        self.alarms.raise();
    }

    /// There is a new connection.
    pub(super) fn mended(&self) {
        let mut breaks = self.breaks();
        breaks.take_notices(&self.alarms);
        breaks.untrusted = None;
    }

    /// Whether the connection broke, and the library may not know it yet.
    pub(super) fn is_breaking(&self) -> bool {
        let raised = self.alarms.raised();
        if raised == self.heeded.load(Ordering::SeqCst) {
            return false;
        }
        let mut breaks = self.breaks();
        if breaks.take_notices(&self.alarms) {
            breaks.untrusted = Some(Instant::now() + UNTRUSTED);
        }
        let is_breaking = breaks.untrusted.is_some_and(|until| Instant::now() < until);
        if !is_breaking {
            // An alarm since then is for the next look.
            self.heeded.store(raised, Ordering::SeqCst);
        }
        is_breaking
    }

    fn breaks(&self) -> MutexGuard<'_, Breaks> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaks {
    /// Whether there were any; the next one raises an alarm. The channel keeps a few dozen at most.
    fn take_notices(&mut self, alarms: &Arc<Alarms>) -> bool {
        let waker = Waker::from(Arc::clone(alarms));
        let mut context = Context::from_waker(&waker);
        let mut any = false;
        while let Poll::Ready(Some(_)) = Pin::new(&mut self.notices).poll_next(&mut context) {
            any = true;
        }
        any
    }
}
