//! Asking about jobs: one by its key, and those in a state a page at a time.

use std::sync::Arc;
use std::time::Duration;

use kv_core::Result;
use kv_core::queue::{
    GroupLimit, Inspected, JobDetail, JobKey, JobPage, JobView, ListPlace, MAX_BATCH, PastFailure,
    Standing, State,
};

use super::Machine;
use crate::member;
use crate::record::JobRecord;
use crate::tables::{Map, Member, Set, Tables};

/// What a page is to have.
pub(super) struct Wanted<'a> {
    pub(super) state: State,
    pub(super) group: Option<&'a str>,
    pub(super) after: Option<&'a ListPlace>,
    pub(super) limit: usize,
}

/// The sets that hold the jobs of a state, in the order of its list.
const fn sets(wanted: &Wanted<'_>) -> &'static [Set] {
    match (wanted.state, wanted.group) {
        (State::Ready, None) => &[Set::Ready, Set::Queued],
        (State::Ready, Some(_)) => &[Set::Queued],
        (State::Delayed, _) => &[Set::Timed],
        (State::Running, _) => &[Set::Leases],
        (State::Dead, _) => &[Set::Dead],
        (State::Done, _) => &[Set::Done],
    }
}

impl<T: Tables + ?Sized> Machine<'_, T> {
    /// Everything about one job. A job with an unreadable record looks like a fresh one.
    pub(super) fn job(&self, key: JobKey, bytes: bool, default: &GroupLimit) -> Result<Inspected> {
        let now = Duration::from_micros(self.now);
        let record = self.record(key)?.unwrap_or_default();
        let Some(standing) = self.standing(key, &record)? else {
            return Ok(Inspected::Job { now, job: None });
        };
        let history = self.history(key)?.unwrap_or_default();
        let enqueued = record.noted(key).or(history.enqueued).map(Duration::from_micros);
        let past = |(at, reason)| PastFailure { at: Duration::from_micros(at), reason };
        let history = history.failures.into_iter().map(past).collect();
        let block = match &record.group {
            Some(group) if standing == Standing::Ready => self.state_of(group, default)?.block,
            _ => None,
        };
        let map = if standing.state() == State::Done { Map::Checkpoint } else { Map::Body };
        let bytes = if bytes { self.tables.get(map, &key.to_string())? } else { None };
        let view = view(key, standing, record);
        let job = Some(Box::new(JobDetail { view, enqueued, history, block, bytes }));
        Ok(Inspected::Job { now, job })
    }

    /// Where a job stands; `None` if there is none of this key.
    fn standing(&self, key: JobKey, record: &JobRecord) -> Result<Option<Standing>> {
        let (set, member) = member_of(key, record);
        if self.tables.score(set, &member)?.is_some() {
            return Ok(Some(Standing::Ready));
        }
        for set in [Set::Timed, Set::Dead, Set::Done] {
            if let Some(score) = self.tables.score(set, &key.to_string())? {
                return self.stands(set, key, score, 0, record).map(Some);
            }
        }
        if self.tables.size(Map::Body, &key.to_string())?.is_none() {
            return Ok(None);
        }
        let Some(lease) = self.tables.find(Set::Leases, &format!("{key}:"))? else {
            return Ok(None);
        };
        let token = member::parse_lease(&lease.name).map_or(0, |handle| handle.token);
        self.stands(Set::Leases, key, lease.score, token, record).map(Some)
    }

    fn stands(
        &self,
        set: Set,
        key: JobKey,
        score: u64,
        token: u64,
        record: &JobRecord,
    ) -> Result<Standing> {
        let at = Duration::from_micros(score);
        Ok(match set {
            Set::Timed => Standing::Delayed { due: at, why: self.why_delayed(key, record)? },
            Set::Leases => Standing::Running { token, ends: at },
            Set::Dead => Standing::Dead { died: at },
            Set::Done => Standing::Done { at },
            _ => Standing::Ready,
        })
    }

    /// A page of the jobs in a state.
    pub(super) fn list(&self, wanted: &Wanted<'_>) -> Result<Inspected> {
        let mut page = JobPage { now: Duration::from_micros(self.now), ..JobPage::default() };
        let mut left = MAX_BATCH;
        let limit = wanted.limit.max(1);
        for set in sets(wanted) {
            let Some(mut last) = begin(*set, wanted) else { continue };
            while page.jobs.len() < limit && left > 0 {
                let count = left.min(limit - page.jobs.len());
                let members = match &last {
                    Some(last) => self.tables.first_beyond(*set, last, count)?,
                    None => self.tables.first(*set, count)?,
                };
                left -= members.len();
                let is_over = members.len() < count;
                for member in members {
                    if is_behind(*set, &member, wanted) {
                        return Ok(Inspected::List(JobPage { next: None, ..page }));
                    }
                    page.jobs.extend(self.listed(*set, &member, wanted)?);
                    page.next = Some(place(*set, &member));
                    last = Some(member);
                }
                if is_over {
                    page.next = None;
                    break;
                }
            }
            if page.jobs.len() >= limit || left == 0 {
                break;
            }
        }
        Ok(Inspected::List(page))
    }

    /// A member as it is listed; nothing if it names no job or is of another group.
    fn listed(&self, set: Set, member: &Member, wanted: &Wanted<'_>) -> Result<Option<JobView>> {
        let Ok(key) = member::job_of(set, &member.name) else { return Ok(None) };
        let record = self.record(key)?.unwrap_or_default();
        if wanted.group.is_some() && set != Set::Queued && record.group.as_deref() != wanted.group {
            return Ok(None);
        }
        let token = match set {
            Set::Leases => member::parse_lease(&member.name)?.token,
            _ => 0,
        };
        let standing = self.stands(set, key, member.score, token, &record)?;
        Ok(Some(view(key, standing, record)))
    }
}

