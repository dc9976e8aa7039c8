//! Batches: which commands may run on either store, and when a batch fails as a whole.

use kv_core::{
    Capabilities, Command, Condition, Effect, Error, ErrorKind, Lifetime, Reply, Result, Write,
};

use super::switch::is_away;

/// The refusal of a command that promises more than two stores can keep.
fn refusal(command: &Command, offered: Capabilities) -> Result<()> {
    match command {
        Command::Get { .. } | Command::Exists { .. } | Command::Ttl { .. } => Ok(()),
        Command::Set { write, .. } => check_write(write, offered),
        Command::Delete { condition, .. } => check_condition(condition, offered),
        Command::Touch { lifetime, .. } => check_lifetime(*lifetime, offered),
        Command::Take { .. } => Err(offered.unsupported("take")),
        Command::Increment { .. } => Err(offered.unsupported("counters")),
        _ => Err(offered.unsupported(command.name())),
    }
}

pub(super) fn check_write(write: &Write, offered: Capabilities) -> Result<()> {
    check_condition(&write.condition, offered)?;
    check_lifetime(write.lifetime, offered)
}

pub(super) fn check_condition(condition: &Condition, offered: Capabilities) -> Result<()> {
    let is_plain = *condition == Condition::Always;
    if is_plain { Ok(()) } else { Err(offered.unsupported("conditions")) }
}

pub(super) fn check_lifetime(lifetime: Lifetime, offered: Capabilities) -> Result<()> {
    let refused = matches!(lifetime, Lifetime::In(_)) && !offered.contains(Capabilities::TTL);
    if refused { Err(Error::unsupported("time to live")) } else { Ok(()) }
}

/// The commands that may run, and a place in the answer for each command; a refused command has its
/// refusal there.
pub(super) fn split(
    commands: Vec<Command>,
    offered: Capabilities,
) -> (Vec<Command>, Vec<Result<()>>) {
    let places: Vec<Result<()>> =
        commands.iter().map(|command| refusal(command, offered)).collect();
    let allowed = commands.into_iter().zip(&places).filter(|(_, place)| place.is_ok());
    (allowed.map(|(command, _)| command).collect(), places)
}

/// The answers in their places.
pub(super) fn join(replies: Vec<Result<Reply>>, places: Vec<Result<()>>) -> Vec<Result<Reply>> {
    let mut replies = replies.into_iter();
    let missing = || Err(Error::new(ErrorKind::Backend, "a command of a batch got no reply"));
    let answer = |place: Result<()>| place.and_then(|()| replies.next().unwrap_or_else(missing));
    places.into_iter().map(answer).collect()
}

/// If each command found the store away, the batch has failed as a whole.
pub(super) fn whole(replies: Vec<Result<Reply>>) -> Result<Vec<Result<Reply>>> {
    let away = |reply: &Result<Reply>| reply.as_ref().is_err_and(is_away);
    if replies.is_empty() || !replies.iter().all(away) {
        return Ok(replies);
    }
    let errors: Vec<Error> = replies.into_iter().filter_map(Result::err).collect();
    let unknown = errors.iter().any(|error| error.effect() == Effect::MaybeApplied);
    match errors.into_iter().next() {
        Some(error) if unknown => Err(error.maybe_applied()),
        Some(error) => Err(error),
        None => Ok(Vec::new()),
    }
}
