//! What stands around every page: who may ask, from where, how much, and what a browser may do with
//! the answer.

mod host;
mod origin;

pub(crate) use host::Hosts;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{OriginalUri, Request, State};
use axum::http::{HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;

use crate::access::Denied;
use crate::app::App;
use crate::failure::{Failure, Result};
use crate::json;
use crate::page::failure_page;
use crate::parameters::MAX_QUERY;
use crate::visit::{Base, Viewer, wants_json};

/// How long a page may take. The store's own verbs give up after 15 s.
const PAGE_TIME: Duration = Duration::from_secs(30);

/// What a browser may load, run and send for a page: files of the dashboard itself.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; \
                      connect-src 'self'; form-action 'self'; base-uri 'none'; \
                      frame-ancestors 'none'";

/// What every answer carries, refusals too.
const HEADERS: [(HeaderName, &str); 8] = [
    (header::CONTENT_SECURITY_POLICY, POLICY),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    // With `no-referrer`, browsers send `Origin: null` with a form.
    (header::REFERRER_POLICY, "same-origin"),
    (header::CACHE_CONTROL, "no-store"),
    (HeaderName::from_static("cross-origin-resource-policy"), "same-origin"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("x-robots-tag"), "noindex"),
];

/// Lets a request pass that may, and dresses the answer.
pub(crate) async fn guard(
    State(app): State<Arc<App>>,
    mut request: Request,
    next: Next,
) -> Response {
    let base = match &app.settings.base {
        Some(base) => Base(base.clone()),
        None => Base::of(request.extensions().get::<OriginalUri>(), request.uri()),
    };
    let is_program = wants_json(request.uri(), request.headers());
    let mut response = match check(&app, &request) {
        Ok(viewer) => {
            request.extensions_mut().insert(base.clone());
            request.extensions_mut().insert(viewer);
            answer(&app, request, next).await
        }
        Err(failure) => axum::response::IntoResponse::into_response(failure),
    };
    if let Some(failure) = response.extensions_mut().remove::<Failure>() {
        response = match is_program {
            true => json::failure(&failure),
            false => failure_page(&base, &failure),
        };
    }
    for (name, value) in HEADERS {
        response.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    if response.status() == StatusCode::UNAUTHORIZED {
        let ask = HeaderValue::from_static("Basic realm=\"oc-kv\", charset=\"UTF-8\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, ask);
    }
    response
}

fn check(app: &App, request: &Request) -> Result<Viewer> {
    if request.uri().query().unwrap_or_default().len() > MAX_QUERY {
        let text = format!("the query has more than {MAX_QUERY} bytes; expected fewer");
        return Err(Failure::new(StatusCode::URI_TOO_LONG, text));
    }
    app.settings.hosts.check(request)?;
    let viewer = app.settings.access.check(request).map_err(|denied| match denied {
        Denied::Token => Failure::new(
            StatusCode::UNAUTHORIZED,
            "the token is missing or wrong; send it as the password, or as \
             `Authorization: Bearer TOKEN`",
        ),
        Denied::Elsewhere => Failure::forbidden(
            "only this machine may see the dashboard; expected a direct connection from a loopback \
             address, or a dashboard with a token",
        ),
    })?;
    origin::check(request)?;
    if *request.method() == Method::POST && !app.settings.actions {
        return Err(Failure::forbidden(
            "the dashboard is read-only; whoever starts it can allow actions",
        ));
    }
    Ok(Viewer(viewer))
}

/// Runs a page in its turn and in its time. An action is not given up halfway: each of its verbs
/// ends in the store's time.
async fn answer(app: &App, request: Request, next: Next) -> Response {
    let is_action = *request.method() == Method::POST;
    let page = async {
        // The semaphore is never closed.
        let _turn = app.turns.acquire().await;
        next.run(request).await
    };
    if is_action {
        return page.await;
    }
    tokio::time::timeout(PAGE_TIME, page).await.unwrap_or_else(|_| {
        let text = format!("the store did not answer within {} s", PAGE_TIME.as_secs());
        axum::response::IntoResponse::into_response(Failure::new(StatusCode::GATEWAY_TIMEOUT, text))
    })
}