/// The set and the member of a job if it is ready.
pub(super) fn member_of(key: JobKey, record: &JobRecord) -> (Set, Arc<str>) {
    let place = record.place.as_ref();
    match &record.group {
        Some(group) => (Set::Queued, member::queued(group, key, place).into()),
        None => (Set::Ready, member::ready(key, place).name),
    }
}

/// Behind which member a page begins in a set: the first member if `None` is inside; `None` if the
/// page begins in a later set.
fn begin(set: Set, wanted: &Wanted<'_>) -> Option<Option<Member>> {
    let start = match (set, wanted.group) {
        (Set::Queued, Some(group)) => Some(Member { score: 0, name: member::under(group).into() }),
        _ => None,
    };
    let Some(after) = wanted.after else { return Some(start) };
    let is_queued = after.name().contains('\n');
    match set {
        Set::Ready if is_queued => None,
        Set::Ready => {
            let place = after.name().get(..14).and_then(|place| place.parse().ok());
            let score = place.map_or(0, |place: JobKey| place.rank());
            Some(Some(Member { score, name: after.name().into() }))
        }
        // A place in another group begins this one anew.
        Set::Queued => match &start {
            Some(start) if !after.name().starts_with(&*start.name) => Some(Some(start.clone())),
            None if !is_queued => Some(None),
            _ => Some(Some(Member { score: 0, name: after.name().into() })),
        },
        // Behind the job's lease, whatever its token.
        Set::Leases => {
            let name = format!("{};", after.name()).into();
            Some(Some(Member { score: after.score(), name }))
        }
        _ => Some(Some(Member { score: after.score(), name: after.name().into() })),
    }
}

/// Whether a member stands behind all of the wanted group.
fn is_behind(set: Set, member: &Member, wanted: &Wanted<'_>) -> bool {
    set == Set::Queued
        && wanted.group.is_some_and(|group| !member.name.starts_with(&member::under(group)))
}

/// The place behind a member.
fn place(set: Set, member: &Member) -> ListPlace {
    let at = |state, name: &str| ListPlace::new(state, member.score, name.to_owned());
    match set {
        Set::Ready | Set::Queued => ListPlace::new(State::Ready, 0, member.name.to_string()),
        Set::Leases => at(State::Running, member.name.split(':').next().unwrap_or_default()),
        Set::Dead => at(State::Dead, &member.name),
        Set::Done => at(State::Done, &member.name),
        _ => at(State::Delayed, &member.name),
    }
}

fn view(key: JobKey, standing: Standing, record: JobRecord) -> JobView {
    let JobRecord { unique, failures, failed, crashes, snoozes, progress, .. } = record;
    let JobRecord { cancelled, reason, group, .. } = record;
    JobView {
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
    }
}
