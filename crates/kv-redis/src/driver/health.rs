//! What is known of a connection before fred reports it.

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

/// How long after a break fred may call itself connected: its first pause and a margin.
const UNTRUSTED: Duration = Duration::from_millis(250);

/// The state that the calls on a connection and its task share.
///
/// When a connection breaks, fred calls itself connected until its first new attempt. Commands
/// given to it meanwhile wait inside fred, out of our control, for as long as the server is away.
/// So a break must be known before the next command is handed over.
pub(super) struct Health {
    /// Counts what the server answered.
    replies: AtomicU64,
    /// Notified when neither a call nor any other call meanwhile got an answer in time.
    pub(super) stalled: Notify,
    /// Notified when the server refused a write as a replica does.
    pub(super) demoted: Notify,
    alarms: Arc<Alarms>,
    /// How many alarms had been raised when the last one was handled.
    heeded: AtomicU64,
    breaks: Mutex<Breaks>,
}

/// Counts possible breaks at the moment of fred's notice, without a lock, which every command would
/// have to take.
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
    /// fred sends its notice of a break before it takes the next command.
    notices: BroadcastStream<(FredError, Option<Server>)>,
    untrusted: Option<Instant>,
}

impl Health {
    pub(super) fn new(notices: Receiver<(FredError, Option<Server>)>) -> Self {
        let alarms = Arc::<Alarms>::default();
        // So that the first check asks to be woken.
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

    /// A call lost its connection; fred fails the call before it sends the notice.
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

    /// Whether the connection broke although fred may not know it yet.
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
            // An alarm since then is for the next check.
            self.heeded.store(raised, Ordering::SeqCst);
        }
        is_breaking
    }

    fn breaks(&self) -> MutexGuard<'_, Breaks> {
        self.breaks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Breaks {
    /// Whether there were notices; the next one raises an alarm. The channel keeps a few dozen at
    /// most.
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
