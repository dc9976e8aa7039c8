//! Connections on which the servers tell what changes.
//!
//! Redis calls it client tracking in broadcast mode. It needs no configuration of the server. Each
//! connection redirects its notices to itself, as messages of a channel: in RESP3, fred drops the
//! notice that everything was flushed.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use fred::clients::Client;
use fred::error::Error as FredError;
use fred::interfaces::{ClientLike, EventInterface, PubsubInterface};
use fred::types::config::Server;
use fred::types::{Message, Value};
use futures_util::future::try_join_all;
use futures_util::stream::{SelectAll, StreamExt};
use kv_core::{Error, Result};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};
use tokio_stream::wrappers::BroadcastStream;

use super::access::Access;
use super::connect::{AbortOnDrop, wait_until_connected};
use super::connector::Connector;
use super::send::custom;
use super::{Driver, error};
use crate::config::Address;

/// The channel of all notices.
const CHANNEL: &str = "__redis__:invalidate";

/// How often each server is asked for a sign of life: a connection may be gone without a word.
pub(crate) const BEAT: Duration = Duration::from_secs(1);

/// What was told.
pub(crate) enum Told {
    /// These keys may have been changed.
    Keys(Vec<Bytes>),
    /// Anything may have been changed.
    Anything,
    /// Every server has shown a sign of life.
    Alive,
}

/// One connection to each server that has keys, where it tells what changes.
///
/// The connections are made anew by whoever uses them: after an error nothing is told any more.
pub(crate) struct Tracking {
    messages: SelectAll<BroadcastStream<Message>>,
    breaks: SelectAll<BroadcastStream<(FredError, Option<Server>)>>,
    trackers: Arc<[Tracker]>,
    beat: Pin<Box<dyn Future<Output = Result<()>> + Send>>,
    /// Changes when the servers may be others.
    looks: Option<watch::Receiver<u64>>,
    places: Vec<Address>,
}

struct Tracker {
    client: Client,
    server: Arc<str>,
    _router: AbortOnDrop<Result<(), FredError>>,
}

impl Driver {
    /// Lets all servers tell of changes of keys that begin with a prefix. From the return on, every
    /// change is told.
    pub(crate) async fn track(&self, prefix: &Bytes) -> Result<Tracking> {
        self.check_open()?;
        // Before the look at the servers, so that no later change of them is missed.
        let looks = self.topology.looks();
        let places = self.places()?;
        let begun = places.iter().map(|address| self.begin_at(address, prefix));
        let begun = try_join_all(begun).await.inspect_err(|_| self.topology.refresh_soon())?;
        let trackers: Arc<[Tracker]> = begun.into();
        let messages = trackers.iter().map(|it| BroadcastStream::new(it.client.message_rx()));
        let breaks = trackers.iter().map(|it| BroadcastStream::new(it.client.error_rx()));
        let (messages, breaks) = (messages.collect(), breaks.collect());
        let tracking = Tracking {
            messages,
            breaks,
            beat: beat(&trackers, Duration::ZERO),
            trackers,
            looks,
            places,
        };
        tracking.confirmed().await
    }

    /// Whether the servers are still these.
    pub(crate) fn check_places(&self, tracking: &Tracking) -> Result<()> {
        self.check_open()?;
        if self.places()? == tracking.places {
            return Ok(());
        }
        Err(error::unreachable(self.server()))
    }

    /// The servers that have keys.
    fn places(&self) -> Result<Vec<Address>> {
        let (nodes, missing) = self.topology.nodes();
        if let Some(missing) = missing.first() {
            return Err(error::unreachable(&missing.to_string()));
        }
        Ok(nodes.iter().map(|node| node.address.clone()).collect())
    }

    async fn begin_at(&self, address: &Address, prefix: &Bytes) -> Result<Tracker> {
        let begun = timeout(self.timeout, Tracker::begin(&self.connector, address, prefix)).await;
        begun.unwrap_or_else(|_| Err(error::timed_out(&address.to_string())))
    }
}

