use std::time::Duration;

use kv_core::ErrorKind;
use kv_core::queue::{
    Control, Counts, Export, Exported, Import, Imported, JobState, MAX_BATCH, NewJob, Operation,
    Unique, UniqueImage, UniqueScope,
};

use crate::bench::{Bench, LEASE, SECOND, job};

/// All pages, each of few items.
fn pages(bench: &mut Bench, limit: usize, bytes: usize) -> Vec<Exported> {
    let (mut pages, mut at) = (Vec::new(), None);
    loop {
        let request = Export { at, limit, bytes };
        let page = bench.machine().export(&request).unwrap();
        at = page.next.clone();
        pages.push(page);
        if at.is_none() {
            return pages;
        }
    }
}

fn import(page: Exported) -> Import {
    Import { jobs: page.jobs, unique: page.unique, numbers: page.numbers }
}

/// A partition that was brought over in pages of this size.
fn copy(bench: &mut Bench, limit: usize, bytes: usize) -> Bench {
    let mut copy = Bench { now: bench.now, policy: bench.policy, ..Bench::new() };
    for page in pages(bench, limit, bytes) {
        assert_eq!(page.broken, 0);
        copy.machine().import(&import(page)).unwrap();
    }
    copy.request = bench.request;
    copy
}

/// One random thing, by the same random numbers on any bench; what is answered.
fn step(bench: &mut Bench, rng: &mut fastrand::Rng) -> String {
    let scope = [UniqueScope::Live, UniqueScope::Run, UniqueScope::Window(20 * SECOND)];
    match rng.u8(..10) {
        0..4 => {
            let unique = Unique { key: rng.u8(..20).to_string(), scope: scope[rng.usize(..3)] };
            let job = NewJob {
                priority: rng.u8(..3),
                delay: SECOND * rng.u32(..3) * 5,
                unique: rng.bool().then_some(unique),
                time_to_live: rng.bool().then_some(60 * SECOND),
                ..job(&format!("body {}", rng.u8(..)))
            };
            format!("{:?}", bench.submit(vec![job]))
        }
        4..8 => {
            let claimed = bench.claim(rng.usize(1..4));
            let settled: Vec<_> = claimed
                .iter()
                .map(|it| match rng.u8(..6) {
                    0 => bench.ack(it.handle),
                    1 => bench.retry(it.handle),
                    2 => bench.fail(it.handle),
                    3 => bench.operate(it.handle, Operation::Snooze { after: 7 * SECOND }),
                    4 => {
                        bench.checkpoint(it.handle, "state", rng.u64(..5));
                        bench.snooze(it.handle)
                    }
                    _ => bench.operate(it.handle, Operation::Release),
                })
                .collect();
            format!("{claimed:?} {settled:?}")
        }
        8 => {
            bench.now += SECOND * rng.u32(..10);
            format!("{:?}", bench.maintain(100))
        }
        _ => {
            let redrive = Control::Redrive { keys: Vec::new(), limit: 1 };
            // A copy tells ages anew.
            let counts = Counts { oldest_ready: None, ..bench.counts() };
            format!("{:?} {counts:?} {:?}", bench.control(&redrive), bench.dead(None))
        }
    }
}

#[test]
fn a_copy_goes_on_as_the_original_would() {
    let seed = fastrand::u64(..);
    println!("seed={seed}");
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..60 {
        let mut bench = Bench::new();
        let steps = rng.usize(1..120);
        (0..steps).for_each(|_| drop(step(&mut bench, &mut rng)));
        let (limit, bytes) = (rng.usize(1..8), rng.usize(1..40));
        let mut copied = copy(&mut bench, limit, bytes);
        let mut twin = rng.clone();
        for _ in 0..60 {
            assert_eq!(step(&mut copied, &mut twin), step(&mut bench, &mut rng));
        }
    }
}

#[test]
fn a_job_that_is_held_is_ready_in_the_copy_and_its_old_holder_has_no_right_to_it() {
    let mut bench = Bench::with(&["a", "b"]);
    let held = bench.take();
    let mut copied = copy(&mut bench, 10, 1_000);
    assert_eq!(copied.counts().ready, 2);
    let again = copied.take();
    assert_eq!((&again.body[..], again.attempt), (&b"a"[..], 1));
    assert!(again.handle.token > held.handle.token, "a fence");
    assert_eq!(bench.ack(held.handle), kv_core::queue::Verdict::Applied, "the source goes on");
}

