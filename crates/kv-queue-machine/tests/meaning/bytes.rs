use std::time::Duration;

use kv_core::queue::{Claim, Exchange, Inspect, Inspected, JobKey, NewJob, Peeked};

use crate::bench::{Bench, LEASE, SECOND, exchange, job};

fn within(limit: usize, bytes: usize) -> Exchange {
    Exchange { claim: Some(Claim { limit, bytes, lease: LEASE }), ..exchange() }
}

#[test]
fn a_claim_stops_before_the_job_that_would_bring_it_above_its_bytes() {
    let mut bench = Bench::with(&["aaaa", "bb", "ccc"]);
    let first = bench.exchange(within(5, 8));
    assert_eq!((first.claimed.len(), first.more), (2, true));
    assert_eq!(first.next_due, Some(Duration::ZERO));
    let second = bench.exchange(within(5, 8));
    assert_eq!((second.claimed.len(), second.more), (1, false));
    assert_eq!(second.next_due, Some(LEASE));
}

#[test]
fn a_claim_gets_one_job_however_large_it_is() {
    let mut bench = Bench::with(&["large", ""]);
    let answer = bench.exchange(within(5, 0));
    assert_eq!((answer.claimed.len(), &answer.claimed[0].body[..]), (1, &b"large"[..]));
    assert!(answer.more);
}

#[test]
fn a_checkpoint_counts_among_the_bytes_of_its_job() {
    let mut bench = Bench::with(&["a", "b"]);
    let handle = bench.take().handle;
    bench.checkpoint(handle, "12345", 1);
    bench.snooze(handle);
    assert_eq!(bench.exchange(within(5, 6)).claimed.len(), 1, "b, and a has six bytes");
    assert_eq!(bench.exchange(within(5, 0)).claimed[0].handle.key, handle.key);
}

#[test]
fn a_claim_that_meets_its_limit_says_nothing_of_more() {
    let mut bench = Bench::with(&["a", "b"]);
    let answer = bench.exchange(within(1, 100));
    assert_eq!((answer.more, answer.next_due), (false, None));
}

#[test]
fn a_claim_looks_past_a_thousand_jobs_that_it_buries_and_no_further() {
    let mut bench = Bench::new();
    for _ in 0..2 {
        bench.submit(vec![NewJob { time_to_live: Some(SECOND), ..job("old") }; 600]);
    }
    bench.add(job("new"));
    bench.now += SECOND;
    let first = bench.exchange(within(1, 100));
    assert_eq!((first.claimed.len(), first.more), (0, true));
    assert_eq!(first.next_due, Some(Duration::ZERO));
    assert_eq!(bench.counts().dead, 1_000);
    assert_eq!(bench.exchange(within(1, 100)).claimed[0].body, "new");
}

fn peek(bench: &mut Bench, after: Option<JobKey>, limit: usize, bytes: usize) -> Vec<Peeked> {
    match bench.machine().inspect(&Inspect::Peek { after, limit, bytes }).unwrap() {
        Inspected::Jobs(jobs) => jobs,
        other => panic!("{other:?}"),
    }
}

#[test]
fn pages_of_ready_jobs_show_each_once_until_one_is_empty() {
    let mut bench = Bench::with(&["aaa", "bbb", "c", "d", "e"]);
    let returned = bench.take().handle;
    bench.snooze(returned);
    let (mut shown, mut after) = (Vec::new(), None);
    loop {
        let page = peek(&mut bench, after, 2, 4);
        let Some(last) = page.last() else { break };
        after = Some(last.key);
        shown.extend(page.into_iter().map(|job| job.body));
    }
    assert_eq!(shown, ["bbb", "c", "d", "e", "aaa"]);
    let gone = JobKey::new(8, 77);
    assert_eq!(peek(&mut bench, Some(gone), 1, 0)[0].body, "bbb", "from the start");
}

#[test]
fn pages_of_dead_letters_end_by_their_bytes() {
    let mut bench = Bench::with(&["aaa", "bbb", "c"]);
    for claimed in bench.claim(5) {
        bench.fail(claimed.handle);
    }
    let mut page = |after, bytes| {
        let look = Inspect::Dead { after, limit: 9, bytes };
        let Inspected::Dead(letters) = bench.machine().inspect(&look).unwrap() else { panic!() };
        letters.into_iter().map(|letter| letter.body).collect::<Vec<_>>()
    };
    assert_eq!(page(None, 6), ["aaa", "bbb"]);
    assert_eq!(page(Some(JobKey::new(8, 2)), 0), ["c"]);
    assert!(page(Some(JobKey::new(8, 3)), 0).is_empty());
}
