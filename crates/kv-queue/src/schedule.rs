//! Jobs that come again and again, at the times of a cron expression.
//!
//! A schedule is one value in the store: its expression, its job, and the next due time. Any number
//! of processes read it. Whoever finds it due enqueues the job under a unique key of the schedule and
//! the due time, and then advances the value under the version that was read. So no leader is needed:
//! if a process dies in between, the next one finds the key held and only advances the value.

mod cron;
mod fire;
mod new;
mod record;
mod run;
mod schedules;
mod stored;

pub use cron::Cron;
pub use fire::Fired;
pub use new::NewSchedule;
pub use record::{Firing, Misfire, Overlap, ScheduleInfo};
pub use run::Scheduler;
pub use schedules::Schedules;
pub(crate) use stored::forget;
