//! A partition as it is: pages that are exported, and jobs that are imported.

use std::time::Duration;

use bytes::Bytes;
use kv_core::queue::{
    Export, Exported, Import, Imported, JobImage, JobKey, JobState, MAX_STAMP, Numbers,
    SavedProgress, UniqueImage,
};
use kv_core::{Error, ErrorKind, Result};

use super::decode::Parts;
use crate::driver::{Answer, decimal};
use crate::verbs::{number, unexpected};

/// The letters of the sets that hold jobs, in the order of their pages; unique keys come last.
const SETS: [&str; 4] = ["r", "t", "l", "d"];
const UNIQUE: &str = "u";

/// Which part of a partition a page is of, and where it begins.
pub(super) struct Place {
    letter: &'static str,
    behind: String,
}

impl Place {
    /// Reads a cursor.
    ///
    /// # Errors
    /// `InvalidKey` for a cursor of another engine.
    pub(super) fn of(request: &Export) -> Result<Self> {
        let Some(at) = &request.at else { return Ok(Self { letter: "r", behind: String::new() }) };
        let known = |letter: &str| SETS.into_iter().chain([UNIQUE]).find(|one| *one == letter);
        let split = at.split_once(':').and_then(|(letter, rest)| Some((known(letter)?, rest)));
        let (letter, behind) = split.ok_or_else(|| {
            let message = "a cursor of another engine; expected the last page's own";
            Error::new(ErrorKind::InvalidKey, message)
        })?;
        Ok(Self { letter, behind: behind.to_owned() })
    }

    fn next(&self, last: &str) -> Option<String> {
        if !last.is_empty() {
            return Some(format!("{}:{last}", self.letter));
        }
        let at = SETS.iter().position(|letter| *letter == self.letter)?;
        Some(format!("{}:", SETS.get(at + 1).copied().unwrap_or(UNIQUE)))
    }

    pub(super) fn arguments(&self, request: &Export) -> Vec<Bytes> {
        let bytes = u64::try_from(request.bytes).map_or(MAX_STAMP, |bytes| bytes.min(MAX_STAMP));
        vec![
            Bytes::from_static(self.letter.as_bytes()),
            Bytes::from(self.behind.clone()),
            decimal(request.limit.max(1)),
            decimal(bytes),
        ]
    }

    pub(super) fn exported(&self, answer: Answer) -> Result<Exported> {
        let mut parts = Parts::of(answer)?;
        let numbers = numbers(&parts.data()?)?;
        let last = text(parts.data()?)?;
        let mut page = Exported { numbers, broken: parts.count()?, ..Exported::default() };
        page.next = self.next(&last);
        while !parts.is_over() {
            if self.letter == UNIQUE {
                page.unique.push(unique(&mut parts)?);
            } else {
                page.jobs.push(job(self.letter, &mut parts)?);
            }
        }
        Ok(page)
    }
}

fn numbers(line: &[u8]) -> Result<Numbers> {
    let words = words(line)?;
    let [sequence, token, done, cancelled, evicted, paused] = *words else {
        return Err(unexpected());
    };
    let [sequence, token, done, cancelled, evicted] =
        [sequence, token, done, cancelled, evicted].map(Option::unwrap_or_default);
    Ok(Numbers { sequence, token, done, cancelled, evicted, paused: paused == Some(1) })
}

/// Numbers between spaces; `-` is none.
fn words(line: &[u8]) -> Result<Box<[Option<u64>]>> {
    let word = |word: &[u8]| if word == b"-" { Ok(None) } else { number(word).map(Some) };
    line.split(|byte| *byte == b' ').map(word).collect()
}

fn text(data: Bytes) -> Result<String> {
    String::from_utf8(data.into()).map_err(|_| unexpected())
}

