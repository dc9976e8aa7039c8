//! Which of the two stores serves now.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use kv_core::{Clock, Error, ErrorKind, KeyValueStore, Result};
use tracing::{info, warn};

use super::Fallback;
use super::breaker::{Breaker, Way};
use super::side::Side;

/// The two stores and the breaker between them.
pub(super) struct Switch {
    pub(super) primary: Side,
    settings: Fallback,
    state: Mutex<State>,
}

struct State {
    breaker: Breaker,
    /// Empty until an outage begins.
    spare: Side,
    outages: u64,
    closed: bool,
}

impl State {
    fn serving_spare(&self) -> Option<Side> {
        self.breaker.is_open().then(|| self.spare.clone())
    }
}

/// Whether the error means that the store may be away; any other error is an answer.
pub(super) fn is_away(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Connection | ErrorKind::Timeout)
}

impl Switch {
    pub(super) fn new(
        primary: Arc<dyn KeyValueStore>,
        spare: Arc<dyn KeyValueStore>,
        settings: Fallback,
    ) -> Self {
        let breaker = Breaker::new(settings.failures, settings.pause, settings.chance());
        let spare = Side::spare(spare, 0);
        let state = Mutex::new(State { breaker, spare, outages: 0, closed: false });
        Self { primary: Side::primary(primary), settings, state }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn is_open(&self) -> bool {
        self.state().breaker.is_open()
    }

    /// The spare store, if it serves now. First, one caller may find out whether the primary is
    /// back.
    pub(super) async fn spare(&self) -> Result<Option<Side>> {
        match self.way()? {
            Way::Primary => return Ok(None),
            Way::Spare => {}
            Way::Trial => Trial(self).run().await,
        }
        Ok(self.state().serving_spare())
    }

    fn way(&self) -> Result<Way> {
        let now = self.settings.clock.now();
        let mut state = self.state();
        if state.closed { Err(Error::closed()) } else { Ok(state.breaker.way(now)) }
    }

    pub(super) fn check_open(&self) -> Result<()> {
        if self.state().closed { Err(Error::closed()) } else { Ok(()) }
    }

    /// The primary answered a call.
    pub(super) fn answered(&self) {
        self.state().breaker.succeeded();
    }

    /// The primary was away; the spare store, if it serves now.
    pub(super) fn failed(&self, error: &Error) -> Option<Side> {
        let now = self.settings.clock.now();
        let mut state = self.state();
        if state.closed {
            return None;
        }
        if state.breaker.failed(now) {
            // Not the whole error: that may name a key.
            let (failures, kind) = (self.settings.failures, error.kind());
            warn!(failures, ?kind, error = error.message(), "using the fallback");
        }
        state.serving_spare()
    }

    /// Refuses every later call. Returns the spare store, to be closed.
    pub(super) fn close(&self) -> Side {
        let mut state = self.state();
        state.closed = true;
        state.spare.clone()
    }

    fn back(&self) {
        // Made before taking the lock, because this runs the program's code.
        let fresh = (self.settings.spare)();
        let now = self.settings.clock.now();
        let mut state = self.state();
        let Some(away) = state.breaker.trial_succeeded(now) else { return };
        state.outages += 1;
        let fresh = Side::spare(fresh, state.outages);
        let served = std::mem::replace(&mut state.spare, fresh);
        drop(state);
        // Not under the lock, because this frees the spare store's values.
        drop(served);
        info!(?away, "the primary is back");
    }
}

/// The one caller that makes the trial. If it is dropped, another caller makes the trial.
struct Trial<'s>(&'s Switch);

impl Trial<'_> {
    async fn run(self) {
        let answer = self.0.primary.store.ping().await;
        // A refusal by a full layer says nothing about the store behind it.
        let is_back = |error: &Error| !is_away(error) && error.kind() != ErrorKind::Backpressure;
        if answer.as_ref().err().is_none_or(is_back) {
            self.0.back();
        }
    }
}

impl Drop for Trial<'_> {
    fn drop(&mut self) {
        let now = self.0.settings.clock.now();
        self.0.state().breaker.trial_failed(now);
    }
}
