//! Random scripts.

use std::time::Duration;

use fastrand::Rng;
use kv_core::queue::{
    BATCH_BYTES, Claim, GroupLimit, MAX_BATCH, MAX_GROUP_BYTES, MAX_PRIORITY, NewJob, Operation,
    Policy, State, Unique, UniqueScope,
};

use super::script::{
    Controlling, Exchanging, Inspecting, Pick, PickHandle, Script, SessionUse, Step,
};

/// Short, and few, so that times meet to the microsecond.
const WAITS: [Duration; 7] = [
    Duration::ZERO,
    Duration::from_micros(1),
    Duration::from_nanos(999_999_500),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::MAX,
];

const STEPS: [Duration; 7] = [
    Duration::from_micros(1),
    Duration::from_micros(999_999),
    Duration::from_secs(1),
    Duration::from_secs(1),
    Duration::from_secs(2),
    Duration::from_secs(5),
    Duration::from_secs(600),
];

/// Few groups, some of whose names begin alike.
const GROUPS: [&str; 5] = ["a", "a!", "ab", "b", "é"];

/// The number of jobs, claims and unique keys from which a full request picks.
const FULL_PICKS: usize = 2 * MAX_BATCH;

/// The script of a seed.
pub fn draw(seed: u64, steps: usize) -> Script {
    let mut rng = Rng::with_seed(seed);
    let steps = (0..steps).map(|_| step(&mut rng)).collect();
    Script { seed, steps }
}

/// The script of a seed, with plain jobs and exchanges, for which an engine may have a faster path:
/// most jobs have only a body, and most exchanges only acks and a claim.
pub fn draw_plain(seed: u64, steps: usize) -> Script {
    let mut rng = Rng::with_seed(seed);
    let steps = (0..steps).map(|_| plain_step(&mut rng)).collect();
    Script { seed, steps }
}

fn plain_step(rng: &mut Rng) -> Step {
    let mut step = step(rng);
    let is_plain = rng.u8(..16) > 0;
    match &mut step {
        Step::Submit(_, _, jobs) if is_plain => {
            jobs.iter_mut().for_each(|job| {
                (job.unique, job.time_to_live, job.group) = (None, None, None);
                job.note_time = false;
            });
        }
        Step::Exchange(_, _, exchanging) if is_plain => {
            exchanging.acks = (0..rng.usize(..3)).map(|_| near_handle(rng)).collect();
            exchanging.operations.clear();
            exchanging.policy.keep_done = 0;
        }
        _ => {}
    }
    step
}

/// One of the last claims, every fourth time with another claim's token.
fn near_handle(rng: &mut Rng) -> PickHandle {
    let key = Pick(rng.usize(..4));
    PickHandle { key, token: (rng.u8(..4) == 0).then(|| Pick(rng.usize(..8))) }
}

/// The script of a seed, with requests of the largest allowed size.
pub fn draw_full(seed: u64, steps: usize) -> Script {
    let mut rng = Rng::with_seed(seed);
    let steps = (0..steps).map(|_| full_step(&mut rng)).collect();
    Script { seed, steps }
}

fn full_step(rng: &mut Rng) -> Step {
    let mut step = step(rng);
    match &mut step {
        Step::Submit(_, _, jobs) => *jobs = full(rng, full_job),
        Step::Exchange(_, _, exchanging) => {
            exchanging.acks = full(rng, full_handle);
            exchanging.operations = full(rng, |rng| (full_handle(rng), operation(rng)));
            let lease = pick(rng, &WAITS);
            exchanging.claim = Some(Claim { limit: MAX_BATCH, bytes: BATCH_BYTES, lease });
        }
        Step::Control(
            _,
            Controlling::Cancel(keys)
            | Controlling::Discard(keys)
            | Controlling::Redrive(keys, _)
            | Controlling::Reschedule(keys, _),
        ) => *keys = full(rng, |rng| Pick(rng.usize(..FULL_PICKS))),
        Step::Advance(_) | Step::Maintain(..) | Step::Control(..) | Step::Inspect(..) => {}
    }
    step
}

fn full<T>(rng: &mut Rng, draw: impl Fn(&mut Rng) -> T) -> Vec<T> {
    (0..MAX_BATCH).map(|_| draw(rng)).collect()
}

fn full_job(rng: &mut Rng) -> NewJob {
    let mut job = job(rng);
    job.priority = job.priority.min(MAX_PRIORITY);
    if let Some(unique) = &mut job.unique {
        unique.key = format!("u{}", rng.usize(..FULL_PICKS));
    }
    if job.group.is_some() {
        job.group = Some(format!("g{}", rng.usize(..FULL_PICKS)).into());
    }
    job
}

