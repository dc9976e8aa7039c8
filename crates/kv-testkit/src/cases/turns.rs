//! Two calls at once on one key, through two handles where there are two: what is left is what
//! one order of the two would have left, and each was answered as in that order.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use kv_core::{KeyValueStore, Lifetime, Version};
use tokio::runtime::{Handle, RuntimeFlavor};
use tokio::task::yield_now;

use super::Tried;
use crate::failure::ensure;
use crate::moves::{Move, Route, Seen, Start, Verb, When};
use crate::trial::millis;
use crate::{Failure, Trial};

use Route::{Batch, Many, Single};
use Start::{For, Forever, Missing};
use Verb::{Delete, Exists, Get, Increment, Set, Take, Touch, Ttl};
use When::{Absent, Always, Present};

/// How often a pair is let loose at least: a gap of microseconds is met many times over.
const ROUNDS: usize = 144;

/// How often the two calls of a pair must have been under way together, before a store that answers
/// in less time than threads need to meet counts as tried.
const ENOUGH: usize = 48;

/// How many further times the pairs of a case are let loose for that. Where only one thread runs, and
/// the store never yields, no two calls are ever under way together.
const SPARE: usize = 200;

/// How often one looks for the other before it gives way.
const MOST_SPINS: usize = 2_000;

/// After so many rounds, another one of the two goes ahead, or none.
const STRETCH: usize = 12;

const NEVER: Lifetime = Lifetime::Never;
const KEEP: Lifetime = Lifetime::Keep;
const PUT: Verb = Set(NEVER, Always);
const DROP: Verb = Delete(Always);
const IF_SAME: When = When::Version;

const fn lived(ms: u64) -> Lifetime {
    millis(ms)
}

/// The key at first, a call under test, and what comes in between.
type Pair = (Start, Verb, Verb);

const SETS: &[Pair] = &[
    (Forever, Set(NEVER, Present), DROP),
    (Forever, Set(NEVER, Present), Take),
    (Forever, Set(NEVER, IF_SAME), DROP),
    (Forever, Set(NEVER, IF_SAME), PUT),
    (Forever, Set(NEVER, IF_SAME), Set(NEVER, IF_SAME)),
    (Forever, Set(NEVER, IF_SAME), Increment(KEEP)),
    (Missing, Set(NEVER, Absent), PUT),
    (Missing, Set(NEVER, Absent), Set(NEVER, Absent)),
    (Missing, Set(NEVER, Absent), Increment(KEEP)),
    (Forever, PUT, Get),
    (Forever, PUT, Exists),
    (Forever, Set(NEVER, Present), Get),
    (For(500), Set(lived(300), Always), Ttl),
];

const DELETES: &[Pair] = &[
    (Forever, Delete(IF_SAME), PUT),
    (Forever, Delete(IF_SAME), Increment(KEEP)),
    (Forever, Delete(IF_SAME), Set(NEVER, Present)),
    (Forever, Delete(IF_SAME), Delete(IF_SAME)),
    (Forever, Delete(IF_SAME), Take),
    (Forever, Delete(Present), Delete(Present)),
    (Forever, Delete(Present), DROP),
    (Forever, Delete(Present), Take),
    (Forever, DROP, DROP),
    (Forever, DROP, Take),
];

const TAKES: &[Pair] = &[
    (Forever, Take, PUT),
    (Forever, Take, Increment(KEEP)),
    (Forever, Take, Take),
    (Forever, Take, DROP),
    (Forever, Take, Set(NEVER, Present)),
];

const INCREMENTS: &[Pair] = &[
    (Forever, Increment(NEVER), PUT),
    (Forever, Increment(NEVER), DROP),
    (Forever, Increment(NEVER), Take),
    (Forever, Increment(NEVER), Increment(NEVER)),
    (Missing, Increment(NEVER), Increment(NEVER)),
    (Missing, Increment(NEVER), PUT),
    (Missing, Increment(lived(500)), Set(lived(300), Always)),
    (Forever, Increment(KEEP), Touch(lived(500))),
    (For(500), Increment(KEEP), Touch(NEVER)),
    (Forever, Increment(KEEP), Get),
    (Forever, Increment(KEEP), Exists),
    (For(500), Increment(KEEP), Ttl),
];

