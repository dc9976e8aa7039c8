//! Which server a request goes to.

mod cluster;
mod first;
mod map;
mod sentinel;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock};
use std::time::Duration;

use futures_util::future::join_all;
use kv_core::{Error, Result};
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

use self::map::{Layout, Map};
use super::connect::AbortOnDrop;
use super::connector::Connector;
use super::error;
use super::node::Node;
use super::request::Request;
use super::send::SendMode;
use crate::config::{Address, RedisConfig, Sentinels, Servers};

/// The least time between two refreshes of the topology.
const PAUSE: Duration = Duration::from_millis(100);
/// The time until the next refresh while a server is away.
const AWAY: Duration = Duration::from_millis(400);
/// How long one question to one server may take.
const QUERY_TIMEOUT: Duration = Duration::from_secs(2);
/// For how many refreshes a server without slots is kept.
const GUEST: u8 = 8;

/// The servers of a store.
pub(super) enum Topology {
    /// One fixed server.
    Fixed(Arc<Node>),
    /// Discovered servers, refreshed whenever one is lost.
    Discovered(Discovered),
}

/// Who knows where the servers are.
enum Source {
    /// Any node of a Cluster, beginning with these.
    Cluster(Vec<Address>),
    Sentinel(Sentinels),
}

/// Discovered servers, and the task that refreshes them.
pub(super) struct Discovered {
    shared: Arc<Shared>,
    _keeper: AbortOnDrop<()>,
}

struct Shared {
    source: Source,
    connector: Connector,
    /// The servers as errors name them.
    name: String,
    known: RwLock<Known>,
    /// Counts the refreshes that began.
    begun: AtomicU64,
    /// Servers without slots that a redirection named, and for how many refreshes each is kept.
    guests: Mutex<BTreeMap<Address, u8>>,
    /// Counts the refreshes that ended, whatever they found.
    looks: watch::Sender<u64>,
}

/// The result of the refresh that began last.
#[derive(Default)]
struct Known {
    look: u64,
    map: Arc<Map>,
}

impl Topology {
    /// Finds the servers and connects. The caller bounds the time.
    pub(super) async fn open(config: &RedisConfig, connector: &Connector) -> Result<Self> {
        let source = match &config.servers {
            Servers::One(address) => {
                return Ok(Self::Fixed(Arc::new(Node::open(connector, address).await?)));
            }
            Servers::Cluster(nodes) => Source::Cluster(nodes.clone()),
            Servers::Sentinel(sentinels) => Source::Sentinel(sentinels.clone()),
        };
        let shared = Shared {
            source,
            connector: connector.clone(),
            name: config.servers.to_string(),
            known: RwLock::default(),
            begun: AtomicU64::new(0),
            guests: Mutex::default(),
            looks: watch::Sender::default(),
        };
        shared.look(0).await?;
        let shared = Arc::new(shared);
        let keeper = AbortOnDrop(tokio::spawn(Arc::clone(&shared).keep_looking()));
        Ok(Self::Discovered(Discovered { shared, _keeper: keeper }))
    }

    /// The server that has the key of a request, or any server for a request without a key.
    pub(super) fn node_for(&self, request: &Request) -> Result<Arc<Node>> {
        match self {
            Self::Fixed(node) => Ok(Arc::clone(node)),
            Self::Discovered(found) => found.node_for(request),
        }
    }

    /// All servers, in the order of their addresses, and the addresses that cannot be reached now.
    pub(super) fn nodes(&self) -> (Vec<Arc<Node>>, Vec<Address>) {
        match self {
            Self::Fixed(node) => (vec![Arc::clone(node)], Vec::new()),
            Self::Discovered(found) => found.shared.map().nodes(),
        }
    }

    /// Counts the refreshes that ended, if the servers can move.
    pub(super) fn looks(&self) -> Option<watch::Receiver<u64>> {
        match self {
            Self::Fixed(_) => None,
            Self::Discovered(found) => Some(found.shared.looks.subscribe()),
        }
    }

    /// Starts a refresh soon, if the servers can move.
    pub(super) fn refresh_soon(&self) {
        if let Self::Discovered(found) = self {
            found.refresh_soon();
        }
    }

    /// Refreshes the servers, and returns afterwards.
    pub(super) async fn looked(&self) {
        if let Self::Discovered(found) = self {
            found.looked().await;
        }
    }
}

