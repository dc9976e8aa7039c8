//! Which scripts a connection has had its server load.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::scripts::Script;

/// This distinguishes a server that has forgotten its scripts from a server that never had them.
#[derive(Default)]
pub(super) struct Loaded {
    /// Counts the loads.
    loads: AtomicU64,
    /// The number of the load, by digest; there are a dozen scripts.
    scripts: Mutex<HashMap<&'static str, u64>>,
}

impl Loaded {
    /// A moment before or after the loads.
    pub(super) fn now(&self) -> u64 {
        self.loads.load(Ordering::SeqCst)
    }

    /// The server has the script from now on.
    pub(super) fn loaded(&self, script: &Script) {
        let at = self.loads.fetch_add(1, Ordering::SeqCst) + 1;
        self.scripts().insert(script.sha1, at);
    }

    /// The server did not know a script sent at this moment. Returns whether the server had the
    /// script then, and so has forgotten all scripts; returns this once.
    pub(super) fn missed(&self, script: &Script, sent: u64) -> bool {
        let mut scripts = self.scripts();
        let forgot = scripts.get(script.sha1).is_some_and(|loaded| *loaded <= sent);
        if forgot {
            scripts.clear();
        }
        forgot
    }

    fn scripts(&self) -> MutexGuard<'_, HashMap<&'static str, u64>> {
        self.scripts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scripts::{INCREMENT, PERSIST};

    #[test]
    fn only_a_script_that_was_there_when_it_was_sent_is_forgotten() {
        let loaded = Loaded::default();
        let sent = loaded.now();
        assert!(!loaded.missed(&INCREMENT, sent), "it never was there");
        loaded.loaded(&INCREMENT);
        assert!(!loaded.missed(&INCREMENT, sent), "it was sent before it was there");
        assert!(loaded.missed(&INCREMENT, loaded.now()));
    }

    #[test]
    fn that_all_scripts_are_forgotten_is_said_once() {
        let loaded = Loaded::default();
        [&INCREMENT, &PERSIST].into_iter().for_each(|script| loaded.loaded(script));
        let sent = loaded.now();
        let said = [&INCREMENT, &PERSIST, &INCREMENT].map(|script| loaded.missed(script, sent));
        assert_eq!(said, [true, false, false]);
        loaded.loaded(&PERSIST);
        assert!(loaded.missed(&PERSIST, loaded.now()), "the next time is said again");
    }
}
