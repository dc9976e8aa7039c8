//! Those who watch one store.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};

use super::Watcher;
use crate::{Error, is_reserved};

type Listed = (Box<str>, Weak<dyn Watcher>);

/// The watchers of a store that finds its changes itself, each with its prefix.
///
/// ```
/// use std::sync::{Arc, Mutex};
/// use kv_core::{Error, Watcher, Watchers};
///
/// #[derive(Default)]
/// struct Notes(Mutex<Vec<String>>);
///
/// impl Watcher for Notes {
///     fn changed(&self, key: &str) {
///         self.0.lock().unwrap().push(key.to_owned());
///     }
///     fn gap(&self) {}
///     fn lost(&self, _: Error) {}
/// }
///
/// let (watchers, notes) = (Watchers::default(), Arc::new(Notes::default()));
/// let watcher: Arc<dyn Watcher> = notes.clone();
/// watchers.add("user:", Arc::downgrade(&watcher));
/// watchers.changed("user:1");
/// watchers.changed("page:1");
/// assert_eq!(*notes.0.lock().unwrap(), ["user:1"]);
/// ```
#[derive(Default)]
pub struct Watchers {
    /// Replaced as a whole, so that no lock is held while somebody is told.
    listed: Mutex<Arc<[Listed]>>,
    /// How many are listed, for stores that nobody watches.
    count: AtomicUsize,
}

impl Watchers {
    /// Tells a watcher of the changes from now on, until it is dropped.
    pub fn add(&self, prefix: &str, watcher: Weak<dyn Watcher>) {
        self.replace(|listed| {
            let live = listed.iter().filter(|(_, watcher)| watcher.strong_count() > 0);
            live.cloned().chain([(prefix.into(), watcher)]).collect()
        });
    }

    /// Whether nobody watches.
    pub fn is_empty(&self) -> bool {
        self.count.load(Ordering::Acquire) == 0
    }

    /// Tells of a change, unless the key is the library's own.
    pub fn changed(&self, key: &str) {
        if self.is_empty() || is_reserved(key) {
            return;
        }
        let is_dropped = self.listed().iter().fold(false, |is_dropped, (prefix, watcher)| {
            let watcher = watcher.upgrade();
            if let Some(watcher) = watcher.as_ref().filter(|_| key.starts_with(&**prefix)) {
                watcher.changed(key);
            }
            is_dropped || watcher.is_none()
        });
        if is_dropped {
            let is_live = |(_, watcher): &&Listed| watcher.strong_count() > 0;
            self.replace(|listed| listed.iter().filter(is_live).cloned().collect());
        }
    }

    /// Tells all of a gap.
    pub fn gap(&self) {
        self.each(|watcher| watcher.gap());
    }

    /// Tells all that changes are not told from now on.
    pub fn lost(&self, error: impl Fn() -> Error) {
        self.each(|watcher| watcher.lost(error()));
    }

    fn each(&self, tell: impl Fn(&dyn Watcher)) {
        self.listed().iter().filter_map(|(_, watcher)| watcher.upgrade()).for_each(|it| tell(&*it));
    }

    fn listed(&self) -> Arc<[Listed]> {
        Arc::clone(&self.listed.lock().unwrap_or_else(PoisonError::into_inner))
    }

    fn replace(&self, change: impl FnOnce(&[Listed]) -> Arc<[Listed]>) {
        let mut listed = self.listed.lock().unwrap_or_else(PoisonError::into_inner);
        *listed = change(&listed);
        self.count.store(listed.len(), Ordering::Release);
    }
}

impl std::fmt::Debug for Watchers {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let count = self.count.load(Ordering::Relaxed);
        f.debug_struct("Watchers").field("count", &count).finish_non_exhaustive()
    }
}
