//! Who waits for an answer, and who leaves when.

use std::collections::{BTreeMap, VecDeque};
use std::mem;

use kv_core::Result;
use tokio::sync::oneshot::{self, Receiver};

/// How many keys one request names at most.
const MOST_KEYS: usize = 256;

/// How many requests with several keys are under way in a line at most: while the server answers
/// one, the callers of the other get their answers and ask again.
const MOST_SENDERS: usize = 2;

/// How many callers leave alone while nobody is in line: so two callers need no task between them
/// and the driver.
const MOST_ALONE: usize = 2;

/// How many callers in line are worth another request beside the one that is under way.
const WORTH_ANOTHER: usize = 32;

/// How many callers are in line at most; all others leave alone.
const MOST_WAITING: usize = 10_000;

/// The slot of a Cluster, whose keys alone can be in one request.
pub(super) type Slot = Option<u16>;

/// A caller in line.
pub(crate) struct Waiter<I, A> {
    /// What it brings.
    pub(super) item: I,
    reply: oneshot::Sender<Result<A>>,
}

impl<I, A> Waiter<I, A> {
    /// Answers, unless nobody waits any more.
    pub(super) fn answer(self, answer: Result<A>) {
        let _ = self.reply.send(answer);
    }
}

/// What becomes of a caller.
pub(super) enum Entered<I, A> {
    /// It sends its own request, and tells when it leaves.
    Alone(I),
    /// It gets a reply; if it needs a sender, the caller has to start it.
    InLine { reply: Receiver<Result<A>>, needs_sender: bool },
}

/// All lines of one verb: one on a single server, and one for each slot of a Cluster.
pub(super) struct Lines<I, A> {
    lines: BTreeMap<Slot, Line<I, A>>,
    waiting: usize,
    /// Whether there are no more senders than now.
    has_ended: bool,
}

struct Line<I, A> {
    /// How many callers sent their own request and have not left yet.
    alone: usize,
    /// How many senders take from the line. With none, nobody waits.
    senders: usize,
    waiting: VecDeque<Waiter<I, A>>,
}

impl<I, A> Default for Line<I, A> {
    fn default() -> Self {
        Self { alone: 0, senders: 0, waiting: VecDeque::new() }
    }
}

impl<I, A> Default for Lines<I, A> {
    fn default() -> Self {
        Self { lines: BTreeMap::new(), waiting: 0, has_ended: false }
    }
}

impl<I, A> Lines<I, A> {
    /// A caller comes.
    pub(super) fn enter(&mut self, slot: Slot, item: I) -> Entered<I, A> {
        let line = self.lines.entry(slot).or_default();
        let is_alone = line.senders == 0 && line.alone < MOST_ALONE;
        if is_alone || self.has_ended || self.waiting >= MOST_WAITING {
            line.alone += 1;
            return Entered::Alone(item);
        }
        let (sender, reply) = oneshot::channel();
        line.waiting.push_back(Waiter { item, reply: sender });
        self.waiting += 1;
        let is_worth_another = line.waiting.len() >= WORTH_ANOTHER && line.senders < MOST_SENDERS;
        let needs_sender = line.senders == 0 || is_worth_another;
        line.senders += usize::from(needs_sender);
        Entered::InLine { reply, needs_sender }
    }

    /// A caller that sent its own request leaves.
    pub(super) fn leave(&mut self, slot: Slot) {
        if let Some(line) = self.lines.get_mut(&slot) {
            line.alone = line.alone.saturating_sub(1);
        }
        self.forget_if_idle(slot);
    }

    /// The first callers in line, for a sender. With `None` the sender has to end.
    pub(super) fn take(&mut self, slot: Slot) -> Option<Vec<Waiter<I, A>>> {
        let line = self.lines.get_mut(&slot)?;
        let mut taken = Vec::with_capacity(line.waiting.len().min(MOST_KEYS));
        while taken.len() < MOST_KEYS
            && let Some(waiter) = line.waiting.pop_front()
        {
            self.waiting -= 1;
            if !waiter.reply.is_closed() {
                taken.push(waiter);
            }
        }
        if taken.is_empty() {
            line.senders = line.senders.saturating_sub(1);
            self.forget_if_idle(slot);
            return None;
        }
        Some(taken)
    }

    /// Callers that a sender of the line could not send yet are the first in line again.
    pub(super) fn put_back(&mut self, slot: Slot, later: Vec<Waiter<I, A>>) {
        let line = self.lines.entry(slot).or_default();
        self.waiting += later.len();
        later.into_iter().rev().for_each(|waiter| line.waiting.push_front(waiter));
    }

