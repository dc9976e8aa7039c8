//! The oracle catches scripts with a bug.

#[path = "../../tests/queue/disturbed.rs"]
mod disturbed;
mod gone;
mod planted;
#[path = "../../tests/queue/stored.rs"]
mod stored;
#[path = "../../tests/queue/subject.rs"]
mod subject;
