//! Processes that are killed while they write: nothing that was acknowledged is lost.

mod child;

use std::collections::{HashMap, HashSet};
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::Duration;

use fastrand::Rng;
use kv_core::KeyValueStore;
use kv_core::queue::{
    Claim, Exchange, Inspect, Inspected, Maintain, Partition, Policy, QueueSupport, Session,
};
use kv_sqlite::SqliteStore;
use kv_testbed::ChildTest;

use crate::support::{Place, assert_whole, value};

/// The processes of a round.
const PROCESSES: usize = 3;

/// Rounds of a normal run, with up to four kills each.
const ROUNDS: usize = 6;

/// How many kills `cargo xtask soak sqlite` wants.
const KILLS: &str = "OC_KV_SOAK_KILLS";

fn partition() -> Partition {
    Partition { queue: "kills".into(), number: 0 }
}

/// What the children were told, or asked for.
#[derive(Default)]
struct Ledger {
    /// The last value of each child's key that was acknowledged.
    set: HashMap<String, u64>,
    added: HashSet<String>,
    asked: HashSet<String>,
    done: HashSet<String>,
    facts: usize,
}

impl Ledger {
    fn note(&mut self, fact: &str) {
        let mut words = fact.split(' ').map(ToOwned::to_owned);
        let mut next = || words.next().unwrap_or_default();
        self.facts += 1;
        match &*next() {
            "set" => drop(self.set.insert(next(), next().parse().unwrap())),
            "added" => drop(self.added.insert(next())),
            "asks" => drop(self.asked.insert(next())),
            "done" => drop(self.done.insert(next())),
            other => panic!("{other:?} is no fact"),
        }
    }
}

/// A child, whose facts go where the others' go.
struct Running {
    process: String,
    reader: std::thread::JoinHandle<()>,
}

impl Running {
    fn kill(&self) {
        assert!(Command::new("kill").args(["-9", &self.process]).status().unwrap().success());
    }
}

struct Round {
    place: Place,
    rng: Rng,
    ledger: Ledger,
    kills: usize,
    started: u64,
}

impl Round {
    fn start(&mut self, facts: &std::sync::mpsc::Sender<String>) -> Running {
        let path = self.place.path();
        self.started += 1;
        let name = self.started.to_string();
        let variables = [(child::PATH, path.to_str().unwrap()), (child::NAME, &*name)];
        let child = ChildTest::start("kills::child::works_until_it_is_killed", &variables);
        let mut child = child.unwrap();
        let process = child.hear("process").unwrap();
        let facts = facts.clone();
        let reader = std::thread::spawn(move || {
            while let Ok(fact) = child.hear("fact") {
                let _ = facts.send(fact);
            }
        });
        Running { process, reader }
    }

    fn hear(&mut self, facts: &Receiver<String>, count: usize) {
        let until = self.ledger.facts + count;
        while self.ledger.facts < until {
            self.ledger.note(&facts.recv_timeout(Duration::from_secs(60)).unwrap());
        }
    }

    /// Kills one of three, then all at once.
    fn run(&mut self) {
        let (sender, facts) = channel();
        let mut running: Vec<_> = (0..PROCESSES).map(|_| self.start(&sender)).collect();
        let count = self.rng.usize(1..150);
        self.hear(&facts, count);
        let killed = running.swap_remove(self.rng.usize(..PROCESSES));
        killed.kill();
        running.push(self.start(&sender));
        let count = self.rng.usize(1..150);
        self.hear(&facts, count);
        running.iter().for_each(Running::kill);
        self.kills += running.len() + 1;
        drop(sender);
        running.push(killed);
        running.into_iter().for_each(|child| child.reader.join().unwrap());
        facts.iter().for_each(|fact| self.ledger.note(&fact));
    }

    /// All that was acknowledged is there, and nothing that was done comes again.
    async fn check(&mut self) {
        let store = self.place.open().await;
        for (key, number) in &self.ledger.set {
            let found: u64 = value(&store, key).await.unwrap().parse().unwrap();
            assert!((*number..=number + 1).contains(&found), "{key} is {found} after {number}");
        }
        let left = drain(&store, &format!("drain {}", self.kills)).await;
        let known = |key: &&String| left.contains(*key) || self.ledger.asked.contains(*key);
        let lost: Vec<_> = self.ledger.added.iter().filter(|key| !known(key)).collect();
        assert!(lost.is_empty(), "lost: {lost:?}");
        let again: Vec<_> = left.intersection(&self.ledger.done).collect();
        assert!(again.is_empty(), "handed out after they were done: {again:?}");
        self.ledger.asked.extend(left.iter().cloned());
        self.ledger.done.extend(left);
        store.close().await.unwrap();
        assert_whole(&self.place.path());
    }
}

/// Takes and settles what is left; the keys of the jobs.
async fn drain(store: &SqliteStore, session: &str) -> HashSet<String> {
    let QueueSupport::Native(queues) = store.queue_engine() else { panic!() };
    let mut left = HashSet::new();
    let mut acks = Vec::new();
    for request in 1.. {
        let maintain = Maintain { limit: 1_000, policy: policy() };
        queues.maintain(&partition(), maintain).await.unwrap();
        let claim = Claim { limit: 1_000, bytes: 1 << 20, lease: Duration::from_secs(60) };
        let session = Session { name: session.into(), request };
        let (claim, policy) = (Some(claim), policy());
        let ask = Exchange { session, acks, operations: Vec::new(), claim, policy };
        let exchanged = queues.exchange(&partition(), ask).await.unwrap();
        acks = exchanged.claimed.iter().map(|claimed| claimed.handle).collect();
        left.extend(acks.iter().map(|handle| handle.key.to_string()));
        let counts = queues.inspect(&partition(), Inspect::Counts).await.unwrap();
        let Inspected::Counts(counts) = counts else { panic!() };
        if counts.outstanding() == 0 {
            assert_eq!(counts.entered, counts.done, "{counts:?}");
            return left;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    left
}

async fn kill(rounds: usize, seed: u64) {
    println!("seed={seed}");
    let mut round = Round {
        place: Place::new(),
        rng: Rng::with_seed(seed),
        ledger: Ledger::default(),
        kills: 0,
        started: 0,
    };
    let store = round.place.open().await;
    let QueueSupport::Native(queues) = store.queue_engine() else { panic!() };
    queues.open("kills", 1).await.unwrap();
    store.close().await.unwrap();
    for _ in 0..rounds {
        round.run();
        round.check().await;
    }
    let Ledger { set, added, done, .. } = &round.ledger;
    println!("kills={} keys={} jobs={} done={}", round.kills, set.len(), added.len(), done.len());
    assert!(added.len() > rounds && done.len() > rounds, "{} jobs", added.len());
}

#[tokio::test]
async fn nothing_acknowledged_is_lost_when_one_process_or_all_are_killed() {
    kill(ROUNDS, fastrand::u64(..)).await;
}

/// What `cargo xtask soak sqlite` runs.
#[tokio::test]
#[ignore = "takes minutes: cargo xtask soak sqlite"]
async fn soak() {
    let kills = std::env::var(KILLS).map_or(200, |kills| kills.parse().unwrap());
    kill(usize::div_ceil(kills, PROCESSES + 1), fastrand::u64(..)).await;
}

fn policy() -> Policy {
    Policy { max_crashes: u32::MAX, max_failures: u32::MAX, ..Policy::default() }
}