impl Discovered {
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.shared.source, Source::Cluster(_))
    }

    fn node_for(&self, request: &Request) -> Result<Arc<Node>> {
        let known = self.shared.known.read().unwrap_or_else(PoisonError::into_inner);
        known.map.node_for(request.key()).ok_or_else(|| {
            self.refresh_soon();
            error::unreachable(&self.shared.name)
        })
    }

    /// Starts a refresh soon.
    pub(super) fn refresh_soon(&self) {
        self.shared.connector.lost.notify_one();
    }

    /// Refreshes the servers, and returns afterwards.
    async fn looked(&self) {
        let mut looks = self.shared.looks.subscribe();
        self.refresh_soon();
        let _ = looks.changed().await;
    }

    /// A node said that another node owns the slot now. Returns that node, if it is known.
    pub(super) fn moved(&self, slot: u16, to: &Address) -> Option<Arc<Node>> {
        self.refresh_soon();
        self.shared.map().moved(slot, to)
    }

    /// A node said that another node is about to own a slot. Returns that node, if it is known. A
    /// node without slots is known only after the next refresh.
    pub(super) fn met(&self, to: &Address) -> Option<Arc<Node>> {
        let node = self.at(to);
        if node.is_none() {
            self.shared.guests().insert(to.clone(), GUEST);
        }
        node
    }

    /// The server at an address, if it is known.
    pub(super) fn at(&self, address: &Address) -> Option<Arc<Node>> {
        self.shared.map().at(address)
    }

    /// All addresses, in order, even addresses that cannot be reached.
    pub(super) fn places(&self) -> Vec<Address> {
        self.shared.map().places().to_vec()
    }

    /// Refreshes the servers now.
    pub(super) async fn look(&self) -> Result<()> {
        self.shared.look(0).await
    }

    /// Which slots are where, as a number that changes with it.
    pub(super) fn digest(&self) -> u64 {
        self.shared.map().digest()
    }
}

impl Shared {
    fn map(&self) -> Arc<Map> {
        Arc::clone(&self.known.read().unwrap_or_else(PoisonError::into_inner).map)
    }

    async fn keep_looking(self: Arc<Self>) {
        let mut turn = 0;
        let mut is_away = false;
        loop {
            let lost = self.connector.lost.notified();
            if is_away {
                let _ = timeout(AWAY, lost).await;
            } else {
                lost.await;
            }
            turn += 1;
            if let Err(error) = self.look(turn).await {
                tracing::warn!(servers = %self.name, %error, "redis servers cannot be found");
            }
            is_away = !self.map().is_whole();
            self.looks.send_modify(|looks| *looks += 1);
            sleep(PAUSE).await;
        }
    }

    /// Asks for the servers, each time another one first, and connects to new servers.
    async fn look(&self, turn: usize) -> Result<()> {
        let look = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let known = self.map();
        let found = match &self.source {
            Source::Cluster(seeds) if cfg!(feature = "cluster") => {
                let ranges = cluster::find(&self.connector, seeds, &known, turn).await?;
                Layout::of_ranges(&ranges, &self.kept_guests(&known))
            }
            Source::Sentinel(sentinels) if cfg!(feature = "sentinel") => {
                sentinel::find(&self.connector, sentinels, &known, turn).await?
            }
            // No configuration is built that needs what is compiled out.
            Source::Cluster(_) | Source::Sentinel(_) => return Err(error::unreachable(&self.name)),
        };
        let opened = found.places().map(|address| self.opened(&known, address));
        let opened = join_all(opened).await;
        let map = found.with_nodes(opened)?;
        let mut known = self.known.write().unwrap_or_else(PoisonError::into_inner);
        if known.look < look {
            *known = Known { look, map: Arc::new(map) };
        }
        Ok(())
    }

    fn guests(&self) -> MutexGuard<'_, BTreeMap<Address, u8>> {
        self.guests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Servers without slots that are new or still kept.
    fn kept_guests(&self, known: &Map) -> Vec<Address> {
        let mut guests = self.guests();
        guests.retain(|address, looks| {
            *looks = looks.saturating_sub(1);
            *looks > 0 && known.at(address).is_none_or(|node| node.is_ready())
        });
        guests.keys().cloned().collect()
    }

    async fn opened(&self, known: &Map, address: &Address) -> Result<Arc<Node>> {
        if let Some(node) = known.at(address) {
            return Ok(node);
        }
        open(&self.connector, address).await.map(Arc::new)
    }
}

async fn open(connector: &Connector, address: &Address) -> Result<Node> {
    let limit = connector.timeout.min(QUERY_TIMEOUT);
    match timeout(limit, Node::open(connector, address)).await {
        Ok(node) => node,
        Err(_) => Err(error::timed_out(&address.to_string())),
    }
}

/// One answer of one server, over a separate connection.
async fn asked(
    connector: &Connector,
    address: &Address,
    request: Request,
) -> Result<super::Answer> {
    let node = open(&connector.with_timeout(QUERY_TIMEOUT), address).await?;
    ask(&node, request).await
}

/// One answer of a server that is connected.
async fn ask(node: &Node, request: Request) -> Result<super::Answer> {
    let access = request.access();
    let sent = timeout(QUERY_TIMEOUT, node.connection(1)?.send(request, SendMode::Plain)).await;
    let answer = sent.map_err(|_| error::timed_out(&node.server))?;
    answer.map_err(|fault| error::convert(&fault, access, &node.server))
}

/// Of the errors of all asked servers, the one that says most: a refusal before a silence.
fn worst(errors: Vec<Error>, otherwise: impl FnOnce() -> Error) -> Error {
    let passing = |error: &Error| error.kind().is_transient();
    errors.into_iter().min_by_key(passing).unwrap_or_else(otherwise)
}
