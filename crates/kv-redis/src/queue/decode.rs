//! The replies of the scripts.

use std::time::Duration;

use bytes::Bytes;
use kv_core::Result;
use kv_core::queue::{
    Claimed, Controlled, Counts, DeadLetter, Exchanged, GroupBlock, GroupState, Handle, Inspect,
    Inspected, JobKey, Maintained, Peeked, SavedProgress, Submitted, Verdict,
};

use crate::driver::Answer;
use crate::verbs::{number, unexpected};

/// In place of a due time: the claim brought fewer jobs than its limit, and more jobs are ready.
const MORE: i64 = -2;

/// The length of a job's key.
const KEY: usize = 14;

/// The parts of a reply, in order.
pub(super) struct Parts(std::vec::IntoIter<Answer>);

impl Parts {
    pub(super) fn of(answer: Answer) -> Result<Self> {
        match answer {
            Answer::List(parts) => Ok(Self(parts.into_iter())),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn is_over(&self) -> bool {
        self.0.len() == 0
    }

    pub(super) fn int(&mut self) -> Result<i64> {
        match self.0.next() {
            Some(Answer::Int(number)) => Ok(number),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn count<N: TryFrom<i64>>(&mut self) -> Result<N> {
        N::try_from(self.int()?).map_err(|_| unexpected())
    }

    pub(super) fn data(&mut self) -> Result<Bytes> {
        match self.0.next() {
            Some(Answer::Data(data)) => Ok(data),
            _ => Err(unexpected()),
        }
    }

    pub(super) fn text(&mut self) -> Result<String> {
        String::from_utf8(self.data()?.into()).map_err(|_| unexpected())
    }

    pub(super) fn key(&mut self) -> Result<JobKey> {
        key(&self.data()?)
    }

    /// Microseconds from now, or never.
    pub(super) fn wait(&mut self) -> Result<Option<Duration>> {
        let micros = self.int()?;
        Ok(u64::try_from(micros).ok().map(Duration::from_micros))
    }
}

fn key(text: &[u8]) -> Result<JobKey> {
    let key = std::str::from_utf8(text).ok().and_then(|text| text.parse().ok());
    key.ok_or_else(unexpected)
}

pub(super) fn submitted(answer: Answer) -> Result<Vec<Submitted>> {
    let Answer::Data(replies) = answer else { return Err(unexpected()) };
    let reply = |reply: &[u8]| match reply.split_first() {
        Some((b'a', added)) => key(added).map(Submitted::Added),
        Some((b'd', holder)) => key(holder).map(Submitted::Duplicate),
        _ => Err(unexpected()),
    };
    replies.chunks(1 + KEY).map(reply).collect()
}

pub(super) fn exchanged(answer: Answer) -> Result<Exchanged> {
    let mut parts = Parts::of(answer)?;
    let (next_due, more) = match parts.int()? {
        MORE => (Some(Duration::ZERO), true),
        micros => (u64::try_from(micros).ok().map(Duration::from_micros), false),
    };
    let token = parts.count()?;
    let acks = verdicts(&parts.data()?)?;
    let operations = verdicts(&parts.data()?)?;
    let mut claimed = Vec::with_capacity(parts.0.len() / 2);
    while !parts.is_over() {
        claimed.push(delivery(&mut parts, token)?);
    }
    Ok(Exchanged { acks, operations, claimed, next_due, more })
}

fn verdicts(letters: &[u8]) -> Result<Vec<Verdict>> {
    let verdict = |letter: &u8| match letter {
        b'a' => Ok(Verdict::Applied),
        b'b' => Ok(Verdict::Buried),
        b's' => Ok(Verdict::Stale),
        b'c' => Ok(Verdict::Cancelled),
        _ => Err(unexpected()),
    };
    letters.iter().map(verdict).collect()
}

/// One claim: the job's key and, after its first delivery, its history.
fn delivery(parts: &mut Parts, token: u64) -> Result<Claimed> {
    let head = parts.data()?;
    let body = parts.data()?;
    let (has_group, head) = match head.split_first() {
        Some((b'+', head)) => (true, head),
        _ => (false, &*head),
    };
    let mut words = head.split(|byte| *byte == b' ').peekable();
    let noted = words.next_if(|word| word.starts_with(b"@"));
    let noted = noted.map(|word| number::<u64>(word.get(1..).unwrap_or_default())).transpose()?;
    let enqueued = noted.map(Duration::from_micros);
    let key = key(words.next().unwrap_or_default())?;
    let mut next = || words.next().map(number::<u64>).transpose();
    let attempt = next()?.unwrap_or(1);
    let delivery = next()?.unwrap_or(1);
    let checkpoint = match next()? {
        Some(progress) => Some(SavedProgress { state: parts.data()?, progress }),
        None => None,
    };
    let group = has_group.then(|| parts.text().map(Into::into)).transpose()?;
    let small = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (attempt, delivery) = (small(attempt), small(delivery));
    let handle = Handle { key, token };
    Ok(Claimed { handle, body, attempt, delivery, checkpoint, group, enqueued })
}

pub(super) fn maintained(answer: Answer) -> Result<Maintained> {
    let mut parts = Parts::of(answer)?;
    Ok(Maintained {
        promoted: parts.count()?,
        recovered: parts.count()?,
        buried: parts.count()?,
        forgotten: parts.count()?,
        unblocked: parts.count()?,
        more: parts.int()? != 0,
        next_due: parts.wait()?,
    })
}

pub(super) fn controlled(answer: Answer) -> Result<Controlled> {
    let mut parts = Parts::of(answer)?;
    Ok(Controlled { affected: parts.count()?, more: parts.int()? != 0 })
}

pub(super) fn inspected(request: &Inspect, answer: Answer) -> Result<Inspected> {
    let mut parts = Parts::of(answer)?;
    if *request == Inspect::Counts {
        return counts(&mut parts).map(Inspected::Counts);
    }
    // A number comes first, so that fred cannot take the reply for a published message.
    parts.int()?;
    if matches!(request, Inspect::Unique { .. }) {
        let holder = if parts.is_over() { None } else { Some(parts.key()?) };
        return Ok(Inspected::Unique(holder));
    }
    let mut jobs = Vec::new();
    let (mut letters, mut groups) = (Vec::new(), Vec::new());
    while !parts.is_over() {
        match request {
            Inspect::Groups { .. } => groups.push(group(&mut parts)?),
            Inspect::Dead { .. } => letters.push(letter(&mut parts)?),
            _ => jobs.push(Peeked { key: parts.key()?, body: parts.data()? }),
        }
    }
    Ok(match request {
        Inspect::Dead { .. } => Inspected::Dead(letters),
        Inspect::Groups { .. } => Inspected::Groups(groups),
        _ => Inspected::Jobs(jobs),
    })
}

fn counts(parts: &mut Parts) -> Result<Counts> {
    Ok(Counts {
        ready: parts.count()?,
        timed: parts.count()?,
        leased: parts.count()?,
        dead: parts.count()?,
        entered: parts.count()?,
        done: parts.count()?,
        cancelled: parts.count()?,
        evicted: parts.count()?,
        paused: parts.int()? != 0,
        oldest_ready: parts.wait()?,
    })
}

fn letter(parts: &mut Parts) -> Result<DeadLetter> {
    let (key, body) = (parts.key()?, parts.data()?);
    let died = Duration::from_micros(number(&parts.data()?)?);
    let (failures, crashes, deliveries) = (parts.count()?, parts.count()?, parts.count()?);
    let reason = String::from_utf8_lossy(&parts.data()?).into_owned();
    Ok(DeadLetter { key, body, reason, failures, crashes, deliveries, died })
}

fn group(parts: &mut Parts) -> Result<GroupState> {
    let (name, waiting, running) = (parts.text()?, parts.count()?, parts.count()?);
    Ok(GroupState { name, waiting, running, block: block(parts)? })
}

/// What keeps a group from a start, and for how long.
pub(super) fn block(parts: &mut Parts) -> Result<Option<GroupBlock>> {
    let (why, wait) = (parts.int()?, parts.wait()?.unwrap_or_default());
    match why {
        0 => Ok(None),
        1 => Ok(Some(GroupBlock::Concurrency)),
        2 => Ok(Some(GroupBlock::Rate(wait))),
        3 => Ok(Some(GroupBlock::Paused(wait))),
        _ => Err(unexpected()),
    }
}