fn full_handle(rng: &mut Rng) -> PickHandle {
    PickHandle { key: Pick(rng.usize(..FULL_PICKS)), token: None }
}

fn step(rng: &mut Rng) -> Step {
    let partition = u32::from(rng.u8(..4) == 0);
    match rng.u8(..100) {
        0..15 => Step::Advance(pick(rng, &STEPS)),
        15..38 => {
            let session = rng.bool().then(|| session(rng));
            Step::Submit(partition, session, jobs(rng))
        }
        38..76 => Step::Exchange(partition, session(rng), Box::new(exchanging(rng))),
        76..87 => Step::Maintain(partition, limit(rng), policy(rng)),
        87..94 => Step::Control(partition, controlling(rng)),
        _ => Step::Inspect(partition, inspecting(rng)),
    }
}

fn pick<T: Copy>(rng: &mut Rng, from: &[T]) -> T {
    from[rng.usize(..from.len())]
}

fn limit(rng: &mut Rng) -> usize {
    pick(rng, &[0, 1, 2, 3, 5, 8, 100, MAX_BATCH, MAX_BATCH + 1])
}

/// Bodies and states are short, so that a few of them fit into the bytes.
fn bytes(rng: &mut Rng) -> usize {
    let all = usize::MAX;
    pick(rng, &[0, 5, 12, 13, 30, BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, BATCH_BYTES, all, all])
}

fn claim(rng: &mut Rng) -> Option<Claim> {
    let wanted = rng.u8(..4) > 0;
    wanted.then(|| Claim { limit: limit(rng), bytes: bytes(rng), lease: pick(rng, &WAITS) })
}

fn session(rng: &mut Rng) -> SessionUse {
    let session = rng.usize(..3);
    match rng.u8(..20) {
        0..2 => SessionUse::Repeat(session),
        2..4 => SessionUse::Less(session, claim(rng)),
        4 => SessionUse::Older(session),
        5 => SessionUse::Reused(session),
        _ => SessionUse::Next(session),
    }
}

fn jobs(rng: &mut Rng) -> Vec<NewJob> {
    if rng.u8(..60) == 0 {
        // Without a group: to shrink a thousand of them takes long enough.
        return vec![NewJob { group: None, ..job(rng) }; MAX_BATCH + 1];
    }
    (0..rng.usize(..5)).map(|_| job(rng)).collect()
}

fn job(rng: &mut Rng) -> NewJob {
    let body: Vec<u8> = (0..rng.usize(..12)).map(|_| rng.u8(..)).collect();
    NewJob {
        body: body.into(),
        priority: if rng.u8(..80) == 0 { 16 } else { pick(rng, &[0, 8, 8, 8, 15]) },
        delay: if rng.bool() { Duration::ZERO } else { pick(rng, &WAITS) },
        unique: rng.bool().then(|| unique(rng)),
        time_to_live: (rng.u8(..4) == 0).then(|| pick(rng, &WAITS)),
        group: (rng.u8(..3) == 0).then(|| group(rng).into()),
        note_time: rng.u8(..4) == 0,
    }
}

fn group(rng: &mut Rng) -> String {
    match rng.u8(..150) {
        0 => String::new(),
        1 => "a\nb".to_owned(),
        2 => "g".repeat(MAX_GROUP_BYTES + 1),
        _ => pick(rng, &GROUPS).to_owned(),
    }
}

/// Every second time nothing is limited.
fn group_limit(rng: &mut Rng) -> GroupLimit {
    let all = GroupLimit::new();
    let second = Duration::from_secs(1);
    let limits = [
        all.concurrency(1),
        all.concurrency(2).weight(3),
        all.rate(1, second),
        all.rate(3, 2 * second).burst(2),
        all.rate(1, 5 * second).concurrency(2),
        all.weight(2),
    ];
    if rng.bool() { all } else { pick(rng, &limits) }
}

fn unique(rng: &mut Rng) -> Unique {
    let key = if rng.u8(..80) == 0 { "u".repeat(1_025) } else { format!("u{}", rng.u8(..12)) };
    let scope = match rng.u8(..5) {
        0..3 => UniqueScope::Live,
        3 => UniqueScope::Window(pick(rng, &WAITS)),
        _ => UniqueScope::Run,
    };
    Unique { key, scope }
}

