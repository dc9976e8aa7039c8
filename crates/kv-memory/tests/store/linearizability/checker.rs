//! Decides whether a history is linearizable, in time linear in its length.
//!
//! Keys are independent, so each is checked alone. The checker walks over the moments of a key
//! and keeps every state in which the key can be, together with the running calls that took
//! effect already. A call that returns must have taken effect: the checker tries every order of
//! the running calls that gets there. (Lowe, "Testing for linearizability", 2017: just-in-time
//! linearization.)

use std::collections::HashSet;

use super::history::{Call, KEYS, Operation};

/// What a key holds. The version is unknown after an increment, which does not tell it.
type State = Option<(i64, Option<u64>)>;

/// A possible state, and the threads, as bits, whose running call took effect.
type Possible = (u64, State);

/// The first operation, by its return, that no order explains.
pub(crate) fn first_impossible(history: &[Operation]) -> Option<Operation> {
    (0..KEYS).find_map(|key| {
        let of_key: Vec<_> = history.iter().filter(|operation| operation.key == key).collect();
        impossible_on_one_key(&of_key)
    })
}

fn impossible_on_one_key(operations: &[&Operation]) -> Option<Operation> {
    let invocations = operations.iter().map(|operation| (operation.invoked, *operation));
    let returns = operations.iter().map(|operation| (operation.returned, *operation));
    let mut moments: Vec<_> = invocations.chain(returns).collect();
    moments.sort_by_key(|(moment, _)| *moment);
    let mut running: Vec<&Operation> = Vec::new();
    let mut possible = HashSet::from([(0, None)]);
    for (moment, operation) in moments {
        if moment == operation.invoked {
            running.push(operation);
            continue;
        }
        possible = after_return(possible, &running, operation.thread);
        if possible.is_empty() {
            return Some(*operation);
        }
        running.retain(|other| other.thread != operation.thread);
    }
    None
}

/// What is possible once the call of `thread` has taken effect and returned.
fn after_return(
    possible: HashSet<Possible>,
    running: &[&Operation],
    thread: usize,
) -> HashSet<Possible> {
    let mut open: Vec<Possible> = possible.iter().copied().collect();
    let (mut seen, mut returned) = (possible, HashSet::new());
    while let Some((done, state)) = open.pop() {
        if done & (1 << thread) != 0 {
            returned.insert((done & !(1 << thread), state));
            continue;
        }
        for operation in running {
            let bit = 1 << operation.thread;
            if done & bit == 0
                && let Some(next) = step(state, operation.call)
                && seen.insert((done | bit, next))
            {
                open.push((done | bit, next));
            }
        }
    }
    returned
}

/// The state after a call, if the call can have got its answer in this state.
fn step(state: State, call: Call) -> Option<State> {
    let version_is = |expected: u64| {
        state.is_some_and(|(_, version)| version.is_none_or(|version| version == expected))
    };
    let version_is_not = |unexpected| state.is_none_or(|(_, version)| version != Some(unexpected));
    let written = |value, version| Some(Some((value, Some(version))));
    match call {
        Call::Get(None) | Call::Take(None) => state.is_none().then_some(None),
        Call::Get(Some((value, version))) | Call::Take(Some((value, version))) => {
            let same = version_is(version) && state.is_some_and(|(held, _)| held == value);
            let left = matches!(call, Call::Get(_)).then_some((value, Some(version)));
            same.then_some(left)
        }
        Call::Set((value, version)) => written(value, version),
        Call::SetIfAbsent(value, Some(version)) if state.is_none() => written(value, version),
        Call::SetIfAbsent(_, None) if state.is_some() => Some(state),
        Call::SetIfAbsent(..) => None,
        Call::SetIfVersion(expected, value, Some(version)) if version_is(expected) => {
            written(value, version)
        }
        Call::SetIfVersion(expected, _, None) if version_is_not(expected) => Some(state),
        Call::SetIfVersion(..) => None,
        Call::Delete(removed) => (removed == state.is_some()).then_some(None),
        Call::Increment(sum) => {
            let held = state.map_or(0, |(value, _)| value);
            (held + 1 == sum).then_some(Some((sum, None)))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn operation(thread: usize, invoked: u64, returned: u64, call: Call) -> Operation {
        Operation { thread, key: 0, call, invoked, returned }
    }

    #[test]
    fn calls_that_overlap_may_take_effect_in_either_order() {
        for seen in [None, Some((5, 1))] {
            let set = operation(0, 0, 3, Call::Set((5, 1)));
            let get = operation(1, 1, 2, Call::Get(seen));
            assert_eq!(first_impossible(&[set, get]), None);
        }
    }

    #[test]
    fn a_read_that_misses_a_write_before_it_is_impossible() {
        let set = operation(0, 0, 1, Call::Set((5, 1)));
        let get = operation(1, 2, 3, Call::Get(None));
        assert_eq!(first_impossible(&[set, get]), Some(get));
    }

    #[test]
    fn two_increments_with_one_sum_are_impossible() {
        let both = [0, 1].map(|thread| operation(thread, thread as u64, 9, Call::Increment(1)));
        assert!(first_impossible(&both).is_some());
    }
}
