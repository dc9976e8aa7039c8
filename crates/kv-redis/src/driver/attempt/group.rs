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
use super::super::connect::Connection;
use super::super::node::Node;
use super::super::request::{Answer, Request};
use super::super::send::SendMode;
use super::{Pending, Track};

/// The result of one request, in fred's types.
pub(super) type Outcome = Result<Answer, FredError>;

pub(super) struct Group {
    pub(super) node: Arc<Node>,
    pub(super) connection: Arc<Connection>,
    /// Whether the requests wait for copies.
    pub(super) is_durable: bool,
    pub(super) pending: Vec<Pending>,
}

impl Group {
    pub(super) fn is_for(&self, node: &Arc<Node>, is_durable: bool) -> bool {
        Arc::ptr_eq(&self.node, node) && self.is_durable == is_durable
    }

    /// Sends all requests. Returns an outcome for each, in order.
    ///
    /// # Errors
    /// The outcomes if nothing was sent.
    pub(super) async fn send(
        &self,
        tracks: &[Track],
        slice: Option<Duration>,
    ) -> Result<Vec<Outcome>> {
        self.connection.ready().await?;
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
        if !self.pending.iter().any(Pending::is_asking) {
            return send_all(&self.connection, requests).await;
        }
        // One by one, even later requests, which may be on the same keys and must come after these.
        let mut outcomes = Vec::with_capacity(requests.len());
        for (request, pending) in requests.into_iter().zip(&self.pending) {
            let mode = if pending.is_asking() { SendMode::Asking } else { SendMode::Plain };
            outcomes.push(self.connection.send(request, mode).await);
        }
        outcomes
    }
}

fn late() -> Outcome {
    Err(FredError::new(FredKind::Timeout, "Request timed out."))
}

/// Hands over all requests in order, then waits for the replies, which come in the same order.
async fn send_all(connection: &Connection, requests: Vec<Request>) -> Vec<Outcome> {
    let mut outcomes = Vec::with_capacity(requests.len());
    let mut rest = requests.into_iter();
    if rest.len() == 1 {
        for request in rest {
            outcomes.push(connection.send(request, SendMode::Plain).await);
        }
        return outcomes;
    }
    while rest.len() > 0 {
        let mut known = Vec::new();
        let mut under_way = Vec::new();
        for request in rest.by_ref().take(CHUNK) {
            // After a script was sent whole, later requests can use its digest.
            let script = request.script().filter(|script| !known.contains(script));
            known.extend(script);
            let mode = if script.is_some() { SendMode::Whole } else { SendMode::Plain };
            let mut reply = Box::pin(maybe_done(connection.send(request, mode)));
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