fn exchanging(rng: &mut Rng) -> Exchanging {
    let acks = match rng.u8(..80) {
        0 => vec![handle(rng); MAX_BATCH + 1],
        _ => (0..rng.usize(..3)).map(|_| handle(rng)).collect(),
    };
    let operations = (0..rng.usize(..4)).map(|_| (handle(rng), operation(rng))).collect();
    Exchanging { acks, operations, claim: claim(rng), policy: policy(rng) }
}

/// Mostly one of the last claims.
fn handle(rng: &mut Rng) -> PickHandle {
    let recent = |rng: &mut Rng| Pick(if rng.bool() { rng.usize(..4) } else { rng.usize(..40) });
    let key = recent(rng);
    PickHandle { key, token: (rng.u8(..8) == 0).then(|| recent(rng)) }
}

fn operation(rng: &mut Rng) -> Operation {
    let after = pick(rng, &WAITS);
    match rng.u8(..15) {
        13..15 => {
            let value: Vec<u8> = (0..rng.usize(..9)).map(|_| rng.u8(..)).collect();
            Operation::Done { value: value.into() }
        }
        12 => Operation::Limited { after },
        0..2 => Operation::Release,
        2..5 => Operation::Retry { after, reason: reason(rng) },
        5 => Operation::Fail { reason: reason(rng) },
        6..8 => Operation::Snooze { after },
        8..10 => Operation::Extend { lease: after },
        _ => {
            let state: Vec<u8> = (0..rng.usize(..9)).map(|_| rng.u8(..)).collect();
            let progress = pick(rng, &[0, 1, 2, 3, 4, 1 << 53, u64::MAX]);
            Operation::Checkpoint { state: state.into(), progress }
        }
    }
}

fn reason(rng: &mut Rng) -> String {
    let long = if rng.u8(..10) == 0 { 1_000 } else { 0 };
    format!("{}{}", "é".repeat(long), pick(rng, &["", "timeout", "refused"]))
}

fn policy(rng: &mut Rng) -> Policy {
    Policy {
        max_failures: rng.u32(1..4),
        max_crashes: rng.u32(1..4),
        max_deliveries: rng.u32(2..6),
        keep_dead: pick(rng, &[0, 1, 3, 3, 6, 6]),
        keep_dead_for: (rng.u8(..4) == 0).then(|| pick(rng, &WAITS)),
        keep_done: pick(rng, &[0, 0, 0, 0, 1, 3, 6]),
        keep_done_for: (rng.u8(..4) == 0).then(|| pick(rng, &WAITS)),
        group: group_limit(rng),
    }
}

fn controlling(rng: &mut Rng) -> Controlling {
    let keys = |rng: &mut Rng| (0..rng.usize(..6)).map(|_| Pick(rng.usize(..40))).collect();
    match rng.u8(..36) {
        31..36 => Controlling::Reschedule(keys(rng), pick(rng, &WAITS)),
        25..28 => {
            let limit = rng.bool().then(|| group_limit(rng));
            Controlling::LimitGroup(pick(rng, &GROUPS), limit)
        }
        28..31 => Controlling::PauseGroup(pick(rng, &GROUPS), pick(rng, &WAITS)),
        0..2 => Controlling::Pause,
        2..7 => Controlling::Resume,
        7..16 => Controlling::Cancel(keys(rng)),
        16..19 => Controlling::Redrive(keys(rng), limit(rng)),
        19..22 => Controlling::Redrive(Vec::new(), pick(rng, &[0, 1, 2, 3, MAX_BATCH])),
        // Seldom, since nothing is left to go on with.
        22 if rng.u8(..3) == 0 => Controlling::Purge,
        _ => Controlling::Discard(keys(rng)),
    }
}

fn inspecting(rng: &mut Rng) -> Inspecting {
    let after = rng.bool().then(|| Pick(rng.usize(..40)));
    match rng.u8(..12) {
        4..7 => Inspecting::Job(Pick(rng.usize(..40)), rng.u8(..4) > 0, group_limit(rng)),
        7..11 => {
            let group = (rng.u8(..3) == 0).then(|| pick(rng, &GROUPS));
            let at = rng.bool().then(|| Pick(rng.usize(..6)));
            Inspecting::List(pick(rng, &State::ALL), group, at, limit(rng))
        }
        3 | 11 => {
            let after = rng.bool().then(|| pick(rng, &GROUPS));
            Inspecting::Groups(after, limit(rng), group_limit(rng))
        }
        0 => Inspecting::Counts,
        1 => Inspecting::Peek(after, limit(rng), bytes(rng)),
        _ => Inspecting::Dead(after, limit(rng), bytes(rng)),
    }
}
