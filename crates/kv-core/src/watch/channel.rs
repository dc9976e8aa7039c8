//! The bounded line between a backend that tells and a program that reads.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};
use std::task::{Context, Poll, Waker};

use super::{Change, Watcher};
use crate::{Error, ErrorKind};

/// How many changes wait for the reader. One more, and they become a gap: a reader that is so far
/// behind reads everything again, which costs less than a line without a bound.
const CAPACITY: usize = 1_024;

/// Changes that the reader has not read yet.
pub(crate) struct Channel {
    /// How many bytes of prefix and namespace to remove.
    place: usize,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    waiting: VecDeque<Change>,
    reader: Option<Waker>,
    /// Whether changes are not told since a loss: a backend may still tell some.
    lost: bool,
    ended: bool,
}

impl Channel {
    pub(crate) fn new(place: usize) -> Self {
        Self { place, state: Mutex::default() }
    }

    pub(super) fn poll(&self, context: &mut Context<'_>) -> Poll<Option<Change>> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match state.waiting.pop_front() {
            Some(change) => Poll::Ready(Some(change)),
            None if state.ended => Poll::Ready(None),
            None => {
                state.reader = Some(context.waker().clone());
                Poll::Pending
            }
        }
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        change(&mut state);
        let reader = state.reader.take();
        // Unlocked first, as a waker may run the reader.
        drop(state);
        reader.into_iter().for_each(Waker::wake);
    }
}

impl Watcher for Channel {
    fn changed(&self, key: &str) {
        let Some(own) = key.get(self.place..) else { return };
        self.change(|state| {
            if state.lost {
                return;
            }
            if state.waiting.len() < CAPACITY {
                state.waiting.push_back(Change::Key(own.to_owned()));
            } else {
                state.gap();
            }
        });
    }

    fn gap(&self) {
        self.change(State::gap);
    }

    fn lost(&self, error: Error) {
        self.change(|state| {
            if error.kind() == ErrorKind::Closed {
                state.ended = true;
                return;
            }
            if matches!(state.waiting.back(), Some(Change::Lost(_))) {
                state.waiting.pop_back();
            }
            state.waiting.push_back(Change::Lost(error));
            state.lost = true;
        });
    }
}

impl State {
    /// Whoever reads everything again need not know what was told before.
    fn gap(&mut self) {
        self.waiting.clear();
        self.waiting.push_back(Change::Gap);
        self.lost = false;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(channel: &Channel) -> Vec<String> {
        let mut context = Context::from_waker(Waker::noop());
        let next = || match channel.poll(&mut context) {
            Poll::Ready(Some(Change::Key(key))) => Some(key),
            Poll::Ready(Some(Change::Gap)) => Some("gap".to_owned()),
            Poll::Ready(Some(Change::Lost(_))) => Some("lost".to_owned()),
            Poll::Ready(None) => Some("end".to_owned()),
            Poll::Pending => None,
        };
        let mut told: Vec<_> = std::iter::from_fn(next).take(CAPACITY + 2).collect();
        told.dedup();
        told
    }

    #[test]
    fn changes_come_in_order_without_what_stands_before_the_key() {
        let channel = Channel::new(2);
        channel.gap();
        ["p:a", "p:b", "p:a"].iter().for_each(|key| channel.changed(key));
        assert_eq!(told(&channel), ["gap", "a", "b", "a"]);
    }

    #[test]
    fn more_than_the_line_holds_is_one_gap_and_what_came_after() {
        let channel = Channel::new(0);
        (0..=CAPACITY).for_each(|_| channel.changed("k"));
        channel.changed("after");
        assert_eq!(told(&channel), ["gap", "after"]);
        (0..CAPACITY).for_each(|_| channel.changed("k"));
        assert_eq!(told(&channel), ["k"]);
    }

    #[test]
    fn a_gap_makes_everything_before_it_needless() {
        let channel = Channel::new(0);
        channel.changed("k");
        channel.lost(Error::unsupported("watch"));
        channel.gap();
        assert_eq!(told(&channel), ["gap"]);
    }

    #[test]
    fn a_loss_is_told_once_however_often_it_is_found() {
        let channel = Channel::new(0);
        channel.changed("k");
        (0..9).for_each(|_| channel.lost(Error::unsupported("watch")));
        assert_eq!(told(&channel), ["k", "lost"]);
    }

    #[test]
    fn between_a_loss_and_the_next_gap_nothing_is_told_however_much_changes() {
        let channel = Channel::new(0);
        channel.lost(Error::unsupported("watch"));
        (0..=CAPACITY).for_each(|_| channel.changed("k"));
        assert_eq!(told(&channel), ["lost"]);
        (0..=CAPACITY).for_each(|_| channel.changed("k"));
        channel.lost(Error::unsupported("watch"));
        assert_eq!(told(&channel), ["lost"]);
        channel.gap();
        channel.changed("k");
        assert_eq!(told(&channel), ["gap", "k"]);
    }

    #[test]
    fn a_closed_store_ends_the_watch_after_what_was_told() {
        let channel = Channel::new(0);
        channel.changed("k");
        channel.lost(Error::closed());
        assert_eq!(told(&channel), ["k", "end"]);
    }
}
