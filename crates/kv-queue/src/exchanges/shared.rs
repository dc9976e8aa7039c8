//! One error for each of those who shared a request.

use std::error::Error as StdError;
use std::fmt;
use std::sync::Arc;

use kv_core::{Effect, Error};

/// An error like this one: of its kind, effect, words and causes.
pub(super) fn copy(error: &Arc<Error>) -> Error {
    let mut copy = Error::new(error.kind(), error.message().to_owned());
    if let Some(operation) = error.failed_operation() {
        copy = copy.operation(operation);
    }
    if let Some(key) = error.failed_key() {
        copy = copy.key(key);
    }
    if error.effect() == Effect::MaybeApplied {
        copy = copy.maybe_applied();
    }
    if error.source().is_some() {
        copy = copy.because(Cause(Arc::clone(error)));
    }
    copy
}

/// The cause of a shared error.
struct Cause(Arc<Error>);

impl fmt::Display for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.source().map_or(Ok(()), |cause| fmt::Display::fmt(cause, f))
    }
}

impl fmt::Debug for Cause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0.source(), f)
    }
}

impl StdError for Cause {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source().and_then(StdError::source)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use kv_core::ErrorKind;

    #[test]
    fn a_copy_says_what_the_error_said() {
        let cause = Error::new(ErrorKind::Backend, "cut").because(std::io::Error::other("reset"));
        let error = Error::new(ErrorKind::Connection, "gone").operation("exchange").key("q");
        let error = Arc::new(error.because(cause).maybe_applied());
        let copy = copy(&error);
        assert_eq!(
            (copy.kind(), copy.effect(), copy.to_string()),
            (error.kind(), error.effect(), error.to_string())
        );
        let chain = |error: &Error| {
            let (mut causes, mut next) = (Vec::new(), error.source());
            while let Some(cause) = next {
                causes.push(cause.to_string());
                next = cause.source();
            }
            causes
        };
        assert_eq!(chain(&copy), chain(&error));
        assert_eq!(chain(&copy), ["cut", "reset"]);
    }
}
