//! One error for every backend: what happened, where, and what the caller can do next.

use std::borrow::Cow;
use std::error::Error as StdError;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

/// The result of every fallible call in this workspace.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A boxed cause.
pub type BoxError = Box<dyn StdError + Send + Sync + 'static>;

/// What went wrong, in terms of what the caller can do about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum ErrorKind {
    /// The server cannot be reached, or the connection broke. Try again later, or use a fallback.
    Connection,
    /// The call took longer than its configured time.
    Timeout,
    /// A value cannot be encoded or decoded. Correct the type, or delete the key.
    Serialization,
    /// A key, namespace or pattern is invalid. Correct it.
    InvalidKey,
    /// A lifetime is zero or meaningless. Correct the duration.
    InvalidTtl,
    /// A key, value or batch exceeds a limit; the message names the limit.
    TooLarge,
    /// The key holds another type, such as a list, or text instead of a counter.
    WrongType,
    /// The server refuses the credentials, or denies this user the command.
    Auth,
    /// The configuration is wrong. The message names the variable.
    Config,
    /// The server accepts no writes now, for example because it is a replica.
    ReadOnly,
    /// The store is full and evicts nothing.
    OutOfMemory,
    /// A bounded buffer or queue is full. Slow down and try again.
    Backpressure,
    /// Other callers changed the same key at each attempt. Try again.
    Conflict,
    /// The caller's own loader failed; its error is the source.
    Loader,
    /// This backend does not offer the operation.
    Unsupported,
    /// The store was closed by one of its handles.
    Closed,
    /// The backend failed in a way that no other kind describes.
    Backend,
}

impl ErrorKind {
    /// Whether the error is transient: the store is away, full, or busy with other callers.
    pub const fn is_transient(self) -> bool {
        matches!(
            self,
            Self::Connection
                | Self::Timeout
                | Self::ReadOnly
                | Self::OutOfMemory
                | Self::Backpressure
                | Self::Conflict
        )
    }
}

/// Whether the failed call may have changed the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Effect {
    /// The store is as it was before the call.
    NotApplied,
    /// The store may have executed the call: the request left, but no reply came.
    MaybeApplied,
}

/// The error of every operation.
///
/// `Display` shows this level only; [`source`](StdError::source) has the cause. An error never
/// shows values and secrets. It shows keys, unless the store [hides
/// them](crate::Store::with_hidden_keys).
///
/// ```
/// use kv_core::{Effect, Error, ErrorKind};
/// let error = Error::new(ErrorKind::Timeout, "no reply within 5 s")
///     .operation("set").key("user:1").maybe_applied();
/// assert_eq!(error.to_string(), "set \"user:1\": no reply within 5 s (may have been applied)");
/// assert_eq!(error.effect(), Effect::MaybeApplied);
/// assert!(!error.is_retryable(), "a write must not be repeated blindly");
/// ```
///
/// A clone has the same text and causes, so each caller that shared a failed call gets one.
#[derive(Clone, thiserror::Error)]
#[error(transparent)]
pub struct Error(Box<Inner>);

#[derive(Clone, Debug, thiserror::Error)]
#[error("{}{message}{}", self.place(), self.note())]
struct Inner {
    kind: ErrorKind,
    message: Cow<'static, str>,
    operation: Option<&'static str>,
    key: Option<String>,
    effect: Effect,
    source: Option<Cause>,
}

/// A cause that clones share. It is no error itself, so that `source` gives the cause, not an `Arc`
/// around it, to those who ask for its type.
#[derive(Clone, Debug)]
struct Cause(Arc<dyn StdError + Send + Sync + 'static>);

impl Deref for Cause {
    type Target = dyn StdError + Send + Sync + 'static;

    fn deref(&self) -> &Self::Target {
        &*self.0
    }
}

impl Inner {
    /// What failed and at which key, before the message.
    fn place(&self) -> String {
        match (self.operation, &self.key) {
            (Some(operation), Some(key)) => format!("{operation} {key:?}: "),
            (Some(operation), None) => format!("{operation}: "),
            (None, Some(key)) => format!("key {key:?}: "),
            (None, None) => String::new(),
        }
    }

    /// What the caller must know beside the message.
    const fn note(&self) -> &'static str {
        match self.effect {
            Effect::NotApplied => "",
            Effect::MaybeApplied => " (may have been applied)",
        }
    }
}