#[test]
fn a_page_ends_at_its_limit_or_before_its_bytes_and_has_one_job_at_least() {
    let mut bench = Bench::with(&["12345", "12345", "1", "1", "1"]);
    let lengths = |pages: Vec<Exported>| -> Vec<usize> {
        pages.iter().map(|page| page.jobs.len()).filter(|jobs| *jobs > 0).collect()
    };
    assert_eq!(lengths(pages(&mut bench, 2, 1_000)), [2, 2, 1]);
    assert_eq!(lengths(pages(&mut bench, 10, 3)), [1, 1, 3]);
    let too_many = Export { at: None, limit: MAX_BATCH + 1, bytes: 1 };
    assert_eq!(bench.machine().export(&too_many).unwrap_err().kind(), ErrorKind::TooLarge);
    let strange = Export { at: Some("sqlite:7".into()), limit: 1, bytes: 1 };
    assert_eq!(bench.machine().export(&strange).unwrap_err().kind(), ErrorKind::InvalidKey);
}

#[test]
fn an_import_once_more_changes_nothing() {
    let mut bench = Bench::with(&["a"]);
    let unique = Unique { key: "k".into(), scope: UniqueScope::Run };
    bench.add(NewJob { unique: Some(unique), delay: LEASE, ..job("b") });
    let mut copied = copy(&mut bench, 10, 1_000);
    let counts = copied.counts();
    for page in pages(&mut bench, 10, 1_000) {
        let present = page.jobs.len() as u64;
        let imported = copied.machine().import(&import(page)).unwrap();
        assert_eq!(imported, Imported { added: 0, present });
    }
    assert_eq!(copied.counts(), counts);
}

#[test]
fn other_jobs_and_holders_are_refused_and_nothing_has_changed() {
    let mut other = Bench::with(&["theirs"]);
    let unique = Unique { key: "k".into(), scope: UniqueScope::Run };
    other.add(NewJob { unique: Some(unique), ..job("theirs too") });
    let before = (other.counts(), other.tables.encode().unwrap());
    let mut bench = Bench::with(&["ours", "ours", "ours"]);
    let jobs = pages(&mut bench, 10, 1_000).remove(0);
    let unique = UniqueImage { key: "k".into(), holder: jobs.jobs[2].key, until: None };
    for request in [
        import(jobs.clone()),
        Import { jobs: vec![jobs.jobs[2].clone()], unique: vec![unique], ..Import::default() },
    ] {
        let error = other.machine().import(&request).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Conflict);
        assert!(error.to_string().contains("expected a partition that is empty"), "{error}");
        assert_eq!((other.counts(), other.tables.encode().unwrap()), before);
    }
}

#[test]
fn what_is_broken_is_left_out_and_counted() {
    use kv_queue_machine::{Map, Tables};
    let mut bench = Bench::with(&["a", "b", "c"]);
    let keys: Vec<_> =
        pages(&mut bench, 10, 1_000)[0].jobs.iter().map(|job| job.key.to_string()).collect();
    bench.tables.delete(Map::Body, &keys[0]).unwrap();
    bench.tables.put(Map::Job, &keys[1], "no record".into()).unwrap();
    bench.tables.put(Map::Unique, "u", "no key".into()).unwrap();
    let pages = pages(&mut bench, 10, 1_000);
    assert_eq!(pages.iter().map(|page| page.broken).sum::<u64>(), 3);
    let left: Vec<_> = pages.iter().flat_map(|page| &page.jobs).collect();
    assert_eq!((left.len(), left[0].state), (1, JobState::Ready));
}

#[test]
fn a_pause_and_the_numbers_come_along_and_only_rise() {
    let mut bench = Bench::with(&["a", "b"]);
    let handle = bench.take().handle;
    bench.ack(handle);
    bench.control(&Control::Pause);
    let mut copied = copy(&mut bench, 10, 1_000);
    let counts = copied.counts();
    assert_eq!((counts.entered, counts.done, counts.paused), (2, 1, true));
    let page = Import::default();
    copied.machine().import(&page).unwrap();
    assert_eq!(copied.counts(), counts);
    assert!(Duration::from_micros(handle.token) <= bench.now);
}
