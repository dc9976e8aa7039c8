//! Replies as short texts, versions left out: what two stores can agree on.

use kv_core::{Entry, Remaining, Reply, Result};

/// The same, but for the time left: that there is some.
pub(crate) fn told_roughly(reply: &Result<Reply>) -> String {
    match reply {
        Ok(Reply::Remaining(Some(Remaining::Expires(_)))) => "some time".to_owned(),
        reply => told(reply),
    }
}

/// What a command was answered, and by which kind of reply.
pub(crate) fn told(reply: &Result<Reply>) -> String {
    match reply {
        Ok(Reply::Entry(entry)) => value(entry.as_ref()),
        Ok(Reply::Outcome(outcome)) => format!("written {}", outcome.is_written()),
        Ok(Reply::Flag(flag)) => flag.to_string(),
        Ok(Reply::Remaining(Some(Remaining::Expires(left)))) => format!("{left:?}"),
        Ok(Reply::Remaining(left)) => format!("{left:?}"),
        Ok(Reply::Number(number)) => number.to_string(),
        Ok(_) => "an unknown reply".to_owned(),
        Err(error) => format!("{:?}", error.kind()),
    }
}

/// The value of an entry.
pub(crate) fn value(entry: Option<&Entry>) -> String {
    format!("{:?}", entry.map(|entry| String::from_utf8_lossy(&entry.value)))
}
