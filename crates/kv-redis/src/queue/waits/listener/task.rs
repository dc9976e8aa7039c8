//! The task that blocks for all waiters of one listener.

use std::collections::BTreeMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use kv_core::Result;
use tokio::time::sleep;

use super::super::super::keys::Keys;
use super::super::Common;
use super::{Entry, State, put_back};
use crate::driver::{Answer, Dedicated, Request};
use crate::verbs::unexpected;

/// How long one blocking command waits. With the glance after it this makes less than one command a
/// second.
pub(in super::super) const BLOCK: Duration = Duration::from_millis(2_200);

/// How long a connection is kept without waiters: a worker waits again and again, with pauses in
/// which it claims.
const IDLE: Duration = BLOCK;

/// The least delay that is allowed for the answer to a blocking command.
pub(in super::super) const MARGIN: Duration = Duration::from_secs(1);

/// How many partitions one glance reads; more partitions take turns.
const AT_A_GLANCE: usize = 256;

pub(super) struct ListenerTask {
    common: Arc<Common>,
    interruption: Bytes,
    entry: Entry,
    /// Counts the commands, so that each command begins with another list.
    turn: usize,
    /// Where the last glance ended.
    glanced: usize,
}

/// One partition on whose list to block.
struct List {
    queue: Arc<str>,
    number: u32,
    keys: Keys,
}

impl List {
    fn place(&self) -> (&str, u32) {
        (&self.queue, self.number)
    }

    fn wake(&self) -> &Bytes {
        self.keys.wake()
    }
}

impl ListenerTask {
    pub(super) fn new(common: Arc<Common>, interruption: Bytes, entry: Entry) -> Self {
        Self { common, interruption, entry, turn: 0, glanced: 0 }
    }

    fn state(&self) -> &State {
        &self.entry.state
    }

    /// Listens until nobody has waited for a while.
    pub(super) async fn run(mut self) {
        let mut blocking = None;
        loop {
            self.put_back().await;
            let lists = self.begin();
            if lists.is_empty() {
                if self.is_needed().await {
                    continue;
                }
                return;
            }
            let listened = self.listen(&mut blocking, &lists).await;
            self.state().unblock();
            if let Err(error) = listened {
                blocking = None;
                tracing::debug!(%error, "waiting for jobs failed");
                self.state().fail(&error);
            }
        }
    }

    /// Whether a waiter comes before the listener has been idle for long.
    async fn is_needed(&self) -> bool {
        tokio::select! {
            () = self.state().begun.notified() => true,
            () = self.state().returned.notified() => true,
            () = sleep(IDLE) => !self.entry.leave_if_idle(),
        }
    }

    /// The lists to block on: of all partitions with a waiter, each time another one first, so that
    /// none is favoured.
    fn begin(&mut self) -> Vec<List> {
        let mut lists = BTreeMap::new();
        for waiter in self.state().block() {
            for number in &waiter.partitions {
                let keys = usize::try_from(*number).ok().and_then(|at| waiter.keys.get(at));
                let Some(keys) = keys.cloned() else { continue };
                lists.entry((Arc::clone(&waiter.queue), *number)).or_insert(keys);
            }
        }
        let list = |((queue, number), keys)| List { queue, number, keys };
        let mut lists: Vec<List> = lists.into_iter().map(list).collect();
        self.turn = self.turn.wrapping_add(1);
        let first = self.turn % lists.len().max(1);
        lists.rotate_left(first);
        lists
    }

    async fn listen(&mut self, blocking: &mut Option<Dedicated>, lists: &[List]) -> Result<()> {
        let dedicated = match blocking {
            Some(dedicated) => dedicated,
            None => {
                let dedicated =
                    self.common.driver.dedicated(&self.interruption, self.common.timeout);
                blocking.insert(dedicated.await?)
            }
        };
        let Some(popped) = self.pop(dedicated, lists).await? else {
            return self.glance(lists).await;
        };
        let Some(list) = lists.iter().find(|list| *list.wake() == popped) else {
            return Ok(());
        };
        if self.state().tell(&[list.place()]) {
            return Ok(());
        }
        put_back(&self.common, popped).await
    }

    /// Blocks. Returns the list from which an element was taken, or none after the time.
    async fn pop(&self, dedicated: &Dedicated, lists: &[List]) -> Result<Option<Bytes>> {
        let mut keys = vec![self.interruption.clone()];
        keys.extend(lists.iter().map(|list| list.wake().clone()));
        let request = Request::Blpop { keys, wait: BLOCK };
        let mut popped = pin!(self.common.driver.call_dedicated(dedicated, request));
        loop {
            // The command goes on meanwhile: dropping it would lose the element that it takes.
            tokio::select! {
                popped = &mut popped => return Ok(popped_list(popped?)),
                () = self.state().returned.notified() => self.put_back().await,
            }
        }
    }

    /// Puts back elements that were taken for dropped waiters.
    async fn put_back(&self) {
        for list in self.state().take_returned() {
            if let Err(error) = put_back(&self.common, list).await {
                // Other waiters find the job by a glance.
                tracing::debug!(%error, "a wake-up could not be put back");
            }
        }
    }

    /// Reads this many partitions; the next glance reads the next ones.
    async fn glance(&mut self, lists: &[List]) -> Result<()> {
        let mut in_order: Vec<&List> = lists.iter().collect();
        in_order.sort_unstable_by(|one, two| one.place().cmp(&two.place()));
        let first = if self.glanced < lists.len() { self.glanced } else { 0 };
        let lists: Vec<&List> = in_order.into_iter().skip(first).take(AT_A_GLANCE).collect();
        self.glanced = first + lists.len();
        let keys = lists.iter().flat_map(|list| list.keys.glance());
        let (script, keys) = (self.common.scripts.glance, keys.collect());
        let request = Request::Script { script, keys, args: Vec::new() };
        let Answer::List(answers) = self.common.driver.call(request).await? else {
            return Err(unexpected());
        };
        let mut found = Vec::with_capacity(answers.len());
        for answer in answers {
            let Answer::Int(at) = answer else { return Err(unexpected()) };
            let list = usize::try_from(at).ok().and_then(|at| lists.get(at));
            found.extend(list.map(|list| list.place()));
        }
        self.state().tell(&found);
        Ok(())
    }
}

/// The list from which BLPOP took an element; none if its time was over.
fn popped_list(answer: Answer) -> Option<Bytes> {
    let Answer::List(parts) = answer else { return None };
    match parts.into_iter().next() {
        Some(Answer::Data(list)) => Some(list),
        _ => None,
    }
}
