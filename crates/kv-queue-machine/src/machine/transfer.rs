//! Export and import: a partition as it is, in pages.

use std::collections::HashSet;
use std::time::Duration;

use kv_core::queue::{
    Export, Exported, Import, Imported, JobImage, JobKey, JobState, MAX_STAMP, Numbers,
    SavedProgress, UniqueImage, check_export, check_import,
};
use kv_core::{Bytes, Error, ErrorKind, Result};

use super::Machine;
use super::budget::Budget;
use crate::member::{self, Place};
use crate::record::JobRecord;
use crate::tables::{Counter, Map, Member, Set, Tables};
use crate::time;

/// The sets that hold jobs, in the order of their pages, each with the letter of its cursors.
const SETS: [(char, Set); 4] =
    [('r', Set::Ready), ('t', Set::Timed), ('l', Set::Leases), ('d', Set::Dead)];

/// The letter of the cursors into the unique keys, which come last.
const UNIQUE: char = 'u';

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Reads a page of the partition, and changes nothing.
    ///
    /// # Errors
    /// `TooLarge` for a limit above [`MAX_BATCH`](kv_core::queue::MAX_BATCH), `InvalidKey` for a
    /// cursor of another engine, `Unsupported` if the tables cannot list keys, and those of the
    /// tables.
    pub fn export(&self, request: &Export) -> Result<Exported> {
        check_export(request)?;
        let (letter, after) = place(request.at.as_deref())?;
        let mut page = Exported { numbers: self.numbers()?, ..Exported::default() };
        if letter == UNIQUE {
            self.export_unique(after, request, &mut page)?;
            return Ok(page);
        }
        let at = SETS.iter().position(|(known, _)| *known == letter).ok_or_else(wrong_cursor)?;
        let set = SETS.get(at).map_or(Set::Dead, |(_, set)| *set);
        let members = match after {
            "" => self.tables.first(set, request.limit.max(1))?,
            name => self.tables.first_after(set, name, request.limit.max(1))?,
        };
        let last = self.export_jobs(set, &members, request, &mut page)?;
        let following = SETS.get(at + 1).map_or(UNIQUE, |(letter, _)| *letter);
        page.next = Some(last.map_or(format!("{following}:"), |name| format!("{letter}:{name}")));
        Ok(page)
    }

    /// The last member that is told of, if there was any.
    fn export_jobs<'m>(
        &self,
        set: Set,
        members: &'m [Member],
        request: &Export,
        page: &mut Exported,
    ) -> Result<Option<&'m str>> {
        let (mut budget, mut last) = (Budget::new(request.bytes), None);
        for member in members {
            match self.image(set, member)? {
                Some(image) => {
                    let state = image.checkpoint.as_ref().map_or(0, |saved| saved.state.len());
                    if !budget.take(image.body.len().saturating_add(state)) {
                        break;
                    }
                    page.jobs.push(image);
                }
                None => page.broken = page.broken.saturating_add(1),
            }
            last = Some(&*member.name);
        }
        Ok(last)
    }

    /// A job as it is; nothing if a part of it is unreadable or gone.
    fn image(&self, set: Set, member: &Member) -> Result<Option<JobImage>> {
        let Ok(key) = member::job_of(set, &member.name) else { return Ok(None) };
        let (record, body) = (self.record(key)?, self.body(key)?);
        let (Some(record), Some(body)) = (record, body) else { return Ok(None) };
        let at = Duration::from_micros(member.score);
        let state = match set {
            Set::Timed => JobState::Timed { due: at },
            Set::Dead => JobState::Dead { died: at },
            _ => JobState::Ready,
        };
        let mut checkpoint = None;
        if let Some(progress) = record.progress {
            let Some(state) = self.tables.get(Map::Checkpoint, &key.to_string())? else {
                return Ok(None);
            };
            checkpoint = Some(SavedProgress { state, progress });
        }
        Ok(Some(record.image(key, state, body, checkpoint)))
    }

    fn export_unique(&self, after: &str, request: &Export, page: &mut Exported) -> Result<()> {
        let keys = self.tables.walk(Map::Unique, after, request.limit.max(1))?;
        page.next = keys.last().map(|(key, _)| format!("{UNIQUE}:{key}"));
        for (key, holder) in keys {
            let until = self.tables.score(Set::Windows, &key)?.map(Duration::from_micros);
            match member::parse_holder(&holder) {
                Ok(holder) => page.unique.push(UniqueImage { key, holder, until }),
                // It keeps nothing out.
                Err(_) => page.broken = page.broken.saturating_add(1),
            }
        }
        Ok(())
    }

    fn numbers(&self) -> Result<Numbers> {
        Ok(Numbers {
            sequence: self.tables.counter(Counter::Sequence)?,
            token: self.tables.counter(Counter::Token)?,
            done: self.tables.counter(Counter::Done)?,
            cancelled: self.tables.counter(Counter::Cancelled)?,
            evicted: self.tables.counter(Counter::Evicted)?,
            paused: self.is_paused()?,
        })
    }

    /// Stores jobs as they are. A job that is there with the same body already stays as it is, and
    /// so does a unique key with the same holder: a repeat changes nothing.
    ///
    /// # Errors
    /// `TooLarge` for more than [`MAX_BATCH`](kv_core::queue::MAX_BATCH) items; `Conflict` if
    /// another job has the key of a job, or holds a unique key. Nothing has changed then.
    pub fn import(&mut self, request: &Import) -> Result<Imported> {
        check_import(request)?;
        let mut present = HashSet::new();
        for job in &request.jobs {
            match self.body(job.key)? {
                Some(body) if body == job.body => drop(present.insert(job.key)),
                Some(_) => return Err(taken("a job", &job.key.to_string())),
                None => {}
            }
        }
        for unique in &request.unique {
            let held = self.tables.get(Map::Unique, &unique.key)?;
            if held.is_some_and(|held| *held != *unique.holder.to_string().as_bytes()) {
                return Err(taken("a unique key of", &unique.holder.to_string()));
            }
        }
        let mut added = 0;
        for job in request.jobs.iter().filter(|job| !present.contains(&job.key)) {
            self.bring_in(job)?;
            added += 1;
        }
        self.bring_in_unique(&request.unique)?;
        self.raise(request)?;
        Ok(Imported { added, present: u64::try_from(present.len()).unwrap_or(u64::MAX) })
    }

    fn bring_in(&mut self, job: &JobImage) -> Result<()> {
        let (name, record) = (job.key.to_string(), JobRecord::of(job));
        self.tables.put(Map::Body, &name, job.body.clone())?;
        if let Some(saved) = &job.checkpoint {
            self.tables.put(Map::Checkpoint, &name, saved.state.clone())?;
        }
        self.save(job.key, &record)?;
        match job.state {
            JobState::Ready => self.make_ready(job.key, record.place.as_ref()),
            JobState::Timed { due } => self.tables.insert(Set::Timed, time::stamp(due), &name),
            JobState::Dead { died } => self.tables.insert(Set::Dead, time::stamp(died), &name),
        }
    }

    fn bring_in_unique(&mut self, unique: &[UniqueImage]) -> Result<()> {
        for one in unique {
            let holder = Bytes::from(one.holder.to_string());
            self.tables.put(Map::Unique, &one.key, holder)?;
            if let Some(until) = one.until {
                self.tables.insert(Set::Windows, time::stamp(until), &one.key)?;
            }
        }
        Ok(())
    }

    /// Raises the numbers, so that no key and no token comes twice.
    fn raise(&mut self, request: &Import) -> Result<()> {
        let Numbers { sequence, token, done, cancelled, evicted, paused } = request.numbers;
        let sequences = request.jobs.iter().map(|job| job.key.sequence());
        let sequence = sequences.fold(sequence.min(JobKey::MAX_SEQUENCE), u64::max);
        for (counter, number) in [
            (Counter::Sequence, sequence),
            (Counter::Token, token),
            (Counter::Done, done),
            (Counter::Cancelled, cancelled),
            (Counter::Evicted, evicted),
            (Counter::Paused, u64::from(paused)),
        ] {
            let number = number.min(MAX_STAMP);
            if number > self.tables.counter(counter)? {
                self.tables.set_counter(counter, number)?;
            }
        }
        Ok(())
    }
}

