//! A worker and a store, modelled: partitions answer at once, slowly, with errors or never.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, BinaryHeap, VecDeque};
use std::time::Duration;

use super::super::{Answer, Claim, MaintenanceAnswer, Plan, Scheduler};

pub(super) const MS: Duration = Duration::from_millis(1);
pub(super) const SECOND: Duration = Duration::from_secs(1);

/// When a request that hangs is given up.
const TIMEOUT: Duration = Duration::from_secs(15);

/// How many exchanges of a partition are under way at most, and how many settles make a second.
const IN_FLIGHT: (usize, usize) = (2, 32);

/// How long a wait for wake-ups takes that brings nothing.
const WAIT: Duration = Duration::from_secs(2);

/// How many jobs one maintenance promotes.
const BATCH: usize = 1_000;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Mode {
    Answers(Duration),
    Fails(Duration),
    Hangs,
}

#[derive(Clone, Debug)]
pub(super) struct Place {
    pub(super) mode: Mode,
    pub(super) is_paused: bool,
    /// Whether waits name it whatever is in it.
    pub(super) is_always_named: bool,
    ready: BTreeSet<usize>,
    timed: BTreeSet<(Duration, usize)>,
    settles: usize,
    is_wanted: bool,
    exchanges: usize,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Submit(usize),
    Exchanged(u32, usize, Option<usize>),
    Maintained(u32),
    Ended(u32),
}

impl Place {
    /// How many jobs are not promoted.
    pub(super) fn timed(&self) -> usize {
        self.timed.len()
    }
}

/// What happened so far.
#[derive(Debug, Default)]
pub(super) struct Tally {
    pub(super) claims: usize,
    pub(super) claims_of: Vec<usize>,
    pub(super) maintenances: usize,
    pub(super) waits: usize,
    pub(super) steps: usize,
    pub(super) most_held: usize,
}

pub(super) struct World {
    pub(super) now: Duration,
    pub(super) scheduler: Scheduler,
    pub(super) places: Vec<Place>,
    pub(super) tally: Tally,
    /// When each job began to run.
    pub(super) began: BTreeMap<usize, Duration>,
    pub(super) runs_for: Duration,
    plan: Plan,
    partition_of: Vec<u32>,
    claims: Vec<Option<(Claim, Vec<usize>)>>,
    held: VecDeque<u32>,
    running: usize,
    events: BinaryHeap<Reverse<(Duration, usize, Event)>>,
    listens: Option<Duration>,
    wait_at: Duration,
}

impl World {
    pub(super) fn new(count: u32, concurrency: usize, seed: u64) -> Self {
        let partitions = count as usize;
        let lease = SECOND * 30;
        let plan = Plan { concurrency, prefetch: 0, partitions, lease };
        let place = Place {
            mode: Mode::Answers(MS),
            is_paused: false,
            is_always_named: false,
            ready: BTreeSet::new(),
            timed: BTreeSet::new(),
            settles: 0,
            is_wanted: false,
            exchanges: 0,
        };
        Self {
            now: Duration::ZERO,
            scheduler: Scheduler::new(plan, fastrand::Rng::with_seed(seed)),
            places: vec![place; partitions],
            tally: Tally { claims_of: vec![0; partitions], ..Tally::default() },
            began: BTreeMap::new(),
            runs_for: MS,
            plan,
            partition_of: Vec::new(),
            claims: Vec::new(),
            held: VecDeque::new(),
            running: 0,
            events: BinaryHeap::new(),
            listens: None,
            wait_at: Duration::ZERO,
        }
    }

    /// Puts a job into a partition that is due at a time; its number.
    pub(super) fn job(&mut self, number: u32, due: Duration) -> usize {
        let job = self.partition_of.len();
        self.partition_of.push(number);
        if due <= self.now {
            self.place(number).ready.insert(job);
        } else {
            self.place(number).timed.insert((due, job));
            self.scheduler.due(number, due - self.now, self.now);
        }
        job
    }

