//! Walking over a store's keys.

use std::collections::{BTreeSet, VecDeque};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use futures_core::future::BoxFuture;

use super::Store;
use super::progress::Progress;
use crate::{Cursor, Pattern, Result, ScanPage, ScanRequest, is_reserved};

/// About how many keys the backend examines for one page.
const PAGE: usize = 500;

impl Store {
    /// The keys of this store that match a glob, without prefix and namespace, sorted, each once.
    /// `keys` holds all of them in memory; [`scan`](Self::scan) does not.
    ///
    /// # Errors
    /// `TooLarge` for a pattern that is too long, `Backend` for a walk that does not end: a cursor
    /// came twice. Those of the connection.
    pub async fn keys(&self, pattern: &str) -> Result<Vec<String>> {
        let mut scan = self.scan(pattern);
        let mut keys = BTreeSet::new();
        while let Some(key) = scan.next().await {
            keys.insert(key?);
        }
        Ok(keys.into_iter().collect())
    }

    /// A walk over the keys of this store that match a glob, in bounded memory.
    ///
    /// The walk shows every key that exists throughout the walk at least once, and may show a key
    /// twice. The glob is [Redis's](Pattern) and matches only keys of the namespace. A walk in
    /// which the backend gives a cursor twice would not end, and is an error of kind `Backend`.
    pub fn scan(&self, pattern: &str) -> Scan {
        let start = self
            .key("scan", "*")
            .and_then(|_| self.own_pattern(pattern))
            .map_err(|error| error.operation("scan"));
        match start {
            Ok(pattern) => {
                let state = State::Ask(Box::new((self.clone(), pattern)), None);
                Scan::new(self.prefix().len(), state)
            }
            Err(error) => Scan::new(0, State::Failed(error)),
        }
    }
}

/// A walk over keys: a [`Stream`] with a `next` of its own, from [`Store::scan`].
///
/// The walk ends after the first error. Dropping it at any time leaves nothing behind.
#[must_use = "a scan does nothing until it is polled"]
pub struct Scan {
    /// How many bytes of prefix and namespace to remove.
    place: usize,
    page: VecDeque<String>,
    progress: Progress,
    state: State,
}

type Walk = Box<(Store, Pattern)>;

enum State {
    Ask(Walk, Option<Cursor>),
    Wait(BoxFuture<'static, (Walk, Result<ScanPage>)>),
    Failed(crate::Error),
    Ended,
}

impl Scan {
    fn new(place: usize, state: State) -> Self {
        Self { place, page: VecDeque::new(), progress: Progress::default(), state }
    }

    /// The next key, or `None` at the end.
    ///
    /// # Cancel safety
    /// No key is lost: the next call continues where the dropped call was.
    pub async fn next(&mut self) -> Option<Result<String>> {
        std::future::poll_fn(|context| Pin::new(&mut *self).poll_next(context)).await
    }

    fn take_in(&mut self, walk: Walk, page: Result<ScanPage>) {
        let (store, pattern) = &*walk;
        match page {
            Ok(page) => {
                let is_empty = page.keys.is_empty();
                let own = page.keys.into_iter().filter(|key| {
                    let own = key.strip_prefix(store.prefix()).is_some_and(|own| !own.is_empty());
                    own && !is_reserved(key) && pattern.matches(key)
                });
                self.page.extend(own);
                self.state = match page.next {
                    Some(cursor) => match self.progress.check(&cursor, is_empty) {
                        Ok(()) => State::Ask(walk, Some(cursor)),
                        Err(error) => State::Failed(error.operation("scan")),
                    },
                    None => State::Ended,
                };
            }
            Err(error) => self.state = State::Failed(error.operation("scan")),
        }
    }
}

async fn ask(walk: Walk, cursor: Option<Cursor>) -> (Walk, Result<ScanPage>) {
    let (store, pattern) = &*walk;
    let request = ScanRequest { pattern, cursor: cursor.as_ref(), limit: PAGE };
    let page = match store.backend() {
        Ok(backend) => backend.scan(request).await,
        Err(error) => Err(error),
    };
    (walk, page)
}

impl Stream for Scan {
    type Item = Result<String>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(mut key) = this.page.pop_front() {
                return Poll::Ready(Some(Ok(key.split_off(this.place))));
            }
            match std::mem::replace(&mut this.state, State::Ended) {
                State::Ask(walk, cursor) => this.state = State::Wait(Box::pin(ask(walk, cursor))),
                State::Wait(mut answer) => {
                    let polled = answer.as_mut().poll(context);
                    if polled.is_pending() {
                        this.state = State::Wait(answer);
                    }
                    let (walk, page) = ready!(polled);
                    this.take_in(walk, page);
                }
                State::Failed(error) => return Poll::Ready(Some(Err(error))),
                State::Ended => return Poll::Ready(None),
            }
        }
    }
}

impl fmt::Debug for Scan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("buffered", &self.page.len()).finish_non_exhaustive()
    }
}