impl JobRecord {
    fn image(
        self,
        key: JobKey,
        state: JobState,
        body: Bytes,
        checkpoint: Option<SavedProgress>,
    ) -> JobImage {
        let came_back =
            self.place.map(|place| (place.sequence, Duration::from_micros(place.since)));
        JobImage {
            key,
            state,
            body,
            checkpoint,
            unique: self.unique,
            deadline: self.deadline.map(Duration::from_micros),
            failures: self.failures,
            failed: self.failed,
            crashes: self.crashes,
            snoozes: self.snoozes,
            cancelled: self.cancelled,
            reason: self.reason,
            came_back,
        }
    }

    fn of(job: &JobImage) -> Self {
        let place = |(sequence, since): (u64, Duration)| Place {
            sequence: sequence.min(JobKey::MAX_SEQUENCE),
            since: time::stamp(since),
        };
        Self {
            unique: job.unique.clone(),
            deadline: job.deadline.map(time::stamp),
            failures: job.failures,
            failed: job.failed,
            crashes: job.crashes,
            snoozes: job.snoozes,
            progress: job.checkpoint.as_ref().map(|saved| saved.progress.min(MAX_STAMP)),
            cancelled: job.cancelled,
            reason: kv_core::queue::cut_reason(&job.reason).to_owned(),
            place: job.came_back.map(place),
        }
    }
}

/// The letter of a cursor, and the name after which to go on.
fn place(cursor: Option<&str>) -> Result<(char, &str)> {
    let Some(cursor) = cursor else { return Ok(('r', "")) };
    let (letter, name) = cursor.split_once(':').ok_or_else(wrong_cursor)?;
    Ok((letter.parse().map_err(|_| wrong_cursor())?, name))
}

fn wrong_cursor() -> Error {
    Error::new(ErrorKind::InvalidKey, "a cursor of another engine; expected the last page's own")
}

fn taken(what: &str, key: &str) -> Error {
    let message = format!(
        "{what} {key} is another one here; expected a partition that is empty, or has jobs of the \
         same source"
    );
    Error::new(ErrorKind::Conflict, message)
}