    /// The same by another process, of which nobody tells.
    pub(super) fn untold_job(&mut self, number: u32, due: Duration) -> usize {
        let job = self.partition_of.len();
        self.partition_of.push(number);
        self.place(number).timed.insert((due, job));
        job
    }

    /// Submits a job later, of which a wake-up tells then.
    pub(super) fn submit_at(&mut self, number: u32, at: Duration) -> usize {
        let job = self.partition_of.len();
        self.partition_of.push(number);
        self.push(at - self.now, Event::Submit(job));
        job
    }

    pub(super) fn place(&mut self, number: u32) -> &mut Place {
        &mut self.places[number as usize]
    }

    fn push(&mut self, after: Duration, event: Event) {
        let order = self.tally.steps + self.events.len();
        self.events.push(Reverse((self.now + after, order, event)));
    }

    /// Runs until a time.
    pub(super) fn run_until(&mut self, end: Duration) {
        loop {
            self.follow_up();
            let event = self.events.peek().map(|Reverse((at, ..))| *at);
            let wait = Some(self.listens.unwrap_or(self.wait_at));
            let next = [event, self.scheduler.next_wake(), wait].into_iter().flatten().min();
            let Some(next) = next.filter(|next| *next <= end) else { break };
            self.now = self.now.max(next);
            self.tally.steps += 1;
            while self.events.peek().is_some_and(|Reverse((at, ..))| *at <= self.now) {
                let Some(Reverse((_, _, event))) = self.events.pop() else { break };
                self.happen(event);
            }
        }
        self.now = end;
        self.scheduler.check_all();
    }

    fn follow_up(&mut self) {
        for number in self.scheduler.advance(self.now) {
            self.tally.maintenances += 1;
            let (after, _) = self.answers(number);
            self.push(after, Event::Maintained(number));
        }
        self.listen();
        self.claim();
    }

    fn claim(&mut self) {
        for number in self.scheduler.grant(self.now) {
            self.place(number).is_wanted = true;
            self.depart(number);
        }
    }

    /// How a request that leaves now ends, and after which time.
    fn answers(&self, number: u32) -> (Duration, bool) {
        match self.places[number as usize].mode {
            Mode::Answers(latency) => (latency, true),
            Mode::Fails(latency) => (latency, false),
            Mode::Hangs => (TIMEOUT, false),
        }
    }

    fn has_work(&self, number: u32) -> bool {
        let place = &self.places[number as usize];
        let is_due = place.timed.first().is_some_and(|(due, _)| *due <= self.now);
        place.is_always_named || is_due || !place.ready.is_empty() && !place.is_paused
    }

    /// Waits for wake-ups as an engine in memory does: at once where something is to do.
    fn listen(&mut self) {
        if self.listens.is_none() && self.now >= self.wait_at {
            self.listens = Some(self.now + WAIT);
            self.tally.waits += 1;
        }
        let Some(until) = self.listens else { return };
        if self.scheduler.room() == 0 {
            // Who is full listens to nothing.
            self.listens = Some(until.max(self.now + MS));
            return;
        }
        let all = (0..).zip(&self.places).map(|(number, _)| number);
        let heard = all.filter(|it| !self.scheduler.is_muted(*it) && self.has_work(*it));
        let named: Vec<u32> = heard.collect();
        if !named.is_empty() || self.now >= until {
            self.listens = None;
            self.wait_at = self.now + self.scheduler.waited(&named, self.now);
        }
    }

    /// An exchange leaves with what gathered and what there is to claim, if it may.
    fn depart(&mut self, number: u32) {
        let (most, worth) = IN_FLIGHT;
        let place = self.place(number);
        let is_worth = place.exchanges == 0 || place.settles >= worth;
        if place.exchanges >= most || !is_worth {
            return;
        }
        place.is_wanted = false;
        let room = self.scheduler.room();
        let claim = self.scheduler.begin_claim(number, self.now);
        let settles = std::mem::take(&mut self.place(number).settles);
        if claim.is_none() && settles == 0 {
            return;
        }
        let claim = claim.map(|claim| {
            assert!(claim.limit <= room + 1, "{} for a room of {room}", claim.limit);
            self.tally.claims += 1;
            self.tally.claims_of[number as usize] += 1;
            self.claims.push(Some((claim, Vec::new())));
            self.claims.len() - 1
        });
        self.place(number).exchanges += 1;
        let (after, _) = self.answers(number);
        self.push(after, Event::Exchanged(number, settles, claim));
    }