const TOUCHES: &[Pair] = &[
    (Forever, Touch(lived(500)), PUT),
    (Forever, Touch(lived(500)), DROP),
    (Forever, Touch(lived(500)), Take),
    (Forever, Touch(lived(500)), Increment(KEEP)),
    (For(500), Touch(NEVER), Set(lived(300), Always)),
    (For(500), Touch(NEVER), DROP),
    (Forever, Touch(lived(500)), Get),
    (Forever, Touch(lived(500)), Exists),
];

const KEEPS: &[Pair] = &[
    (Forever, Set(KEEP, Always), Touch(lived(500))),
    (Forever, Set(KEEP, Always), Set(lived(500), Always)),
    (For(500), Set(KEEP, Always), DROP),
    (For(500), Set(KEEP, Always), PUT),
    (For(500), Set(KEEP, Present), Touch(NEVER)),
    (For(500), Set(KEEP, Always), Take),
    (For(500), Set(KEEP, Always), Ttl),
];

const MANY: &[Pair] = &[
    (Forever, DROP, DROP),
    (Forever, DROP, Take),
    (Forever, PUT, Get),
    (Forever, PUT, Exists),
    (Forever, Set(KEEP, Always), Touch(lived(500))),
    (For(500), Set(KEEP, Always), DROP),
    (For(500), Set(KEEP, Always), Ttl),
];

pub(crate) async fn a_set_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, SETS, &[Single, Batch]).await
}

pub(crate) async fn a_delete_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, DELETES, &[Single, Batch]).await
}

pub(crate) async fn a_take_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, TAKES, &[Single, Batch]).await
}

pub(crate) async fn an_increment_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, INCREMENTS, &[Single, Batch]).await
}

pub(crate) async fn a_touch_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, TOUCHES, &[Single, Batch]).await
}

pub(crate) async fn a_kept_lifetime_takes_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, KEEPS, &[Single, Batch]).await
}

pub(crate) async fn writes_of_many_keys_take_turns_with_other_calls(t: &Trial<'_>) -> Tried {
    all(t, MANY, &[Many]).await
}

/// Lets every pair loose that the store offers, the first of the two by each route.
async fn all(t: &Trial<'_>, pairs: &[Pair], routes: &[Route]) -> Tried {
    let mut spare = SPARE;
    for (start, one, two) in pairs {
        for route in routes {
            let calls = [Move(*one, *route), Move(*two, if one == two { *route } else { Single })];
            if t.can_begin(*start) && calls.iter().all(|call| t.offers(*call)) {
                both(t, *start, calls, &mut spare).await?;
            }
        }
    }
    Ok(())
}

/// How two calls were answered, and what they left.
type End = ([String; 2], Seen);

/// What each of the two would write.
const VALUES: [&str; 2] = ["100", "200"];

async fn both(t: &Trial<'_>, start: Start, calls: [Move; 2], spare: &mut usize) -> Tried {
    let name = format!("{start:?} {calls:?}");
    let orders =
        [in_order(t, &name, start, calls, 0).await?, in_order(t, &name, start, calls, 1).await?];
    let mut together = 0;
    for time in 0.. {
        let tried = let_loose(t, &format!("{name} {time}"), start, calls).await?;
        for round in tried {
            together += usize::from(round.together);
            ensure!(
                orders.contains(&round.end),
                "a key that was {start:?}, {calls:?} at once: {:?}; in turn they leave {orders:?}",
                round.end
            );
        }
        if together >= ENOUGH || *spare == 0 {
            break;
        }
        *spare -= 1;
    }
    Ok(())
}

/// What came of two calls that were let loose on a key.
struct Round {
    end: End,
    /// Whether both were seen under way at once.
    together: bool,
}

/// Lets two calls loose on many keys.
async fn let_loose(
    t: &Trial<'_>,
    name: &str,
    start: Start,
    calls: [Move; 2],
) -> Result<Vec<Round>, Failure> {
    let mut keys = Vec::new();
    for round in 0..ROUNDS {
        let key = format!("{name} {round}");
        keys.push((t.begin(&key, start).await?, key));
    }
    let keys: Arc<[(Version, String)]> = keys.into();
    let progress: Arc<[Progress; 2]> = Arc::default();
    let runtime = Handle::current();
    let in_threads = runtime.runtime_flavor() != RuntimeFlavor::CurrentThread;
    let act = |number| {
        let stores = [Arc::clone(t.handle(0)), Arc::clone(t.handle(1))];
        let (progress, keys) = (Arc::clone(&progress), Arc::clone(&keys));
        let call = calls[number];
        let actor = Actor { number, call, stores, progress, keys, in_threads };
        if !in_threads {
            return tokio::spawn(actor.run());
        }
        // On a thread of its own: a runtime's worker would run both of them, one after the other.
        let runtime = runtime.clone();
        tokio::task::spawn_blocking(move || runtime.block_on(actor.run()))
    };
    let (one, two) = (act(0), act(1));
    let mut rounds = Vec::new();
    for ((_, key), (one, two)) in keys.iter().zip(one.await?.into_iter().zip(two.await?)) {
        let together = one.together || two.together;
        rounds.push(Round { end: ([one.told, two.told], t.seen(key).await?), together });
    }
    Ok(rounds)
}

