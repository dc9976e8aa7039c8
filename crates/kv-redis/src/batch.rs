//! Many commands in one round trip.

use kv_core::{Command, Error, Reply, Result};

use crate::driver::{Answer, Request};
use crate::verbs::{Decode, Plan, plan, unexpected};

/// Where the answer of one command of a batch comes from.
pub(crate) struct Expected {
    name: &'static str,
    key: String,
    answer: Either,
}

enum Either {
    /// The answer needs no request.
    Known(Result<Reply>),
    Asked(Decode),
}

/// The requests of a batch, and how to read their replies.
pub(crate) fn prepare(commands: Vec<Command>) -> (Vec<Request>, Vec<Expected>) {
    let mut requests = Vec::with_capacity(commands.len());
    let expected = commands.into_iter().map(|command| {
        let (name, key) = (command.name(), command.key().to_owned());
        let answer = match plan(command) {
            Ok(Plan::Ask(request, decode)) => {
                requests.push(request);
                Either::Asked(decode)
            }
            Ok(Plan::Known(reply)) => Either::Known(Ok(reply)),
            Err(error) => Either::Known(Err(error)),
        };
        Expected { name, key, answer }
    });
    let expected = expected.collect();
    (requests, expected)
}

/// One reply for each command, in order.
pub(crate) fn replies(answers: Vec<Result<Answer>>, expected: Vec<Expected>) -> Vec<Result<Reply>> {
    let mut answers = answers.into_iter();
    let replies = expected.into_iter().map(|Expected { name, key, answer }| {
        let reply = match answer {
            Either::Known(reply) => reply,
            Either::Asked(decode) => match answers.next() {
                Some(answer) => answer.and_then(|answer| decode.reply(answer)),
                None => Err(unexpected()),
            },
        };
        reply.map_err(|error: Error| error.operation(name).key(&key))
    });
    replies.collect()
}
