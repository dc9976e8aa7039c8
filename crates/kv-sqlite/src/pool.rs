//! The threads that read.

use std::sync::Arc;

use crate::call::Job;
use crate::file::Session;
use crate::inbox::{Ending, Inbox};

/// The most reads that a thread takes at once.
const MOST_READS: usize = 32;

/// Answers reads until the inbox is closed and empty.
pub(crate) fn read(inbox: &Inbox, thread: usize, session: Session) {
    let _ending = Ending { inbox, thread };
    while let Some(calls) = inbox.take(thread, MOST_READS, usize::MAX) {
        match session.shared().identity.check() {
            Ok(_) => calls.iter().for_each(|call| answer(call, &session)),
            Err(error) => calls.iter().for_each(|call| call.answer(Err(error.clone()))),
        }
    }
    session.close();
}

fn answer(call: &Arc<dyn Job>, session: &Session) {
    if call.begin() {
        call.run(session);
        call.answer(Ok(()));
    }
}
