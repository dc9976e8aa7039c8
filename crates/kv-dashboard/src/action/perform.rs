//! Doing what was asked for.

use kv_queue::{JobId, Queue};

use super::{Action, Which};
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::letters::{self, MOST_CHANGED};

/// Does it, and returns how many jobs, groups or schedules it changed.
pub(super) async fn perform(app: &App, queue: &str, action: &Action) -> Result<u64> {
    let queue = app.queue::<()>(queue).await?;
    let one = |()| 1;
    let found = |changed: bool, what: &str| {
        let missing = || Failure::missing(format!("there is no such {what} in this queue"));
        if changed { Ok(1) } else { Err(missing()) }
    };
    Ok(match action {
        Action::Pause => queue.pause().await.map(one)?,
        Action::Resume => queue.resume().await.map(one)?,
        Action::Clear => queue.clear().await?,
        Action::Delete => queue.delete().await.map(one)?,
        Action::Redrive(Which::All) => queue.redrive(MOST_CHANGED).await?,
        Action::Redrive(which) => queue.redrive_jobs(ids(&queue, which).await?).await?,
        Action::Discard(which) => queue.discard(ids(&queue, which).await?).await?,
        Action::RunNow(ids) => queue.run_now(ids.as_slice()).await?,
        Action::Cancel(ids) => queue.cancel(ids.as_slice()).await?,
        Action::PauseGroup(group, time) => u64::from(queue.pause_group(group, *time).await?),
        Action::ResumeGroup(group) => u64::from(queue.resume_group(group).await?),
        Action::PauseSchedule(name) => found(queue.schedules().pause(name).await?, "schedule")?,
        Action::ResumeSchedule(name) => found(queue.schedules().resume(name).await?, "schedule")?,
        Action::RunSchedule(name) => {
            found(queue.schedules().run_now(name).await?.is_some(), "schedule")?
        }
    })
}

/// The oldest dead letters that are meant.
async fn ids(queue: &Queue<()>, which: &Which) -> Result<Vec<JobId>> {
    let reason = match which {
        Which::Reason(reason) => Some(reason.as_str()),
        Which::All => None,
        Which::Selected(ids) => return Ok(ids.clone()),
    };
    let is_meant = |letter: &kv_queue::DeadJob| {
        reason.is_none_or(|reason| letters::first_line(letter) == reason)
    };
    let letters = letters::read(queue, MOST_CHANGED, is_meant).await?;
    Ok(letters.read.into_iter().map(|letter| letter.id).collect())
}