impl Error {
    /// An error of a kind; the message says what was wrong and what was expected.
    pub fn new(kind: ErrorKind, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Inner {
            kind,
            message: message.into(),
            operation: None,
            key: None,
            effect: Effect::NotApplied,
            source: None,
        }))
    }

    /// The backend does not offer the operation.
    pub fn unsupported(what: &'static str) -> Self {
        Self::new(ErrorKind::Unsupported, format!("this store does not support {what}"))
    }

    /// The store was closed.
    pub fn closed() -> Self {
        Self::new(ErrorKind::Closed, "the store was closed")
    }

    /// Names the operation, unless a deeper level did.
    #[must_use]
    pub fn operation(mut self, operation: &'static str) -> Self {
        self.0.operation.get_or_insert(operation);
        self
    }

    /// Names the key, unless a deeper level did.
    #[must_use]
    pub fn key(mut self, key: &str) -> Self {
        self.0.key.get_or_insert_with(|| key.to_owned());
        self
    }

    /// The error without its key, and without the texts that show one: they are replaced by
    /// `<hidden>`, and the cause by a note, where there is one. A message that is part of the
    /// program shows no key.
    #[must_use]
    pub(crate) fn without_key(
        mut self,
        shows: impl Fn(&str) -> bool,
        note: Option<&'static str>,
    ) -> Self {
        self.0.key = None;
        if let Cow::Owned(message) = &self.0.message
            && shows(message)
        {
            self.0.message = "the message shows a hidden key and is left out".into();
        }
        match note {
            Some(note) => self.because(note),
            None => self,
        }
    }

    /// Puts the failed item, of many, before the message.
    ///
    /// ```
    /// use kv_core::{Error, ErrorKind};
    /// let error = Error::new(ErrorKind::TooLarge, "priority 16; expected 0 to 15").at("job 3");
    /// assert_eq!(error.message(), "job 3: priority 16; expected 0 to 15");
    /// ```
    #[must_use]
    pub fn at(mut self, item: &str) -> Self {
        self.0.message = format!("{item}: {}", self.0.message).into();
        self
    }

    /// Adds the cause.
    #[must_use]
    pub fn because(mut self, source: impl Into<BoxError>) -> Self {
        self.0.source = Some(Cause(source.into().into()));
        self
    }

    /// Marks that the store may have executed the call.
    #[must_use]
    pub fn maybe_applied(mut self) -> Self {
        self.0.effect = Effect::MaybeApplied;
        self
    }

    /// What went wrong.
    pub fn kind(&self) -> ErrorKind {
        self.0.kind
    }

    /// The message, without operation, key and effect.
    pub fn message(&self) -> &str {
        &self.0.message
    }

    /// The operation that failed, such as `get`.
    pub fn failed_operation(&self) -> Option<&'static str> {
        self.0.operation
    }

    /// The key of the failed operation: as the program named it, or as stored, with prefix and
    /// namespace; the namespace and `<hidden>` for a store that hides its keys.
    pub fn failed_key(&self) -> Option<&str> {
        self.0.key.as_deref()
    }

    /// Whether the store may have changed.
    pub fn effect(&self) -> Effect {
        self.0.effect
    }

    /// Whether the caller can repeat the same call later without executing anything twice.
    pub fn is_retryable(&self) -> bool {
        self.0.kind.is_transient() && self.0.effect == Effect::NotApplied
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Error")
            .field("kind", &self.0.kind)
            .field("effect", &self.0.effect)
            .field("message", &self.to_string())
            .field("source", &self.0.source.as_ref().map(|cause| &cause.0))
            .finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn causes(error: &Error) -> Vec<String> {
        let (mut causes, mut next) = (Vec::new(), error.source());
        while let Some(cause) = next {
            causes.push(cause.to_string());
            next = cause.source();
        }
        causes
    }

    #[test]
    fn a_clone_says_what_the_error_said_with_all_its_causes() {
        let cause = Error::new(ErrorKind::Backend, "cut").because(std::io::Error::other("reset"));
        let error = Error::new(ErrorKind::Connection, "gone").operation("exchange").key("q");
        let error = error.because(cause).maybe_applied();
        let clone = error.clone();
        assert_eq!((clone.kind(), clone.effect()), (error.kind(), error.effect()));
        assert_eq!(clone.to_string(), error.to_string());
        assert_eq!(causes(&clone), ["cut", "reset"]);
    }

    #[test]
    fn a_cause_keeps_its_type() {
        let cause = std::io::Error::from(std::io::ErrorKind::TimedOut);
        let error = Error::new(ErrorKind::Timeout, "late").because(cause);
        let cause = error.source().and_then(|cause| cause.downcast_ref::<std::io::Error>());
        assert_eq!(cause.map(std::io::Error::kind), Some(std::io::ErrorKind::TimedOut));
    }
}
