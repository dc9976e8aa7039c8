//! From a form to an action, with the consent that it needs.

use std::time::Duration;

use kv_queue::JobId;

use super::{Action, Which};
use crate::failure::{Failure, Result};
use crate::parameters::Parameters;

impl Action {
    /// The action that a form asks for.
    pub(super) fn parse(form: &Parameters) -> Result<Self> {
        let word = form.required("action")?;
        let field = |name| form.required(name).map(str::to_owned);
        Ok(match word.split_once(':').unwrap_or((word, "")) {
            ("pause", "") => Self::Pause,
            ("resume", "") => Self::Resume,
            ("clear", "") => named(form, Self::Clear)?,
            ("delete", "") => named(form, Self::Delete)?,
            ("redrive", which) => Self::Redrive(Which::parse(which, form)?),
            ("discard", which) => discard(Which::parse(which, form)?, form)?,
            ("run-now", "selected") => Self::RunNow(selected(form)?),
            ("cancel", "selected") => Self::Cancel(selected(form)?),
            ("pause-group", "") => Self::PauseGroup(field("group")?, minutes(form)?),
            ("resume-group", "") => Self::ResumeGroup(field("group")?),
            ("pause-schedule", "") => Self::PauseSchedule(field("schedule")?),
            ("resume-schedule", "") => Self::ResumeSchedule(field("schedule")?),
            ("run-schedule", "") => Self::RunSchedule(field("schedule")?),
            _ => return Err(Failure::bad("there is no such action")),
        })
    }
}

impl Which {
    fn parse(which: &str, form: &Parameters) -> Result<Self> {
        match which {
            "selected" => selected(form).map(Self::Selected),
            "reason" => Ok(Self::Reason(form.required("reason")?.to_owned())),
            "all" => Ok(Self::All),
            _ => Err(Failure::bad("there is no such action")),
        }
    }
}

fn selected(form: &Parameters) -> Result<Vec<JobId>> {
    let parse = |id: &str| id.parse::<JobId>().map_err(Failure::from);
    let ids: Vec<_> = form.all("id").map(parse).collect::<Result<_>>()?;
    if ids.is_empty() {
        return Err(Failure::bad("no job is selected; go back and select some"));
    }
    Ok(ids)
}

/// Discarding many needs a word of consent.
fn discard(which: Which, form: &Parameters) -> Result<Action> {
    if matches!(which, Which::Selected(_)) || form.get("confirm") == Some("yes") {
        return Ok(Action::Discard(which));
    }
    Err(Failure::bad("nothing was changed; go back and tick `I am sure`"))
}

/// What removes a queue or all its jobs needs the queue's name a second time.
fn named(form: &Parameters, action: Action) -> Result<Action> {
    if form.get("confirm") == Some(form.required("queue")?) {
        return Ok(action);
    }
    Err(Failure::bad("nothing was changed; go back and write the queue's name to confirm"))
}

fn minutes(form: &Parameters) -> Result<Duration> {
    let minutes: Option<u32> = form.required("minutes")?.trim().parse().ok();
    match minutes {
        Some(minutes @ 1..) => Ok(Duration::from_secs(60 * u64::from(minutes))),
        _ => Err(Failure::bad("the minutes are no number; expected a whole number from 1 on")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(form: &str) -> Result<Action> {
        Action::parse(&Parameters::parse(form.as_bytes()).unwrap())
    }

    #[test]
    fn what_removes_much_needs_consent() {
        for refused in [
            "queue=a&action=clear",
            "queue=a&action=clear&confirm=yes",
            "queue=a&action=delete&confirm=b",
            "queue=a&action=discard:all",
            "queue=a&action=discard:reason&reason=x&confirm=no",
        ] {
            assert!(parse(refused).is_err(), "{refused}");
        }
        assert_eq!(parse("queue=a&action=delete&confirm=a").unwrap(), Action::Delete);
        let all = parse("queue=a&action=discard:all&confirm=yes").unwrap();
        assert_eq!(all, Action::Discard(Which::All));
    }

    #[test]
    fn what_is_not_an_action_is_refused() {
        for wrong in [
            "queue=a",
            "queue=a&action=drop",
            "queue=a&action=pause:all",
            "queue=a&action=redrive",
            "queue=a&action=redrive:selected",
            "queue=a&action=redrive:selected&id=../x",
            "queue=a&action=redrive:reason",
            "queue=a&action=run-now:all",
            "queue=a&action=cancel:selected",
            "queue=a&action=pause-group&group=g&minutes=0",
            "queue=a&action=pause-group&group=g&minutes=-1",
            "queue=a&action=run-schedule",
        ] {
            assert!(parse(wrong).is_err(), "{wrong}");
        }
    }
}
