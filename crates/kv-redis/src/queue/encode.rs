//! Requests as the arguments of their scripts.

use std::time::Duration;

use bytes::Bytes;
use kv_core::MAX_LIFETIME;
use kv_core::queue::{
    Claim, Control, Exchange, GroupLimit, Handle, Inspect, JobKey, ListPlace, MAX_STAMP, Maintain,
    NewJob, Operation, Policy, State, Submit, UniqueScope, cut_reason,
};

use super::keys;
use crate::driver::decimal;

pub(super) fn submit(request: Submit) -> Vec<Bytes> {
    let Submit { session, jobs } = request;
    let mut args = Vec::with_capacity(3 + 3 * jobs.len());
    match session {
        Some(session) => args.extend([keys::session(&session.name), decimal(session.request)]),
        None => args.extend([Bytes::new(), Bytes::new()]),
    }
    args.push(decimal(jobs.len()));
    for job in jobs {
        args.push(head(&job));
        args.push(job.body);
        args.extend(job.unique.map(|unique| Bytes::from(unique.key)));
        args.extend(job.group.map(|group| text(&group)));
    }
    args
}

/// The settings of a job that differ from the plain case.
fn head(job: &NewJob) -> Bytes {
    const PLAIN: [&str; 16] =
        ["0", "1", "2", "3", "4", "5", "6", "7", "8", "9", "a", "b", "c", "d", "e", "f"];
    let priority = PLAIN.get(usize::from(job.priority)).copied().unwrap_or("f");
    if job.delay.is_zero()
        && job.time_to_live.is_none()
        && job.unique.is_none()
        && job.group.is_none()
        && !job.note_time
    {
        return Bytes::from_static(priority.as_bytes());
    }
    let mut head = priority.to_owned();
    if !job.delay.is_zero() {
        head += &format!("d{}", micros(job.delay));
    }
    if let Some(ttl) = job.time_to_live {
        head += &format!("t{}", micros(ttl));
    }
    if job.note_time {
        head.push('n');
    }
    if job.group.is_some() {
        head.push('g');
    }
    match job.unique.as_ref().map(|unique| unique.scope) {
        None => {}
        Some(UniqueScope::Live) => head.push('l'),
        Some(UniqueScope::Run) => head.push('r'),
        Some(UniqueScope::Window(window)) => head += &format!("w{}", micros(window)),
    }
    Bytes::from(head)
}

pub(super) fn exchange(request: &Exchange) -> Vec<Bytes> {
    let Exchange { session, acks, operations, claim, policy } = request;
    let mut args = Vec::with_capacity(8 + acks.len() + 4 * operations.len());
    let none = Claim { limit: 0, bytes: 0, lease: Duration::ZERO };
    let claim = claim.as_ref().unwrap_or(&none);
    args.extend([
        keys::session(&session.name),
        decimal(session.request),
        decimal(acks.len()),
        decimal(operations.len()),
        decimal(claim.limit),
        decimal(bytes(claim.bytes)),
        decimal(micros(claim.lease)),
        budgets(policy),
    ]);
    args.extend(acks.iter().map(member));
    for (handle, operation) in operations {
        let (letter, value, bytes) = operate(operation);
        args.extend([Bytes::from_static(letter.as_bytes()), member(handle), value, bytes]);
    }
    args
}

fn operate(operation: &Operation) -> (&'static str, Bytes, Bytes) {
    let micros = |time: &Duration| micros(*time);
    let reason = |reason: &str| Bytes::copy_from_slice(cut_reason(reason).as_bytes());
    match operation {
        Operation::Retry { after, reason: why } => ("r", decimal(micros(after)), reason(why)),
        Operation::Fail { reason: why } => ("f", Bytes::new(), reason(why)),
        Operation::Snooze { after } => ("s", decimal(micros(after)), Bytes::new()),
        Operation::Release => ("u", Bytes::new(), Bytes::new()),
        Operation::Done { value } => ("d", Bytes::new(), value.clone()),
        Operation::Limited { after } => ("l", decimal(micros(after)), Bytes::new()),
        Operation::Extend { lease } => ("e", decimal(micros(lease)), Bytes::new()),
        Operation::Checkpoint { state, progress } => {
            ("c", decimal((*progress).min(MAX_STAMP)), state.clone())
        }
    }
}

/// The member of a lease.
fn member(handle: &Handle) -> Bytes {
    Bytes::from(format!("{}:{}", handle.key, handle.token))
}