    fn happen(&mut self, event: Event) {
        match event {
            Event::Submit(job) => {
                let number = self.partition_of[job];
                self.place(number).ready.insert(job);
            }
            Event::Exchanged(number, settles, claim) => self.exchanged(number, settles, claim),
            Event::Maintained(number) => self.maintained(number),
            Event::Ended(number) => {
                self.running -= 1;
                self.place(number).settles += 1;
                self.scheduler.let_go(number, true, self.now);
                self.depart(number);
            }
        }
        self.claim();
        self.start();
    }

    fn exchanged(&mut self, number: u32, settles: usize, claim: Option<usize>) {
        let (_, is_ok) = self.answers(number);
        self.place(number).exchanges -= 1;
        if let Some((claim, _)) = claim.and_then(|claim| self.claims[claim].take()) {
            match is_ok {
                true => self.claimed(number, &claim),
                false => self.scheduler.claim_failed(number, claim, self.now),
            }
        }
        (0..settles).for_each(|_| self.scheduler.settled(number, self.now));
        let place = self.place(number);
        if place.is_wanted || place.settles > 0 {
            self.depart(number);
        }
    }

    fn claimed(&mut self, number: u32, claim: &Claim) {
        let now = self.now;
        let place = self.place(number);
        let limit = if place.is_paused { 0 } else { claim.limit };
        let jobs: Vec<usize> = place.ready.iter().copied().take(limit).collect();
        for job in &jobs {
            place.ready.remove(job);
        }
        let due = place.timed.first().map(|(due, _)| due.saturating_sub(now));
        let next_due = due.filter(|_| jobs.len() < claim.limit && !place.is_paused);
        let answer = Answer { found: jobs.len(), more: false, next_due };
        self.scheduler.claimed(number, *claim, answer, now);
        for job in jobs {
            self.held.push_back(number);
            self.began.insert(job, now);
        }
        self.tally.most_held = self.tally.most_held.max(self.held.len() + self.running);
    }

    fn maintained(&mut self, number: u32) {
        let ((_, is_ok), now) = (self.answers(number), self.now);
        if !is_ok {
            return self.scheduler.maintenance_failed(number, now);
        }
        let place = self.place(number);
        let due: Vec<_> = place.timed.range(..=(now, usize::MAX)).take(BATCH).copied().collect();
        for one in &due {
            place.timed.remove(one);
            place.ready.insert(one.1);
        }
        let next_due = place.timed.first().map(|(due, _)| due.saturating_sub(now));
        let more = next_due == Some(Duration::ZERO);
        let (has_moved, has_changed) = (!due.is_empty(), !due.is_empty());
        let answer = MaintenanceAnswer { has_moved, has_changed, more, next_due };
        self.scheduler.maintained(number, answer, now);
    }

    fn start(&mut self) {
        while self.running < self.plan.concurrency {
            let Some(number) = self.held.pop_front() else { break };
            self.running += 1;
            self.push(self.runs_for, Event::Ended(number));
        }
    }

    /// Which of the jobs began later than so long after their time, or not at all.
    pub(super) fn late(
        &self,
        jobs: &[(usize, Duration)],
        limit: Duration,
    ) -> Vec<(usize, Option<Duration>)> {
        let late = jobs
            .iter()
            .map(|(job, due)| (*job, self.began.get(job).map(|began| began.saturating_sub(*due))));
        late.filter(|(_, late)| late.is_none_or(|late| late > limit)).collect()
    }
}
