//! Requests that go to one connection, in order.

use std::iter;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use fred::error::{Error as FredError, ErrorKind as FredKind};
use futures_util::future::{FutureExt, maybe_done};
use kv_core::Result;
use tokio::time::timeout;

use super::super::CHUNK;
use super::super::connect::Link;
use super::super::node::Node;
use super::super::request::{Answer, Request};
use super::{Pending, Track};

/// What came back for one request, in the library's terms.
pub(super) type Outcome = Result<Answer, FredError>;

pub(super) struct Group {
    pub(super) way: Way,
    pub(super) link: Arc<Link>,
    pub(super) pending: Vec<Pending>,
}

/// What requests have in common that go to one connection.
pub(super) struct Way {
    pub(super) node: Arc<Node>,
    /// Whether the node is asked for what it does not own yet.
    pub(super) is_asking: bool,
    /// Whether copies are waited for.
    pub(super) is_durable: bool,
}

impl Way {
    pub(super) fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.node, &other.node)
            && self.is_asking == other.is_asking
            && self.is_durable == other.is_durable
    }
}

impl Group {
    /// Sends all; an outcome for each, in order.
    ///
    /// # Errors
    /// Where nothing was sent.
    pub(super) async fn send(
        &self,
        tracks: &[Track],
        slice: Option<Duration>,
    ) -> Result<Vec<Outcome>> {
        self.link.ready().await?;
        let requests = self.pending.iter().map(|pending| {
            if let Some(track) = tracks.get(pending.at) {
                track.is_under_way.store(true, Ordering::Relaxed);
            }
            pending.request.clone()
        });
        let requests: Vec<_> = requests.collect();
        let sent = self.hand_over(requests);
        Ok(match slice {
            None => sent.await,
            Some(slice) => match timeout(slice, sent).await {
                Ok(outcomes) => outcomes,
                Err(_) => iter::repeat_with(late).take(self.pending.len()).collect(),
            },
        })
    }

    async fn hand_over(&self, requests: Vec<Request>) -> Vec<Outcome> {
        if !self.way.is_asking {
            return send_all(&self.link, requests).await;
        }
        let mut outcomes = Vec::with_capacity(requests.len());
        for request in requests {
            outcomes.push(self.link.ask(request).await);
        }
        outcomes
    }
}

fn late() -> Outcome {
    Err(FredError::new(FredKind::Timeout, "Request timed out."))
}

/// Hands all requests over in order, then waits for the replies, which come in that order.
async fn send_all(link: &Link, requests: Vec<Request>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(requests.len());
    let mut rest = requests.into_iter();
    if rest.len() == 1 {
        for request in rest {
            outcomes.push(link.send(request, false).await);
        }
        return outcomes;
    }
    while rest.len() > 0 {
        let mut known = Vec::new();
        let mut under_way = Vec::new();
        for request in rest.by_ref().take(CHUNK) {
            // Sent whole once, a script is known to all that follows, in its place.
            let script = request.script().filter(|script| !known.contains(script));
            known.extend(script);
            let mut reply = Box::pin(maybe_done(link.send(request, script.is_some())));
            let _ = reply.as_mut().now_or_never();
            under_way.push(reply);
        }
        for mut reply in under_way {
            reply.as_mut().await;
            outcomes.extend(reply.as_mut().take_output());
        }
    }
    outcomes
}
