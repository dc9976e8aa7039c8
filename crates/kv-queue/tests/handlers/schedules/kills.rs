//! Many schedulers over a simulated year, killed at random.

use std::collections::BTreeMap;
use std::future::poll_fn;
use std::pin::Pin;
use std::task::Poll;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use kv_core::{Clock, Store};
use kv_memory::MemoryStore;
use kv_queue::{Cron, Fired, Misfire, Queue, Schedules};
use kv_testkit::ManualClock;

use super::stepwise::Stepwise;

const PROCESSES: usize = 10;
const DAY: Duration = Duration::from_secs(86_400);

/// Daily within the hours that clocks skip and repeat, in three zones.
const DAILY: [(&str, &str, &str); 3] = [
    ("london", "30 1 * * *", "Europe/London"),
    ("new-york", "30 1,2 * * *", "America/New_York"),
    ("lord-howe", "45 1 * * *", "Australia/Lord_Howe"),
];

type Turn = Pin<Box<dyn Future<Output = kv_core::Result<Fired>>>>;

/// A simulated process: what it does now, if anything.
struct Process {
    schedules: Schedules,
    turn: Option<Turn>,
}

impl Process {
    async fn start(store: &Stepwise) -> Self {
        let queue = Queue::<u32>::open(&Store::new(store.clone()), "year").await.unwrap();
        Self { schedules: queue.schedules(), turn: None }
    }

    /// Goes on to the next pause, and begins anew after the end.
    async fn step(&mut self) {
        let turn = self.turn.get_or_insert_with(|| {
            let schedules = self.schedules.clone();
            Box::pin(async move { schedules.fire_due().await })
        });
        let polled = poll_fn(|context| Poll::Ready(turn.as_mut().poll(context))).await;
        if let Poll::Ready(ended) = polled {
            ended.unwrap();
            self.turn = None;
        }
    }
}

/// The unique keys of all due times in a span of time.
fn expected(from: SystemTime, until: SystemTime) -> BTreeMap<String, usize> {
    let mut keys = BTreeMap::new();
    for (name, expression, zone) in DAILY {
        let (cron, mut at) = (Cron::new(expression, zone).unwrap(), from);
        while let Some(due) = cron.next_after(at).filter(|due| *due <= until) {
            let millis = due.duration_since(UNIX_EPOCH).unwrap().as_millis();
            keys.insert(format!("kv-schedule:{millis}:{name}"), 1);
            at = due;
        }
    }
    keys
}

/// Runs the processes for so many days. Returns what was added, and what should have been.
async fn simulate(
    days: u32,
    forgets: bool,
    seed: u64,
) -> (BTreeMap<String, usize>, BTreeMap<String, usize>) {
    let (clock, mut rng) = (ManualClock::new(), fastrand::Rng::with_seed(seed));
    let memory = MemoryStore::builder().clock(clock.clone()).build();
    let store = Stepwise::on(memory, forgets);
    let queue = Queue::<u32>::open(&Store::new(store.clone()), "year").await.unwrap();
    for (name, expression, zone) in DAILY {
        let cron = Cron::new(expression, zone).unwrap();
        let misfire = Misfire::CatchUp { within: DAY * 3 };
        queue.schedule(name, cron, 1).misfire(misfire).await.unwrap();
    }
    let begun = UNIX_EPOCH + clock.wall();
    let mut processes = Vec::new();
    for _ in 0..PROCESSES {
        processes.push(Process::start(&store).await);
    }
    let end = clock.wall() + DAY * days;
    while clock.wall() < end {
        clock.advance(Duration::from_secs(rng.u64(1..1_200)));
        for _ in 0..rng.usize(0..60) {
            let process = &mut processes[rng.usize(..PROCESSES)];
            if rng.u8(..20) == 0 {
                *process = Process::start(&store).await;
            }
            process.step().await;
        }
        // Polls within one task have a budget.
        tokio::task::yield_now().await;
    }
    let until = UNIX_EPOCH + clock.wall();
    processes.clear();
    queue.schedules().fire_due().await.unwrap();
    (store.added(), expected(begun, until))
}

#[tokio::test(start_paused = true)]
async fn ten_processes_killed_at_random_fire_each_due_time_of_a_year_once() {
    let seed = fastrand::u64(..);
    let (added, expected) = simulate(366, false, seed).await;
    assert!(expected.len() > 4 * 365, "{} due times", expected.len());
    assert_eq!(added, expected, "seed {seed}");
}

#[tokio::test(start_paused = true)]
async fn an_engine_that_forgets_unique_keys_is_found_out() {
    let seed = fastrand::u64(..);
    let (added, expected) = simulate(60, true, seed).await;
    assert_ne!(added, expected, "seed {seed}");
}