fn budgets(policy: &Policy) -> Bytes {
    let Policy { max_failures, max_crashes, max_deliveries, keep_dead, keep_dead_for, .. } = policy;
    let Policy { keep_done, keep_done_for, group, .. } = policy;
    let [failures, crashes, deliveries] =
        [max_failures, max_crashes, max_deliveries].map(|most| (*most).max(1));
    let age =
        |age: &Option<Duration>| age.map_or_else(|| "-1".to_owned(), |age| micros(age).to_string());
    let mut budgets =
        format!("{failures} {crashes} {deliveries} {keep_dead} {}", age(keep_dead_for));
    if *group != GroupLimit::default() || *keep_done > 0 {
        budgets += &format!(" {}", terms(group));
    }
    if *keep_done > 0 {
        budgets += &format!(" {keep_done} {}", age(keep_done_for));
    }
    Bytes::from(budgets)
}

/// The terms of a limit, as the scripts read and store them.
fn terms(limit: &GroupLimit) -> String {
    let most = limit.max_running().map_or_else(|| "-1".to_owned(), |most| most.to_string());
    let interval = micros(limit.interval().unwrap_or_default());
    format!("{most}:{interval}:{}:{}", micros(limit.tolerance()), limit.turn())
}

fn text(text: &str) -> Bytes {
    Bytes::copy_from_slice(text.as_bytes())
}

pub(super) fn maintain(request: &Maintain) -> Vec<Bytes> {
    vec![decimal(request.limit), budgets(&request.policy)]
}

pub(super) fn control(request: &Control) -> Vec<Bytes> {
    let group = |action: &'static str, group: &str, value| {
        vec![Bytes::from_static(action.as_bytes()), decimal(0), text(group), value]
    };
    let (action, number, keys): (_, u64, &[JobKey]) = match request {
        Control::LimitGroup { group: name, limit } => {
            let own = limit.as_ref().map_or_else(|| "-".to_owned(), terms);
            return group("limit_group", name, Bytes::from(own));
        }
        Control::PauseGroup { group: name, time } => {
            return group("pause_group", name, decimal(micros(*time)));
        }
        Control::Pause => ("pause", 0, &[]),
        Control::Resume => ("resume", 0, &[]),
        Control::Cancel { keys } => ("cancel", 0, keys),
        Control::Discard { keys } => ("discard", 0, keys),
        Control::Redrive { keys, limit } => ("redrive", *limit as u64, keys),
        Control::Reschedule { keys, delay } => ("reschedule", micros(*delay), keys),
        Control::Purge => ("purge", 0, &[]),
    };
    let mut args = vec![Bytes::from_static(action.as_bytes()), decimal(number)];
    args.extend(keys.iter().map(|key| Bytes::from(key.to_string())));
    args
}

pub(super) fn inspect(request: Inspect) -> Vec<Bytes> {
    let (what, limit, behind, most) = match request {
        Inspect::Counts => ("counts", 0, None, 0),
        Inspect::Peek { after, limit, bytes: most } => ("peek", limit, after, most),
        Inspect::Dead { after, limit, bytes: most } => ("dead", limit, after, most),
        Inspect::Job { key, bytes, default } => {
            let key = Bytes::from(key.to_string());
            let terms = Bytes::from(terms(&default));
            return vec![Bytes::from_static(b"job"), decimal(u8::from(bytes)), key, terms];
        }
        Inspect::Unique { key } => {
            return vec![Bytes::from_static(b"unique"), decimal(0), text(&key)];
        }
        Inspect::List { state, group, after, limit } => {
            return list(state, group.as_deref(), after.as_ref(), limit);
        }
        Inspect::Groups { after, limit, default } => {
            let behind = after.map_or_else(Bytes::new, |group| text(&group));
            let terms = Bytes::from(terms(&default));
            return vec![Bytes::from_static(b"groups"), decimal(limit), behind, terms];
        }
    };
    let behind = behind.map_or_else(Bytes::new, |key| Bytes::from(key.to_string()));
    vec![Bytes::from_static(what.as_bytes()), decimal(limit), behind, decimal(bytes(most))]
}

/// A page: its limit, the state, the group or nothing, and the place behind which it begins.
fn list(state: State, group: Option<&str>, after: Option<&ListPlace>, limit: usize) -> Vec<Bytes> {
    let mut args = vec![
        Bytes::from_static(b"list"),
        decimal(limit.max(1)),
        Bytes::from_static(state.name().as_bytes()),
        text(group.unwrap_or_default()),
    ];
    args.extend(after.map(|place| decimal(place.score())));
    args.extend(after.map(|place| text(place.name())));
    args
}

/// A number of bytes, clamped to what a script can count.
fn bytes(most: usize) -> u64 {
    u64::try_from(most).map_or(MAX_STAMP, |most| most.min(MAX_STAMP))
}

/// A duration in whole microseconds, rounded up, and clamped so that a script can add it to a time.
fn micros(duration: Duration) -> u64 {
    let micros = duration.min(MAX_LIFETIME).as_nanos().div_ceil(1_000);
    u64::try_from(micros).unwrap_or(MAX_STAMP)
}
