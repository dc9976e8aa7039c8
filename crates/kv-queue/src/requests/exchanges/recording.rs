//! Jobs that a test wants to see; nothing without the feature `testing`.

use kv_core::queue::{NewJob, Submitted};

use super::Connection;

/// The jobs of a request, if somebody writes them down.
pub(super) struct Recording {
    #[cfg(feature = "testing")]
    jobs: Option<Vec<NewJob>>,
}

#[cfg(feature = "testing")]
impl Recording {
    pub(super) fn of(connection: &Connection, jobs: &[NewJob]) -> Self {
        Self { jobs: connection.settings.recorder.as_ref().map(|_| jobs.to_vec()) }
    }

    pub(super) fn finish(self, connection: &Connection, number: u32, answers: &[Submitted]) {
        if let (Some(recorder), Some(jobs)) = (&connection.settings.recorder, self.jobs) {
            recorder.record(connection.serializer(), number, jobs, answers);
        }
    }
}

#[cfg(not(feature = "testing"))]
impl Recording {
    pub(super) const fn of(_: &Connection, _: &[NewJob]) -> Self {
        Self {}
    }

    pub(super) const fn finish(self, _: &Connection, _: u32, _: &[Submitted]) {}
}
