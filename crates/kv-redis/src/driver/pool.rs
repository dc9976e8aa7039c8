//! Calls in reused futures.
//!
//! A future of fred has seven kilobytes. Allocating and freeing it for each command costs half of
//! the time that fred needs to send the command, since allocators keep only small pieces ready for
//! each thread.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use kv_core::Result;

use super::Driver;
use super::request::{Answer, Request};

/// How many idle futures are kept: four megabytes.
const MOST_IDLE: usize = 512;

/// The futures of a store's calls.
pub(crate) struct CallPool {
    driver: Arc<Driver>,
    idle: Mutex<Vec<Caller>>,
}

impl CallPool {
    pub(crate) fn new(driver: Arc<Driver>) -> Self {
        Self { driver, idle: Mutex::default() }
    }

    /// Does what [`Driver::call`] does.
    pub(crate) fn call(&self, request: Request) -> Call<'_> {
        let caller = self.take();
        caller.slot().request = Some(request);
        Call { pool: self, caller: Some(caller) }
    }

    // Nobody waits for a lock here: if the pool is busy, a future is allocated or freed.
    fn take(&self) -> Caller {
        let idle = self.idle.try_lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| Caller::new(&self.driver))
    }

    fn give_back(&self, caller: Caller) {
        if let Ok(mut idle) = self.idle.try_lock()
            && idle.len() < MOST_IDLE
        {
            idle.push(caller);
        }
    }
}

/// The answer to come. Dropping it before the answer ends the call.
pub(crate) struct Call<'a> {
    pool: &'a CallPool,
    caller: Option<Caller>,
}

impl Future for Call<'_> {
    type Output = Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(caller) = &mut self.caller else { return Poll::Pending };
        let answer = ready!(caller.poll(context));
        self.caller.take().into_iter().for_each(|caller| self.pool.give_back(caller));
        Poll::Ready(answer)
    }
}

/// A future that never ends: whenever it is polled and there is a request, it makes the call.
struct Caller {
    slot: Arc<Mutex<Slot>>,
    calls: Pin<Box<dyn Future<Output = Infallible> + Send>>,
}

/// The place for a request and its answer.
#[derive(Default)]
struct Slot {
    request: Option<Request>,
    answer: Option<Result<Answer>>,
}

impl Caller {
    fn new(driver: &Arc<Driver>) -> Self {
        let slot = Arc::<Mutex<Slot>>::default();
        let calls = Box::pin(call_again_and_again(Arc::clone(&slot), Arc::clone(driver)));
        Self { slot, calls }
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        lock(&self.slot)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer>> {
        let Poll::Pending = self.calls.as_mut().poll(context);
        self.slot().answer.take().map_or(Poll::Pending, Poll::Ready)
    }
}

async fn call_again_and_again(slot: Arc<Mutex<Slot>>, driver: Arc<Driver>) -> Infallible {
    loop {
        let request = poll_fn(|_| lock(&slot).request.take().map_or(Poll::Pending, Poll::Ready));
        let answer = driver.call(request.await).await;
        lock(&slot).answer = Some(answer);
    }
}

fn lock(slot: &Mutex<Slot>) -> MutexGuard<'_, Slot> {
    slot.lock().unwrap_or_else(PoisonError::into_inner)
}
