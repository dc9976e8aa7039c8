//! Limit lets so many calls run, so many wait, and no more; dropped calls leave their places.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::Poll;

use kv_core::{Effect, ErrorKind, KeyValueStore, Result};
use kv_layers::{Layer, Layered, Limit};
use kv_memory::MemoryStore;

use crate::support::{Gate, poll};

type Store = Arc<Layered<Limit>>;

fn store(limit: Limit) -> (Gate, Store) {
    let gate = Gate::shut();
    (gate.clone(), Arc::new(limit.on(gate.on(MemoryStore::new()))))
}

fn ping(store: &Store) -> Pin<Box<impl Future<Output = Result<()>> + use<>>> {
    let store = store.clone();
    Box::pin(async move { store.ping().await })
}

#[test]
fn so_many_calls_run_so_many_wait_and_the_next_is_refused_and_not_applied() {
    let (gate, store) = store(Limit::to(2).queue(3));
    let mut calls: Vec<_> = (0..5).map(|_| ping(&store)).collect();
    for call in &mut calls {
        assert!(poll(call).is_pending());
    }
    assert_eq!(gate.inside(), 2);
    let Poll::Ready(Err(error)) = poll(&mut ping(&store)) else { panic!("it was let in") };
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Backpressure, Effect::NotApplied));
    assert_eq!(error.to_string(), "ping: 2 calls run and 3 wait, as many as may");
}

#[test]
fn calls_get_their_turn_in_the_order_in_which_they_came() {
    let (gate, store) = store(Limit::to(1).queue(2));
    let mut calls: Vec<_> = (0..3).map(|_| ping(&store)).collect();
    calls.iter_mut().for_each(|call| assert!(poll(call).is_pending()));
    for turn in 0..3 {
        gate.open(1);
        // The one whose turn it is comes last here, and is let in all the same.
        let ready = calls.iter_mut().skip(turn).rev().map(|call| poll(call).is_ready());
        let ready: Vec<bool> = ready.collect();
        let waiting = ready.len() - 1;
        assert_eq!(ready.iter().position(|ready| *ready), Some(waiting), "turn {turn}");
    }
}

#[test]
fn a_dropped_call_leaves_its_place_be_it_running_or_in_line() {
    let (gate, store) = store(Limit::to(1).queue(1));
    for drops_the_running_one in [true, false] {
        let (mut running, mut waiting) = (ping(&store), ping(&store));
        assert!(poll(&mut running).is_pending() && poll(&mut waiting).is_pending());
        assert!(poll(&mut ping(&store)).is_ready(), "refused");
        let mut rest = if drops_the_running_one {
            drop(running);
            waiting
        } else {
            drop(waiting);
            running
        };
        assert!(poll(&mut rest).is_pending());
        assert_eq!(gate.inside(), 1);
        let mut next = ping(&store);
        assert!(poll(&mut next).is_pending(), "a place is free again");
    }
    assert_eq!(gate.inside.load(Ordering::SeqCst), 0);
}

#[test]
fn without_a_line_nobody_waits() {
    let (_gate, store) = store(Limit::to(1).queue(0));
    let mut running = ping(&store);
    assert!(poll(&mut running).is_pending());
    assert!(matches!(poll(&mut ping(&store)), Poll::Ready(Err(_))));
}

#[test]
fn a_full_store_can_be_closed() {
    let (gate, store) = store(Limit::to(1).queue(0));
    let mut running = ping(&store);
    assert!(poll(&mut running).is_pending());
    gate.open(2);
    let mut closing = Box::pin(store.close());
    assert!(matches!(poll(&mut closing), Poll::Ready(Ok(()))));
}

#[test]
fn any_numbers_are_taken() {
    for (concurrency, queue) in [(0, 0), (usize::MAX, usize::MAX), (1, usize::MAX)] {
        let (gate, store) = store(Limit::to(concurrency).queue(queue));
        gate.open(1);
        assert!(matches!(poll(&mut ping(&store)), Poll::Ready(Ok(()))));
    }
}
