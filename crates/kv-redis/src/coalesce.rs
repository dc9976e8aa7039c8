//! Calls of different callers that leave together.
//!
//! One command on many keys costs the driver and the server hardly more than a command on one key.
//! So a caller that finds others under way comes into line, and its call leaves with all that are
//! in line by then. Who finds nobody leaves at once. Nobody waits for a time to pass, nor for
//! another caller to be polled: tasks of the store send what is in line.

mod lifetimes;
mod line;
mod values;
mod writes;

use std::future::{Future, poll_fn};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use kv_core::{Effect, Error, ErrorKind, Result};
use tokio::runtime::Handle;
use tokio::sync::OnceCell;
use tokio::sync::oneshot::Receiver;
use tokio::task::{JoinSet, yield_now};

pub(crate) use self::lifetimes::{Lifetimes, millis};
use self::line::{Entered, Lines, Slot, Waiter};
pub(crate) use self::values::Values;
pub(crate) use self::writes::{Put, Writes};
use crate::driver::{Access, Answer, Driver, Request};

/// A verb that can be done to several keys at once.
pub(crate) trait Verb: Send + Sync + 'static {
    const ACCESS: Access;

    /// What a caller brings: its key, and what belongs to it.
    type Item: Send + 'static;
    /// What a caller gets.
    type Answer: Send + 'static;

    /// The connections, which also know how long a call may take.
    fn driver(&self) -> &Driver;

    fn key(item: &Self::Item) -> &Bytes;

    /// Whether the next call may gain by leaving together with others.
    fn gains(&self) -> bool {
        true
    }

    /// Sends what these callers ask for, all of one slot, and answers each as if it were alone.
    /// Returns those that are not sent yet.
    fn send(&self, callers: Callers<Self>) -> impl Future<Output = Callers<Self>> + Send;
}

/// Callers in line.
pub(crate) type Callers<V> = Vec<Waiter<<V as Verb>::Item, <V as Verb>::Answer>>;

/// The lines of one verb, and the tasks that send what is in line.
pub(crate) struct Coalescer<V: Verb> {
    shared: Arc<Shared<V>>,
    /// Ends with the store.
    senders: Mutex<JoinSet<()>>,
    runtime: Handle,
    finished: OnceCell<()>,
}

struct Shared<V: Verb> {
    verb: V,
    lines: Mutex<Lines<V::Item, V::Answer>>,
}

impl<V: Verb> Shared<V> {
    fn lines(&self) -> MutexGuard<'_, Lines<V::Item, V::Answer>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<V: Verb> Coalescer<V> {
    /// The senders run on the caller's runtime.
    pub(crate) fn new(verb: V) -> Self {
        let shared = Arc::new(Shared { verb, lines: Mutex::default() });
        let (senders, runtime) = (Mutex::default(), Handle::current());
        Self { shared, senders, runtime, finished: OnceCell::new() }
    }

    /// Sends an item by `alone`, or together with those of others.
    ///
    /// # Cancel safety
    /// Nobody else notices a dropped future.
    pub(crate) async fn call<Alone>(
        &self,
        item: V::Item,
        alone: impl FnOnce(V::Item) -> Alone,
    ) -> Result<V::Answer>
    where
        Alone: Future<Output = Result<V::Answer>>,
    {
        if !self.shared.verb.gains() {
            return alone(item).await;
        }
        let slot = self.shared.verb.driver().slot_of(V::key(&item));
        let entered = self.shared.lines().enter(slot, item);
        match entered {
            Entered::Alone(item) => {
                let _under_way = UnderWay { shared: &self.shared, slot };
                alone(item).await
            }
            Entered::InLine { reply, needs_sender } => {
                if needs_sender {
                    self.start_sender(slot);
                }
                self.wait(reply).await
            }
        }
    }

    async fn wait(&self, reply: Receiver<Result<V::Answer>>) -> Result<V::Answer> {
        let driver = self.shared.verb.driver();
        // Without its sender a caller gets no answer: the store's runtime has ended.
        let answer = async { reply.await.unwrap_or_else(|_| Err(driver.no_answer(V::ACCESS))) };
        driver.in_time(answer, V::ACCESS).await
    }

    /// Returns once all who are in line have their answers; who comes from now on leaves alone.
    pub(crate) async fn finish(&self) {
        self.shared.lines().stop();
        let ended = || poll_fn(|context| self.senders().poll_join_next(context));
        let finished = async { while ended().await.is_some() {} };
        self.finished.get_or_init(|| finished).await;
    }

    fn senders(&self) -> MutexGuard<'_, JoinSet<()>> {
        self.senders.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn start_sender(&self, slot: Slot) {
        let sender = Sender { shared: Arc::clone(&self.shared), slot, is_done: false };
        let mut senders = self.senders();
        while senders.try_join_next().is_some() {}
        senders.spawn_on(sender.run(), &self.runtime);
    }
}

/// A caller's own request is under way.
struct UnderWay<'a, V: Verb> {
    shared: &'a Shared<V>,
    slot: Slot,
}

impl<V: Verb> Drop for UnderWay<'_, V> {
    fn drop(&mut self) {
        self.shared.lines().leave(self.slot);
    }
}

/// A task that sends what is in a line, until nobody is.
struct Sender<V: Verb> {
    shared: Arc<Shared<V>>,
    slot: Slot,
    is_done: bool,
}

impl<V: Verb> Sender<V> {
    async fn run(mut self) {
        loop {
            // All who are ready to ask come into line first.
            yield_now().await;
            let Some(callers) = self.shared.lines().take(self.slot) else { break };
            let later = self.shared.verb.send(callers).await;
            if !later.is_empty() {
                self.shared.lines().put_back(self.slot, later);
            }
        }
        self.is_done = true;
    }
}

impl<V: Verb> Drop for Sender<V> {
    fn drop(&mut self) {
        // The runtime has ended, or never took the task.
        if !self.is_done {
            let left = self.shared.lines().end();
            drop(left);
        }
    }
}

/// Tells all the same error.
fn tell<I, A>(callers: Vec<Waiter<I, A>>, error: &Error) {
    callers.into_iter().for_each(|caller| caller.answer(Err(error.clone())));
}

/// Whether the error of a request on several keys says little about each: a server that denies one
/// key denies the request, and keys that are being moved are on two servers. Nothing was done.
fn is_of_several(error: &Error) -> bool {
    matches!(error.kind(), ErrorKind::Auth | ErrorKind::Backpressure)
        && error.effect() == Effect::NotApplied
}

/// Sends a request for each caller.
async fn each_alone<I, A>(
    driver: &Driver,
    callers: Vec<Waiter<I, A>>,
    request: fn(&I) -> Request,
    read: fn(Answer) -> Result<A>,
) {
    let requests = callers.iter().map(|caller| request(&caller.item)).collect();
    match driver.run(requests).await {
        Ok(answers) => callers
            .into_iter()
            .zip(answers)
            .for_each(|(caller, answer)| caller.answer(answer.and_then(read))),
        Err(error) => tell(callers, &error),
    }
}

/// The keys of callers that bring nothing else.
fn keys<A>(callers: &[Waiter<Bytes, A>]) -> Vec<Bytes> {
    callers.iter().map(|caller| caller.item.clone()).collect()
}
