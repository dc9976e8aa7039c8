//! Calls in memory that is used again.
//!
//! A future of the library is of seven kilobytes. To have that much allocated and freed for each
//! command costs half of what the library needs to send it, since allocators keep only small
//! pieces at hand for each thread.

use std::convert::Infallible;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};

use kv_core::Result;

use super::Driver;
use super::request::{Answer, Request};

/// How many calls that ended are kept for others: four megabytes.
const MOST_IDLE: usize = 512;

/// The calls of a store that are made again and again.
pub(crate) struct Calls {
    driver: Arc<Driver>,
    idle: Mutex<Vec<Call>>,
}

impl Calls {
    pub(crate) fn new(driver: Arc<Driver>) -> Self {
        Self { driver, idle: Mutex::default() }
    }

    /// Does what [`Driver::call`] does.
    pub(crate) fn call(&self, request: Request) -> Called<'_> {
        let call = self.take();
        call.desk().request = Some(request);
        Called { calls: self, call: Some(call) }
    }

    // Nobody waits here: what is not there at once is allocated, or freed.
    fn take(&self) -> Call {
        let idle = self.idle.try_lock().ok().and_then(|mut idle| idle.pop());
        idle.unwrap_or_else(|| Call::new(&self.driver))
    }

    fn give_back(&self, call: Call) {
        if let Ok(mut idle) = self.idle.try_lock()
            && idle.len() < MOST_IDLE
        {
            idle.push(call);
        }
    }
}

/// The answer to come of a call; dropped before, it ends the call.
pub(crate) struct Called<'a> {
    calls: &'a Calls,
    call: Option<Call>,
}

impl Future for Called<'_> {
    type Output = Result<Answer>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        let Some(call) = &mut self.call else { return Poll::Pending };
        let answer = ready!(call.poll(context));
        self.call.take().into_iter().for_each(|call| self.calls.give_back(call));
        Poll::Ready(answer)
    }
}

/// A future that makes one call after the other: it is polled when there is a request.
struct Call {
    desk: Arc<Mutex<Desk>>,
    clerk: Pin<Box<dyn Future<Output = Infallible> + Send>>,
}

/// Where a request is left, and its answer.
#[derive(Default)]
struct Desk {
    request: Option<Request>,
    answer: Option<Result<Answer>>,
}

impl Call {
    fn new(driver: &Arc<Driver>) -> Self {
        let desk = Arc::<Mutex<Desk>>::default();
        let clerk = Box::pin(work(Arc::clone(&desk), Arc::clone(driver)));
        Self { desk, clerk }
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        lock(&self.desk)
    }

    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Result<Answer>> {
        let Poll::Pending = self.clerk.as_mut().poll(context);
        self.desk().answer.take().map_or(Poll::Pending, Poll::Ready)
    }
}

async fn work(desk: Arc<Mutex<Desk>>, driver: Arc<Driver>) -> Infallible {
    loop {
        let request = poll_fn(|_| lock(&desk).request.take().map_or(Poll::Pending, Poll::Ready));
        let answer = driver.call(request.await).await;
        lock(&desk).answer = Some(answer);
    }
}

fn lock(desk: &Mutex<Desk>) -> MutexGuard<'_, Desk> {
    desk.lock().unwrap_or_else(PoisonError::into_inner)
}
