//! What the script answers of jobs: of one, and of a page of them.

use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{
    DelayedBy, Inspected, JobDetail, JobPage, JobView, ListPlace, PastFailure, Standing, State,
};

use super::decode::{Parts, block};
use crate::driver::Answer;
use crate::verbs::{number, unexpected};

/// The time, then nothing, or a job and what only the answer about one job has.
pub(super) fn job(answer: Answer) -> Result<Inspected> {
    let parts = &mut begin(answer)?;
    let now = stamp(parts)?;
    if parts.is_over() {
        return Ok(Inspected::Job { now, job: None });
    }
    let view = view(parts)?;
    let enqueued = match &*parts.text()? {
        "-" => None,
        micros => Some(Duration::from_micros(number(micros.as_bytes())?)),
    };
    let block = block(parts)?;
    let has_bytes = parts.int()? != 0;
    let bytes = parts.data()?;
    let bytes = has_bytes.then_some(bytes);
    let mut history = Vec::new();
    while !parts.is_over() {
        let at = stamp(parts)?;
        history.push(PastFailure { at, reason: lossy(parts)? });
    }
    let job = Some(Box::new(JobDetail { view, enqueued, history, block, bytes }));
    Ok(Inspected::Job { now, job })
}

/// The time, where the next page begins or nothing, and the jobs.
pub(super) fn list(state: State, answer: Answer) -> Result<Inspected> {
    let parts = &mut begin(answer)?;
    let now = stamp(parts)?;
    let has_next = parts.int()? != 0;
    let (score, name) = (number(&parts.data()?)?, parts.text()?);
    let next = has_next.then(|| ListPlace::new(state, score, name));
    let mut jobs = Vec::new();
    while !parts.is_over() {
        jobs.push(view(parts)?);
    }
    Ok(Inspected::List(JobPage { now, jobs, next }))
}

/// The parts behind the number that comes first, so that fred cannot take the reply for a published
/// message.
fn begin(answer: Answer) -> Result<Parts> {
    let mut parts = Parts::of(answer)?;
    parts.int()?;
    Ok(parts)
}

/// A job: its key, where it stands, its numbers, its reason, its group and its unique key.
fn view(parts: &mut Parts) -> Result<JobView> {
    let (key, standing) = (parts.key()?, standing(&parts.text()?)?);
    let numbers = parts.text()?;
    let mut numbers = numbers.split(' ');
    let mut next = || numbers.next().ok_or_else(unexpected);
    let mut small = || number::<u64>(next()?.as_bytes());
    let clamp = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let [failures, failed, crashes, snoozes] =
        [clamp(small()?), clamp(small()?), clamp(small()?), clamp(small()?)];
    let cancelled = small()? != 0;
    let progress = match next()? {
        "-" => None,
        progress => Some(number(progress.as_bytes())?),
    };
    let reason = lossy(parts)?;
    let group = Some(parts.text()?).filter(|group| !group.is_empty());
    let unique = parts.text()?.strip_prefix('u').map(str::to_owned);
    Ok(JobView {
        key,
        standing,
        group,
        unique,
        failures,
        failed,
        crashes,
        snoozes,
        progress,
        reason,
        cancelled,
    })
}

/// A letter, then times in microseconds and what else there is.
fn standing(text: &str) -> Result<Standing> {
    let mut words = text.split(' ');
    let letter = words.next().unwrap_or_default();
    let mut next = || words.next().ok_or_else(unexpected);
    let mut micros = || number::<u64>(next()?.as_bytes());
    let time = Duration::from_micros;
    Ok(match letter {
        "r" => Standing::Ready,
        "l" => Standing::Running { ends: time(micros()?), token: micros()? },
        "d" => Standing::Dead { died: time(micros()?) },
        "o" => Standing::Done { at: time(micros()?) },
        "t" => {
            let due = time(micros()?);
            let why = match next()? {
                "f" => DelayedBy::Retry,
                "s" => DelayedBy::Snooze,
                _ => DelayedBy::Delay,
            };
            Standing::Delayed { due, why }
        }
        _ => return Err(unexpected()),
    })
}

fn stamp(parts: &mut Parts) -> Result<Duration> {
    Ok(Duration::from_micros(number(&parts.data()?)?))
}

fn lossy(parts: &mut Parts) -> Result<String> {
    Ok(String::from_utf8_lossy(&parts.data()?).into_owned())
}
