//! From which page a request comes, as the browser tells.
//!
//! Every present browser sends `Sec-Fetch-Site` to a loopback address or over TLS, and `Origin` with
//! a form. A program that is no browser can send either.

use axum::http::{HeaderValue, Method, Request, header};

use crate::failure::{Failure, Result};

const SITE: &str = "sec-fetch-site";
const MODE: &str = "sec-fetch-mode";

/// Refuses what another site's page sends, and every use of an answer by another site's page. A link
/// from another site to a page may be followed.
pub(crate) fn check<B>(request: &Request<B>) -> Result<()> {
    let headers = request.headers();
    let site = headers.get(SITE).map(HeaderValue::as_bytes);
    let is_read = matches!(*request.method(), Method::GET | Method::HEAD);
    let is_allowed = match (is_read, site) {
        (true, None | Some(b"same-origin" | b"none")) => true,
        (true, Some(_)) => headers.get(MODE).is_some_and(|mode| mode == "navigate"),
        (false, Some(b"same-origin")) => !headers.contains_key(header::ORIGIN) || is_own(request),
        (false, None) => is_own(request),
        (false, Some(_)) => false,
    };
    if is_allowed {
        return Ok(());
    }
    Err(Failure::forbidden(
        "the request comes from a page of another site; expected `Sec-Fetch-Site: same-origin`, or an \
         `Origin` that is the dashboard's own",
    ))
}

/// Whether the request names the dashboard's own host as its only origin.
fn is_own<B>(request: &Request<B>) -> bool {
    let mut origins = request.headers().get_all(header::ORIGIN).iter();
    let (Some(origin), None) = (origins.next(), origins.next()) else { return false };
    let Some(origin) = origin.to_str().ok() else { return false };
    let host = origin.strip_prefix("http://").or_else(|| origin.strip_prefix("https://"));
    let own = request.headers().get(header::HOST).and_then(|own| own.to_str().ok());
    let own = own.or_else(|| request.uri().authority().map(axum::http::uri::Authority::as_str));
    host.zip(own).is_some_and(|(host, own)| host.eq_ignore_ascii_case(own))
}
