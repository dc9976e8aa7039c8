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
        match session.shared().identity.check_lately() {
            Ok(()) => answer_all(&calls, &session),
            Err(error) => calls.iter().for_each(|call| call.answer(Err(error.clone()))),
        }
    }
    session.close();
}

/// Answers calls from one state of the file, which is not older than any of them: what costs most
/// of a small read is to begin and to end it.
///
/// An answer is handed out at once. So a read of a later batch, and of a caller that was answered,
/// sees this state or a later one.
fn answer_all(calls: &[Arc<dyn Job>], session: &Session) {
    if calls.len() < 2 {
        return calls.iter().for_each(|call| answer(call, session));
    }
    let read = session.snapshot(|| {
        calls.iter().for_each(|call| answer(call, session));
        Ok(())
    });
    // Where none could begin, none is answered.
    if let Err(error) = read {
        calls.iter().for_each(|call| call.answer(Err(error.clone())));
    }
}

fn answer(call: &Arc<dyn Job>, session: &Session) {
    if call.begin() {
        call.run(session);
        call.answer(Ok(()));
    }
}
