//! Requests and answers of any verb.

use kv_core::queue::{
    Control, Controlled, Exchange, Exchanged, Inspect, Inspected, Maintain, Maintained, Partition,
    QueueEngine, Submit, Submitted,
};
use kv_core::{ErrorKind, Result};

use crate::{Machine, Tables};

/// A request of any verb.
#[derive(Clone, Debug)]
pub(super) enum Request {
    Submit(Submit),
    Exchange(Exchange),
    Maintain(Maintain),
    Control(Control),
    Inspect(Inspect),
}

/// The answer to a request of any verb.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Answer {
    Submit(Vec<Submitted>),
    Exchange(Exchanged),
    Maintain(Maintained),
    Control(Controlled),
    Inspect(Inspected),
    Error(ErrorKind),
}

impl Answer {
    fn of<R>(result: Result<R>, answer: fn(R) -> Self) -> Self {
        result.map_or_else(|error| Self::Error(error.kind()), answer)
    }
}

pub(super) async fn ask(
    engine: &dyn QueueEngine,
    partition: &Partition,
    request: Request,
) -> Answer {
    match request {
        Request::Submit(it) => Answer::of(engine.submit(partition, it).await, Answer::Submit),
        Request::Exchange(it) => Answer::of(engine.exchange(partition, it).await, Answer::Exchange),
        Request::Maintain(it) => Answer::of(engine.maintain(partition, it).await, Answer::Maintain),
        Request::Control(it) => Answer::of(engine.control(partition, it).await, Answer::Control),
        Request::Inspect(it) => Answer::of(engine.inspect(partition, it).await, Answer::Inspect),
    }
}

pub(super) fn answer<T: Tables>(mut machine: Machine<'_, T>, request: &Request) -> Answer {
    match request {
        Request::Submit(it) => Answer::of(machine.submit(it), Answer::Submit),
        Request::Exchange(it) => Answer::of(machine.exchange(it), Answer::Exchange),
        Request::Maintain(it) => Answer::of(machine.maintain(it), Answer::Maintain),
        Request::Control(it) => Answer::of(machine.control(it), Answer::Control),
        Request::Inspect(it) => Answer::of(machine.inspect(it), Answer::Inspect),
    }
}
