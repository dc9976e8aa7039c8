use std::future::Future;
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use futures_executor::block_on;
use kv_core::queue::{
    Claim, Control, Exchange, Maintain, NewJob, Operation, Partition, Policy, QueueEngine, Session,
    Submit,
};
use kv_core::{ErrorKind, async_trait};
use kv_queue_machine::testing::{Dump, ManualClock, START, Subject, check};

use super::MemoryQueues;

struct Memory {
    clock: Arc<ManualClock>,
    queues: MemoryQueues,
}

impl Memory {
    fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        clock.set(START);
        Self { queues: MemoryQueues::new(Arc::clone(&clock) as _), clock }
    }

    fn open() -> Self {
        let memory = Self::new();
        block_on(memory.queues.open("q", 2)).unwrap();
        memory
    }

    fn submit(&self, number: u32, delay: Duration) {
        let job = NewJob {
            body: "body".into(),
            priority: 8,
            delay,
            unique: None,
            time_to_live: None,
            group: None,
            note_time: false,
        };
        let request = Submit { session: None, jobs: vec![job] };
        block_on(self.queues.submit(&partition(number), request)).unwrap();
    }

    fn exchange(&self, request: u64, operation: Option<Operation>) {
        let session = |request| Session { name: "session".into(), request };
        let policy = Policy::default();
        let claim = Some(Claim { limit: 1, bytes: 1, lease: Duration::from_secs(1) });
        let ask =
            Exchange { session: session(request), acks: vec![], operations: vec![], claim, policy };
        let claimed = block_on(self.queues.exchange(&partition(0), ask.clone())).unwrap().claimed;
        if let Some(operation) = operation {
            let operations = vec![(claimed[0].handle, operation)];
            let ask = Exchange { session: session(request + 1), operations, claim: None, ..ask };
            block_on(self.queues.exchange(&partition(0), ask)).unwrap();
        }
    }

    fn maintain(&self) {
        let maintain = Maintain { limit: 10, policy: Policy::default() };
        block_on(self.queues.maintain(&partition(0), maintain)).unwrap();
    }

    fn control(&self, control: Control) {
        block_on(self.queues.control(&partition(0), control)).unwrap();
    }

    /// Whether a wait on partition 0 that began before `event` is over after it.
    fn wakes(&self, event: impl FnOnce(&Self)) -> bool {
        let partitions = [partition(0)];
        let mut wait = pin!(self.queues.wait(&partitions, Duration::from_secs(1)));
        assert!(poll(wait.as_mut()).is_pending());
        event(self);
        poll(wait).is_ready()
    }
}

#[async_trait]
impl Subject for Memory {
    fn engine(&self) -> &dyn QueueEngine {
        &self.queues
    }

    async fn set_time(&self, now: Duration) {
        self.clock.set(now);
    }

    async fn check(&self, partition: &Partition) -> Result<(), String> {
        let queue = self.queues.queue(partition).map_err(|error| error.to_string())?;
        let checked = queue.step(partition.number, |tables| Dump::from(&*tables).check());
        checked.ok_or("no such partition")?
    }
}

fn partition(number: u32) -> Partition {
    Partition { queue: "q".into(), number }
}

fn poll<F: Future + ?Sized>(future: Pin<&mut F>) -> Poll<F::Output> {
    future.poll(&mut Context::from_waker(Waker::noop()))
}

#[test]
fn it_answers_as_the_machine_does() {
    block_on(check(async || Memory::new(), 0..120, 500)).unwrap();
}

#[test]
fn whatever_makes_a_job_claimable_ends_a_wait() {
    let later = Duration::from_secs(5);
    let memory = Memory::open();
    assert!(memory.wakes(|it| it.submit(0, Duration::ZERO)));
    memory.exchange(1, None);
    let maintain_at = |it: &Memory, since: Duration| {
        it.clock.set(START + since);
        it.maintain();
    };
    assert!(memory.wakes(|it| maintain_at(it, Duration::from_secs(1))), "a recovery");
    memory.exchange(2, Some(Operation::Fail { reason: String::new() }));
    assert!(memory.wakes(|it| it.control(Control::Redrive { keys: vec![], limit: 1 })));
    let snooze = Operation::Snooze { after: Duration::ZERO };
    memory.exchange(4, Some(Operation::Snooze { after: later }));
    assert!(memory.wakes(|it| maintain_at(it, Duration::from_secs(1) + later)), "a promotion");
    memory.control(Control::Pause);
    assert!(memory.wakes(|it| it.control(Control::Resume)));
    memory.exchange(6, None);
    memory.submit(1, Duration::ZERO);
    assert!(!memory.wakes(|it| it.submit(0, later)), "a delayed job and another partition");
    memory.submit(0, Duration::ZERO);
    memory.exchange(7, Some(snooze));
    assert!(poll(pin!(memory.queues.wait(&[partition(0)], later))).is_ready(), "at once");
}

