//! A server whose replies and notices take their time, in an order that chance decides.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, Weak};

use kv_core::{
    Bytes, Capabilities, Command, Condition, Entry, Error, ErrorKind, KeyValueStore, Outcome,
    Remaining, Reply, Result, ScanPage, ScanRequest, Version, Watcher, Write, async_trait,
};
use tokio::task::yield_now;

use super::history::Plant;

/// The number of a key's state: 0 before its first write.
pub(super) type Rank = usize;

#[derive(Default)]
pub(super) struct World {
    /// All values that each key has had, in order.
    pub(super) past: BTreeMap<String, Vec<Bytes>>,
    pub(super) lines: Vec<Line>,
}

/// What is on its way to one client.
pub(super) struct Line {
    notices: VecDeque<Notice>,
    is_up: bool,
    pub(super) watcher: Option<Weak<dyn Watcher>>,
    /// No later read of this client may be older.
    pub(super) floors: BTreeMap<String, Rank>,
    /// Whether the client was told that changes are lost.
    pub(super) is_lost: bool,
    /// Reads of a key that are under way.
    under_way: BTreeMap<String, usize>,
}

enum Notice {
    Key(String, Rank),
    Lost,
    /// And the state of everything when the connection was there again.
    Gap(BTreeMap<String, Rank>),
}

impl World {
    pub(super) fn new(clients: usize) -> Self {
        let line = || Line {
            notices: VecDeque::from([Notice::Gap(BTreeMap::new())]),
            is_up: true,
            watcher: None,
            floors: BTreeMap::new(),
            is_lost: true,
            under_way: BTreeMap::new(),
        };
        Self { past: BTreeMap::new(), lines: (0..clients).map(|_| line()).collect() }
    }

    pub(super) fn now(&self, key: &str) -> Rank {
        self.past.get(key).map_or(0, Vec::len)
    }

    pub(super) fn rank(&self, key: &str, value: Option<&Bytes>) -> Rank {
        let Some(value) = value else { return 0 };
        let at = self.past.get(key).and_then(|past| past.iter().position(|it| it == value));
        at.map_or(0, |at| at + 1)
    }

    fn write(&mut self, key: &str, value: Bytes) {
        self.past.entry(key.to_owned()).or_default().push(value);
        let rank = self.now(key);
        for line in self.lines.iter_mut().filter(|line| line.is_up) {
            line.notices.push_back(Notice::Key(key.to_owned(), rank));
        }
    }

    /// Breaks a client's connection, with all that is on its way; or makes it again.
    pub(super) fn cut_or_mend(&mut self, client: usize) {
        let now = self.past.iter().map(|(key, past)| (key.clone(), past.len())).collect();
        let line = &mut self.lines[client];
        line.is_up = !line.is_up;
        if line.is_up {
            line.notices.push_back(Notice::Gap(now));
        } else {
            line.notices.clear();
            line.notices.push_back(Notice::Lost);
        }
    }
}

/// Lets the next notice arrive at a client.
pub(super) fn deliver(world: &Mutex<World>, client: usize, plant: Plant) {
    let mut held = world.lock().unwrap();
    let line = &mut held.lines[client];
    let Some(notice) = line.notices.pop_front() else { return };
    let watcher = line.watcher.as_ref().and_then(Weak::upgrade).unwrap();
    let is_first = line.floors.is_empty() && line.is_lost;
    let is_under_way = |key: &String| line.under_way.get(key).is_some_and(|reads| *reads > 0);
    let hears = match (&notice, plant) {
        (Notice::Key(key, _), Plant::RepliesUnderWayAreKept) => !is_under_way(key),
        (Notice::Lost | Notice::Gap(_), Plant::GapsAreIgnored) => is_first,
        _ => true,
    };
    drop(held);
    match (&notice, hears) {
        (_, false) => {}
        (Notice::Key(key, _), true) => watcher.changed(key),
        (Notice::Lost, true) => watcher.lost(Error::new(ErrorKind::Connection, "cut")),
        (Notice::Gap(_), true) => watcher.gap(),
    }
    let line = &mut world.lock().unwrap().lines[client];
    line.is_lost =
        matches!(notice, Notice::Lost) || line.is_lost && !matches!(notice, Notice::Gap(_));
    let floors = match notice {
        Notice::Key(key, rank) => BTreeMap::from([(key, rank)]),
        Notice::Gap(all) => all,
        Notice::Lost => BTreeMap::new(),
    };
    for (key, rank) in floors {
        let floor = line.floors.entry(key).or_default();
        *floor = rank.max(*floor);
    }
}

/// One client's way to the server.
#[derive(Clone)]
pub(super) struct Far {
    pub(super) world: Arc<Mutex<World>>,
    pub(super) client: usize,
    pub(super) random: Arc<Mutex<fastrand::Rng>>,
}

impl Far {
    fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap()
    }

    pub(super) async fn takes_its_time(&self) {
        let steps = self.random.lock().unwrap().u8(0..5);
        for _ in 0..steps {
            yield_now().await;
        }
    }

    async fn read(&self, key: &str) -> Option<Entry> {
        let _under_way = UnderWay::begin(self, key);
        self.takes_its_time().await;
        let value = self.world().past.get(key).and_then(|past| past.last().cloned());
        self.takes_its_time().await;
        value.map(|value| Entry { value: value.clone(), version: Version::of_value(value) })
    }
}

struct UnderWay<'a>(&'a Far, &'a str);

impl<'a> UnderWay<'a> {
    fn begin(far: &'a Far, key: &'a str) -> Self {
        let mut world = far.world();
        *world.lines[far.client].under_way.entry(key.to_owned()).or_default() += 1;
        drop(world);
        Self(far, key)
    }
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let mut world = self.0.world();
        world.lines[self.0.client].under_way.entry(self.1.to_owned()).and_modify(|it| *it -= 1);
    }
}

#[async_trait]
impl KeyValueStore for Far {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.read(key).await)
    }

    async fn set(&self, key: &str, value: Bytes, _: Write) -> Result<Outcome> {
        self.takes_its_time().await;
        self.world().write(key, value.clone());
        self.takes_its_time().await;
        Ok(Outcome::Written(Version::of_value(value)))
    }

    async fn delete(&self, _: &str, _: Condition) -> Result<bool> {
        Err(Error::unsupported("delete"))
    }

    async fn ttl(&self, _: &str) -> Result<Option<Remaining>> {
        Ok(Some(Remaining::Forever))
    }

    async fn scan(&self, _: ScanRequest<'_>) -> Result<ScanPage> {
        Err(Error::unsupported("scan"))
    }

    fn capabilities(&self) -> Capabilities {
        Capabilities::TTL | Capabilities::WATCH
    }

    async fn execute(&self, commands: Vec<Command>) -> Result<Vec<Result<Reply>>> {
        let mut replies = Vec::new();
        for command in commands {
            replies.push(Ok(match command {
                Command::Get { key } => Reply::Entry(self.read(&key).await),
                _ => Reply::Remaining(Some(Remaining::Forever)),
            }));
        }
        Ok(replies)
    }

    fn watch(&self, _: &str, watcher: Weak<dyn Watcher>) -> Result<()> {
        self.world().lines[self.client].watcher = Some(watcher);
        Ok(())
    }
}