    /// All who come from now on leave alone.
    pub(super) fn stop(&mut self) {
        self.has_ended = true;
    }

    /// There are no senders any more: all who come leave alone. Returns what is to be dropped
    /// outside of the lock, so that those in line get an error.
    pub(super) fn end(&mut self) -> impl Sized + use<I, A> {
        self.has_ended = true;
        self.waiting = 0;
        mem::take(&mut self.lines)
    }

    fn forget_if_idle(&mut self, slot: Slot) {
        if self.lines.get(&slot).is_some_and(|it| it.alone == 0 && it.senders == 0) {
            self.lines.remove(&slot);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    type Test = Lines<u32, u32>;

    /// Brings this many callers, and returns who are in line and how many senders they need.
    fn enter(lines: &mut Test, count: u32) -> (Vec<Receiver<Result<u32>>>, usize) {
        let (mut replies, mut senders) = (Vec::new(), 0);
        for item in 0..count {
            if let Entered::InLine { reply, needs_sender } = lines.enter(None, item) {
                replies.push(reply);
                senders += usize::from(needs_sender);
            }
        }
        (replies, senders)
    }

    fn items(taken: Option<Vec<Waiter<u32, u32>>>) -> Option<Vec<u32>> {
        taken.map(|taken| taken.iter().map(|waiter| waiter.item).collect())
    }

    #[test]
    fn who_finds_nobody_leaves_at_once_and_the_third_comes_into_line() {
        let mut lines = Test::default();
        assert!(enter(&mut lines, 2).0.is_empty());
        let (replies, senders) = enter(&mut lines, 3);
        assert_eq!((replies.len(), senders), (3, 1));
        assert_eq!(items(lines.take(None)), Some(vec![0, 1, 2]));
        assert_eq!(items(lines.take(None)), None, "the sender ends");
        (0..2).for_each(|_| lines.leave(None));
        assert!(lines.lines.is_empty(), "nothing is kept of an idle line");
    }

    #[test]
    fn while_a_sender_is_there_nobody_overtakes_the_line() {
        let mut lines = Test::default();
        let _first = enter(&mut lines, 3);
        (0..2).for_each(|_| lines.leave(None));
        let _second = enter(&mut lines, 1);
        assert_eq!(items(lines.take(None)), Some(vec![2, 0]));
        assert_eq!(enter(&mut lines, 1).0.len(), 1, "its request is under way");
    }

    #[test]
    fn a_long_line_gets_two_senders_and_never_more() {
        let mut lines = Test::default();
        let (_first, one) = enter(&mut lines, 2 + 31);
        let (_second, another) = enter(&mut lines, 1_000);
        assert_eq!((one, another), (1, 1));
        let sizes: Vec<_> = (0..5).map(|_| lines.take(None).map(|taken| taken.len())).collect();
        assert_eq!(sizes, [Some(256), Some(256), Some(256), Some(256), Some(7)]);
        assert_eq!((lines.take(None).is_none(), lines.take(None).is_none()), (true, true));
        (0..2).for_each(|_| lines.leave(None));
        assert!(lines.lines.is_empty() && lines.waiting == 0);
    }

    #[test]
    fn who_went_is_not_taken_and_who_was_put_back_is_first() {
        let mut lines = Test::default();
        let (mut replies, _) = enter(&mut lines, 2 + 5);
        drop(replies.remove(1));
        let mut taken = lines.take(None).unwrap();
        let later = taken.split_off(2);
        let (others, _) = enter(&mut lines, 1);
        lines.put_back(None, later);
        assert_eq!(items(Some(taken)), Some(vec![2, 4]));
        assert_eq!(items(lines.take(None)), Some(vec![5, 6, 0]));
        drop((replies, others));
    }

    #[test]
    fn who_finds_a_full_line_leaves_alone() {
        let mut lines = Test::default();
        let (replies, _) = enter(&mut lines, 20_000);
        assert_eq!(replies.len(), MOST_WAITING);
    }

    #[test]
    fn slots_have_lines_of_their_own() {
        let mut lines = Test::default();
        for slot in 0..100 {
            assert!(matches!(lines.enter(Some(slot), 0), Entered::Alone(0)));
        }
        assert_eq!(lines.lines.len(), 100);
        (0..100).for_each(|slot| lines.leave(Some(slot)));
        assert!(lines.lines.is_empty());
    }

    #[test]
    fn without_senders_those_in_line_are_told_and_all_others_leave_alone() {
        let mut lines = Test::default();
        let (mut replies, _) = enter(&mut lines, 3);
        drop(lines.end());
        assert!(replies.pop().unwrap().try_recv().is_err());
        assert!(enter(&mut lines, 5).0.is_empty());
    }
}