#[test]
fn a_wait_tells_at_its_begin_what_is_due_and_past_its_lease() {
    let memory = Memory::open();
    memory.submit(0, Duration::ZERO);
    memory.exchange(1, None);
    memory.submit(1, Duration::from_secs(5));
    let partitions = [partition(0), partition(1)];
    let wait = || memory.queues.wait(&partitions, Duration::ZERO);
    assert!(poll(pin!(wait())).is_pending());
    memory.clock.set(START + Duration::from_secs(5));
    assert_eq!(block_on(wait()).unwrap(), [0, 1]);
}

#[test]
fn a_wait_begun_after_the_submit_ends_at_once_and_tells_where() {
    let memory = Memory::open();
    memory.submit(1, Duration::ZERO);
    let partitions = [partition(0), partition(1)];
    assert_eq!(block_on(memory.queues.wait(&partitions, Duration::ZERO)).unwrap(), [1]);
}

#[test]
fn closing_ends_waits_and_refuses_every_later_call() {
    let memory = Memory::open();
    let partitions = [partition(0)];
    let mut wait = pin!(memory.queues.wait(&partitions, Duration::from_secs(1)));
    assert!(poll(wait.as_mut()).is_pending());
    memory.queues.close();
    assert_eq!(block_on(wait).unwrap_err().kind(), ErrorKind::Closed);
    let open = block_on(memory.queues.open("q", 2)).unwrap_err();
    let wait = block_on(memory.queues.wait(&partitions, Duration::ZERO)).unwrap_err();
    let control = block_on(memory.queues.control(&partitions[0], Control::Pause)).unwrap_err();
    assert_eq!([open, wait, control].map(|error| error.kind()), [ErrorKind::Closed; 3]);
}

#[test]
fn a_queue_that_is_removed_ends_its_waits_and_is_empty_when_it_is_opened_again() {
    let memory = Memory::open();
    let partitions = [partition(0)];
    let mut wait = pin!(memory.queues.wait(&partitions, Duration::from_secs(1)));
    assert!(poll(wait.as_mut()).is_pending());
    memory.submit(1, Duration::ZERO);
    for _ in 0..2 {
        block_on(memory.queues.remove("q", 2)).unwrap();
    }
    let control = block_on(memory.queues.control(&partitions[0], Control::Pause));
    let errors = [block_on(wait).unwrap_err(), control.unwrap_err()];
    assert_eq!(errors.map(|error| error.kind()), [ErrorKind::Config; 2]);
    block_on(memory.queues.open("q", 3)).unwrap();
    let mut wait = pin!(memory.queues.wait(&partitions, Duration::from_secs(1)));
    assert!(poll(wait.as_mut()).is_pending(), "nothing is left of the old one");
}

#[test]
fn a_purge_gives_the_memory_of_many_jobs_back_in_parts() {
    let memory = Memory::open();
    for _ in 0..2_500 {
        memory.submit(0, Duration::ZERO);
    }
    for at in [partition(0), partition(1)] {
        let mut purge = pin!(memory.queues.control(&at, Control::Purge));
        let polls = std::iter::from_fn(|| poll(purge.as_mut()).is_pending().then_some(())).count();
        // A thousand at a time of the jobs, as members by their place and as bodies, and of the marks
        // of time.
        assert_eq!(polls, if at.number == 0 { 6 } else { 0 });
    }
    memory.submit(0, Duration::ZERO);
    assert!(poll(pin!(memory.queues.wait(&[partition(0)], Duration::ZERO))).is_ready());
}

#[test]
fn three_hundred_queues_that_were_removed_leave_nothing_in_the_maps() {
    let memory = Memory::new();
    for run in 0..300 {
        let at = Partition { queue: format!("run-{run}").into(), number: 3 };
        block_on(memory.queues.open(&at.queue, 4)).unwrap();
        block_on(memory.queues.control(&at, Control::Pause)).unwrap();
        assert_eq!(memory.queues.queues.read().unwrap().len(), 1);
        let kept = memory.queues.queue(&at).unwrap();
        assert!(
            poll(pin!(memory.queues.wait(std::slice::from_ref(&at), Duration::ZERO))).is_pending()
        );
        block_on(memory.queues.remove(&at.queue, 4)).unwrap();
        assert_eq!(Arc::strong_count(&kept), 1, "nobody else holds its tables");
    }
    assert_eq!(memory.queues.queues.read().unwrap().len(), 0);
}

#[test]
fn another_number_of_partitions_and_unknown_ones_are_refused() {
    let memory = Memory::open();
    for partitions in [0, 1, 3, u32::MAX] {
        let error = block_on(memory.queues.open("q", partitions)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
    block_on(memory.queues.open("q", 2)).unwrap();
    for unknown in [partition(2), Partition { queue: "r".into(), number: 0 }] {
        let error = block_on(memory.queues.control(&unknown, Control::Pause)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        let error = block_on(memory.queues.wait(&[unknown], Duration::ZERO)).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
    }
}