/// What the two leave in turn, the call of this number first.
async fn in_order(
    t: &Trial<'_>,
    name: &str,
    start: Start,
    calls: [Move; 2],
    first: usize,
) -> Result<End, Failure> {
    let key = format!("{name} in order {first}");
    let version = t.begin(&key, start).await?;
    let mut told = [String::new(), String::new()];
    for number in [first, 1 - first] {
        told[number] = calls[number].told(t.store(), &key, VALUES[number], &version).await;
    }
    Ok((told, t.seen(&key).await?))
}

/// How far one of the two has come.
#[derive(Default)]
struct Progress {
    /// The rounds that it has come to.
    at: AtomicUsize,
    /// The round of its call that is under way; 0 where none is.
    calls: AtomicUsize,
}

/// How a call was answered, and whether the other one was under way when it began or ended.
struct Told {
    told: String,
    together: bool,
}

/// One of the two, on all of the keys.
struct Actor {
    number: usize,
    call: Move,
    stores: [Arc<dyn KeyValueStore>; 2],
    progress: Arc<[Progress; 2]>,
    keys: Arc<[(Version, String)]>,
    /// Whether the two may run at once.
    in_threads: bool,
}

impl Actor {
    /// How the call was answered in each round.
    async fn run(self) -> Vec<Told> {
        let [own, other] = [self.number, 1 - self.number].map(|number| &self.progress[number]);
        let mut rounds = Vec::with_capacity(self.keys.len());
        for (round, (version, key)) in self.keys.iter().enumerate() {
            self.meet(round).await;
            for _ in 0..self.turns(round) {
                yield_now().await;
            }
            for _ in 0..pause(self.number, round) {
                std::hint::spin_loop();
            }
            let store = &self.stores[(self.number + round / 2) % 2];
            let is_under_way = || other.calls.load(Ordering::Relaxed) == round + 1;
            own.calls.store(round + 1, Ordering::Relaxed);
            let met = is_under_way();
            let told = self.call.told(store, key, VALUES[self.number], version).await;
            rounds.push(Told { told, together: met || is_under_way() });
            own.calls.store(0, Ordering::Relaxed);
        }
        // The other one need not wait any more.
        own.at.store(usize::MAX, Ordering::Release);
        rounds
    }

    /// So many turns that a call leaves to others first: on one thread, these decide who comes between
    /// whose steps. Two threads are not in step any more after such a turn, so mostly there is none.
    fn turns(&self, round: usize) -> usize {
        if self.in_threads && !round.is_multiple_of(4) {
            return 0;
        }
        if self.number == 0 { round / 2 % 3 } else { round / 6 % 3 }
    }

    /// Waits for the other one, so that both begin at once where two threads run. In some stretches
    /// this one goes ahead instead: where it is stopped half-way, the other one gets to its key.
    async fn meet(&self, round: usize) {
        let [own, other] = [self.number, 1 - self.number].map(|number| &self.progress[number]);
        own.at.store(round + 1, Ordering::Release);
        if round / STRETCH % 3 == 1 + self.number {
            return;
        }
        let has_come = || other.at.load(Ordering::Acquire) > round;
        while !has_come() {
            // On a busy machine, a thread that gives way is away for longer than many calls take.
            if self.in_threads && (0..MOST_SPINS).any(|_| spun(has_come)) {
                return;
            }
            yield_now().await;
            std::thread::yield_now();
        }
    }
}

/// Whether something is so after a moment.
fn spun(is_so: impl Fn() -> bool) -> bool {
    std::hint::spin_loop();
    is_so()
}

/// So many idle turns before a call: the two meet a little earlier or later in each round, by less
/// than a call takes in memory, or by more than one takes on a server.
fn pause(number: usize, round: usize) -> usize {
    let most = if round.is_multiple_of(2) { 16 } else { 1_024 };
    if number == 0 { 0 } else { round * round * 7 % most }
}