fn job(letter: &str, parts: &mut Parts) -> Result<JobImage> {
    let (key, time) = (parts.key()?, parts.data()?);
    let at = || number(&time).map(Duration::from_micros);
    let state = match letter {
        "t" => JobState::Timed { due: at()? },
        "d" => JobState::Dead { died: at()? },
        _ => JobState::Ready,
    };
    let (body, saved, history) = (parts.data()?, parts.data()?, words(&parts.data()?)?);
    let [failures, failed, crashes, snoozes, progress, deadline, place, since, cancelled] =
        *history
    else {
        return Err(unexpected());
    };
    let [failures, failed, crashes, snoozes] = [failures, failed, crashes, snoozes]
        .map(|number| u32::try_from(number.unwrap_or_default()).unwrap_or(u32::MAX));
    let unique = Some(text(parts.data()?)?).filter(|unique| !unique.is_empty());
    Ok(JobImage {
        key,
        state,
        body,
        checkpoint: progress.map(|progress| SavedProgress { state: saved, progress }),
        unique,
        deadline: deadline.map(Duration::from_micros),
        failures,
        failed,
        crashes,
        snoozes,
        cancelled: cancelled == Some(1),
        reason: text(parts.data()?)?,
        came_back: place.map(|place| (place, Duration::from_micros(since.unwrap_or_default()))),
    })
}

fn unique(parts: &mut Parts) -> Result<UniqueImage> {
    let (key, holder, until) = (text(parts.data()?)?, parts.key()?, parts.data()?);
    let until = if until.is_empty() { None } else { Some(number(&until)?) };
    Ok(UniqueImage { key, holder, until: until.map(Duration::from_micros) })
}

pub(super) fn import(request: Import) -> Vec<Bytes> {
    let Import { jobs, unique, numbers } = request;
    let highest = jobs.iter().map(|job| job.key.sequence());
    let sequence = highest.fold(numbers.sequence.min(JobKey::MAX_SEQUENCE), u64::max);
    let Numbers { token, done, cancelled, evicted, paused, .. } = numbers;
    let mut args: Vec<Bytes> = [sequence, token, done, cancelled, evicted, u64::from(paused)]
        .map(|number| decimal(number.min(MAX_STAMP)))
        .into();
    args.extend([decimal(jobs.len()), decimal(unique.len())]);
    jobs.into_iter().for_each(|job| args.extend(image(job)));
    for UniqueImage { key, holder, until } in unique {
        let until = until.map_or_else(Bytes::new, stamp);
        args.extend([Bytes::from(key), Bytes::from(holder.to_string()), until]);
    }
    args
}

fn image(job: JobImage) -> [Bytes; 8] {
    let (letter, time) = match job.state {
        JobState::Ready => ("r", Bytes::new()),
        JobState::Timed { due } => ("t", stamp(due)),
        JobState::Dead { died } => ("d", stamp(died)),
    };
    let (state, progress) =
        job.checkpoint.map_or((Bytes::new(), None), |it| (it.state, Some(it.progress)));
    let (place, since) = job.came_back.map_or((None, None), |(at, since)| (Some(at), Some(since)));
    let counted = [job.failures, job.failed, job.crashes, job.snoozes].map(|it| Some(it.into()));
    let micros = |time: Option<Duration>| time.map(self::micros);
    let rest = [
        progress.map(|progress| progress.min(MAX_STAMP)),
        micros(job.deadline),
        place.map(|place| place.min(JobKey::MAX_SEQUENCE)),
        micros(since),
        Some(u64::from(job.cancelled)),
    ];
    let word = |number: Option<u64>| number.map_or_else(|| "-".to_owned(), |it| it.to_string());
    let history: Vec<String> = counted.into_iter().chain(rest).map(word).collect();
    [
        Bytes::from(job.key.to_string()),
        Bytes::from_static(letter.as_bytes()),
        time,
        job.body,
        state,
        Bytes::from(history.join(" ")),
        job.unique.map_or_else(Bytes::new, Bytes::from),
        Bytes::copy_from_slice(kv_core::queue::cut_reason(&job.reason).as_bytes()),
    ]
}

fn micros(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).map_or(MAX_STAMP, |micros| micros.min(MAX_STAMP))
}

fn stamp(time: Duration) -> Bytes {
    decimal(micros(time))
}

pub(super) fn imported(answer: Answer) -> Result<Imported> {
    let mut parts = Parts::of(answer)?;
    Ok(Imported { added: parts.count()?, present: parts.count()? })
}
