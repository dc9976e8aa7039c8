//! Why a request gets no page.

use std::error::Error as _;
use std::iter::successors;

use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use kv_core::{Error, ErrorKind};

pub(crate) type Result<T> = std::result::Result<T, Failure>;

/// Why a request gets no page: a status, and a text for the person who asked.
///
/// As a response it is empty and carries itself along; the guard, which knows where the dashboard
/// is, makes a page of it.
#[derive(Clone, Debug)]
pub(crate) struct Failure {
    pub(crate) status: StatusCode,
    pub(crate) text: String,
}

impl Failure {
    pub(crate) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    /// What was asked for cannot be understood.
    pub(crate) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }

    /// What was asked for is not there.
    pub(crate) fn missing(text: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, text)
    }

    pub(crate) fn forbidden(text: impl Into<String>) -> Self {
        Self::new(StatusCode::FORBIDDEN, text)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            ErrorKind::InvalidKey | ErrorKind::InvalidTtl | ErrorKind::TooLarge => {
                StatusCode::BAD_REQUEST
            }
            ErrorKind::ReadOnly => StatusCode::FORBIDDEN,
            ErrorKind::Conflict => StatusCode::CONFLICT,
            ErrorKind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            ErrorKind::Timeout => StatusCode::GATEWAY_TIMEOUT,
            ErrorKind::Connection | ErrorKind::Closed | ErrorKind::Backpressure => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            _ => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, explained(&error))
    }
}

/// An error with its causes, the nearest first.
pub(crate) fn explained(error: &Error) -> String {
    let causes = successors(error.source(), |cause| (*cause).source());
    causes.fold(error.to_string(), |text, cause| format!("{text}; because: {cause}"))
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status.into_response();
        response.extensions_mut().insert(self);
        response
    }
}