impl Tracking {
    /// The next thing that is told.
    ///
    /// # Errors
    /// Nothing is told any more.
    pub(crate) async fn next(&mut self) -> Result<Told> {
        tokio::select! {
            biased;
            broke = self.breaks.next() => Err(self.broke(broke.and_then(|it| it.ok()))),
            alive = &mut self.beat => {
                alive?;
                self.beat = beat(&self.trackers, BEAT);
                Ok(Told::Alive)
            }
            () = looked(&mut self.looks) => Ok(Told::Alive),
            message = self.messages.next() => match message {
                Some(Ok(message)) => Ok(told(message)),
                // Some messages were dropped, since this task is behind.
                Some(Err(_)) => Ok(Told::Anything),
                None => Err(self.broke(None)),
            },
        }
    }

    /// A command that was refused before the first sign of life shows there at the latest.
    async fn confirmed(mut self) -> Result<Self> {
        (&mut self.beat).await?;
        self.beat = beat(&self.trackers, BEAT);
        Ok(self)
    }

    fn broke(&self, event: Option<(FredError, Option<Server>)>) -> Error {
        let server = self.trackers.first().map_or("", |tracker| &tracker.server);
        match event {
            Some((fault, _)) => error::convert(&fault, Access::Read, server),
            None => error::unreachable(server),
        }
    }
}

impl Tracker {
    async fn begin(connector: &Connector, address: &Address, prefix: &Bytes) -> Result<Self> {
        let server: Arc<str> = address.to_string().into();
        let client = connector.tracking_client(address);
        let breaks = client.error_rx();
        let router = AbortOnDrop(client.connect());
        let router = wait_until_connected(&client, router, breaks).await;
        let router = router.map_err(|fault| error::unwelcome(&fault, &server))?;
        let begun = redirect_to_itself(&client, prefix).await;
        begun.map_err(|fault| error::convert(&fault, Access::Read, &server))?;
        Ok(Self { client, server, _router: router })
    }
}

async fn redirect_to_itself(client: &Client, prefix: &Bytes) -> Result<(), FredError> {
    let id = custom(client, "CLIENT", vec![Bytes::from_static(b"ID")]).await?;
    let id = id.as_i64().ok_or_else(FredError::new_canceled)?.to_string();
    let words = ["TRACKING", "ON", "REDIRECT", &id, "BCAST"];
    let mut words: Vec<_> = words.map(|word| Bytes::copy_from_slice(word.as_bytes())).into();
    if !prefix.is_empty() {
        words.extend([Bytes::from_static(b"PREFIX"), prefix.clone()]);
    }
    custom(client, "CLIENT", words).await?;
    client.subscribe(CHANNEL).await
}

fn beat(
    trackers: &Arc<[Tracker]>,
    after: Duration,
) -> Pin<Box<dyn Future<Output = Result<()>> + Send>> {
    let trackers = Arc::clone(trackers);
    Box::pin(async move {
        sleep(after).await;
        let alive = trackers.iter().map(async |Tracker { client, server, .. }| {
            let pong = client.ping::<Value>(None).await;
            pong.map_err(|fault| error::convert(&fault, Access::Read, server))
        });
        try_join_all(alive).await.map(drop)
    })
}

/// Returns when the servers may be others.
async fn looked(looks: &mut Option<watch::Receiver<u64>>) {
    let looked = match looks {
        Some(looks) => looks.changed().await.is_ok(),
        None => false,
    };
    if !looked {
        std::future::pending::<()>().await;
    }
}

/// The keys of a notice; a notice without keys is about all of them.
fn told(message: Message) -> Told {
    match message.value {
        Value::Array(keys) => Told::Keys(keys.into_iter().filter_map(Value::into_bytes).collect()),
        Value::Null => Told::Anything,
        value => Told::Keys(value.into_bytes().into_iter().collect()),
    }
}
