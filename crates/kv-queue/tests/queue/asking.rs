//! Jobs that can be asked about: where they are, why, what they did and what they returned.

use std::time::{Duration, UNIX_EPOCH};

use kv_core::ErrorKind;
use kv_queue::{
    DelayedBy, Delivery, GroupBlock, Job, JobFilter, JobId, JobInfo, JobStatus, Outcome, Queue,
    State, Worker, WorkerInfo,
};

use crate::bench::Bench;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

async fn add(queue: &Queue<u32>, job: Job<u32>) -> JobId {
    queue.enqueue(job).await.unwrap().id()
}

async fn one(queue: &Queue<u32>) -> Delivery<u32> {
    queue.dequeue(1).await.unwrap().pop().unwrap()
}

async fn info(queue: &Queue<u32>, id: JobId) -> JobInfo {
    queue.job(id).await.unwrap().unwrap()
}

async fn keeping(bench: &Bench, jobs: u32) -> Queue<u32> {
    bench.builder().partitions(2).keep_done(jobs).open(&bench.store).await.unwrap()
}

/// The ids of all jobs in a state, read in pages of two.
async fn listed(queue: &Queue<u32>, state: State, filter: JobFilter) -> Vec<JobId> {
    let (mut filter, mut found) = (filter.limit(2), Vec::new());
    loop {
        let page = queue.list(state, filter.clone()).await.unwrap();
        assert!(page.jobs.len() <= 2);
        found.extend(page.jobs.iter().map(|job| job.id));
        let Some(next) = page.next else { return found };
        filter = filter.after(next);
    }
}

pub(crate) async fn a_job_says_where_it_is_and_why(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let late = add(&queue, Job::new(0).delay(MINUTE).priority(3)).await;
    let job = info(&queue, late).await;
    assert!(matches!(job.status, JobStatus::Delayed { left: MINUTE, why: DelayedBy::Delay, .. }));
    assert_eq!((job.priority, job.attempt), (3, 1));
    let id = add(&queue, Job::new(1).unique_while_live("u")).await;
    let job = info(&queue, id).await;
    assert_eq!((job.status, job.unique.as_deref()), (JobStatus::Ready { block: None }, Some("u")));
    let delivery = one(&queue).await;
    delivery.checkpoint_at(7, "half").await.unwrap();
    let job = info(&queue, id).await;
    let JobStatus::Running { token, lease_left, .. } = job.status else { panic!("{job:?}") };
    assert_eq!((token, lease_left, job.progress), (delivery.token(), 30 * SECOND, Some(7)));
    delivery.snooze(SECOND).await.unwrap();
    let why = |job: JobInfo| match job.status {
        JobStatus::Delayed { why, .. } => why,
        other => panic!("{other:?}"),
    };
    assert_eq!(why(info(&queue, id).await), DelayedBy::Snooze);
    bench.advance(SECOND);
    queue.cancel(late).await.unwrap();
    assert_eq!(queue.job(late).await.unwrap(), None);
}

pub(crate) async fn a_dead_job_has_its_failures_with_their_times(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let id = add(&queue, Job::new(1)).await;
    let delivery = one(&queue).await;
    delivery.retry(Duration::ZERO).await.unwrap();
    bench.advance(SECOND);
    one(&queue).await.fail("connection reset: no route").await.unwrap();
    let job = info(&queue, id).await;
    let JobStatus::Dead { reason, died } = &job.status else { panic!("{job:?}") };
    assert_eq!(reason, "connection reset: no route");
    let detail = job.detail.unwrap();
    let reasons: Vec<_> = detail.history.iter().map(|past| &*past.reason).collect();
    assert_eq!(reasons, ["retry asked for", "connection reset: no route"]);
    assert_eq!((detail.history[1].at, detail.history[0].at), (*died, *died - SECOND));
    assert_eq!(detail.bytes.as_deref(), Some(&b"1"[..]));
    assert_eq!(queue.redrive(id).await.unwrap(), 1);
    assert_eq!(info(&queue, id).await.status.state(), State::Ready);
}

pub(crate) async fn a_ready_job_says_what_keeps_its_group(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let id = add(&queue, Job::new(1).group("g")).await;
    queue.pause_group("g", MINUTE).await.unwrap();
    let job = info(&queue, id).await;
    let block = Some(GroupBlock::Paused(MINUTE));
    assert_eq!((job.status, job.group.as_deref()), (JobStatus::Ready { block }, Some("g")));
}

pub(crate) async fn lists_have_each_job_once_a_page_at_a_time(bench: &Bench) {
    let queue = keeping(bench, 100).await;
    let many = queue.enqueue_many((0..5).map(Job::new)).await.unwrap();
    let grouped = queue.enqueue_many((5..8).map(|n| Job::new(n).group("g"))).await.unwrap();
    let late = queue.enqueue_many((8..11).map(|n| Job::new(n).delay(MINUTE))).await.unwrap();
    let ids = |enqueued: &kv_queue::Enqueued| {
        let mut ids: Vec<_> = enqueued.jobs.iter().map(|job| job.id()).collect();
        ids.sort();
        ids
    };
    let (all, of_group) = (JobFilter::new(), JobFilter::new().group("g"));
    let mut ready = listed(&queue, State::Ready, all.clone()).await;
    ready.sort();
    let mut expected = [ids(&many), ids(&grouped)].concat();
    expected.sort();
    assert_eq!(ready, expected);
    assert_eq!(listed(&queue, State::Ready, of_group.clone()).await, ids(&grouped));
    let mut delayed = listed(&queue, State::Delayed, all.clone()).await;
    delayed.sort();
    assert_eq!(delayed, ids(&late));
    let held = queue.dequeue(8).await.unwrap();
    let running = listed(&queue, State::Running, all.clone()).await;
    assert_eq!((held.len(), running.len()), (8, 8));
    for delivery in &held {
        delivery.ack().await.unwrap();
    }
    assert_eq!(listed(&queue, State::Done, all.clone()).await.len(), 8);
    assert_eq!(listed(&queue, State::Done, of_group).await.len(), 3);
    assert_eq!(listed(&queue, State::Dead, all).await, []);
    assert!(queue.drained().await.unwrap() || !delayed.is_empty());
}

pub(crate) async fn a_done_job_is_kept_with_what_it_returned(bench: &Bench) {
    let queue = keeping(bench, 2).await;
    let id = add(&queue, Job::new(20)).await;
    assert_eq!(queue.result::<u32>(id).await.unwrap(), None);
    one(&queue).await.ack_with(&42_u32).await.unwrap();
    assert_eq!(queue.result::<u32>(id).await.unwrap(), Some(42));
    assert_eq!(queue.wait::<u32>(id, SECOND).await.unwrap(), 42);
    assert_eq!(queue.result::<String>(id).await.unwrap_err().kind(), ErrorKind::Serialization);
    assert_eq!(info(&queue, id).await.status.state(), State::Done);
    assert!(queue.drained().await.unwrap());
    let plain = add(&queue, Job::new(1)).await;
    one(&queue).await.ack().await.unwrap();
    queue.wait::<()>(plain, SECOND).await.unwrap();
    assert_eq!(queue.discard(id).await.unwrap(), 1);
    assert_eq!(queue.job(id).await.unwrap(), None);
}

pub(crate) async fn done_jobs_go_by_their_number_and_age(bench: &Bench) {
    let builder = bench.builder().keep_done(2).keep_done_for(MINUTE);
    let queue = builder.open(&bench.store).await.unwrap();
    for n in 0..4 {
        queue.enqueue(n).await.unwrap();
        one(&queue).await.ack_with(&n).await.unwrap();
        bench.advance(SECOND);
    }
    assert_eq!(listed(&queue, State::Done, JobFilter::new()).await.len(), 2);
    bench.advance(MINUTE);
    queue.enqueue(4).await.unwrap();
    one(&queue).await.ack().await.unwrap();
    assert_eq!(listed(&queue, State::Done, JobFilter::new()).await.len(), 1);
}

pub(crate) async fn a_wait_ends_when_a_worker_returns_a_value(bench: &Bench) {
    let queue = keeping(bench, 10).await;
    let stop = kv_queue::CancellationToken::new();
    let worker = Worker::new(queue.clone()).stop_on(stop.clone());
    let running = tokio::spawn(worker.run(|delivery| async move {
        match *delivery.payload() {
            0 => Outcome::fail("nothing to double"),
            n => Outcome::done_with(2 * n),
        }
    }));
    let id = add(&queue, Job::new(21)).await;
    assert_eq!(queue.wait::<u32>(id, MINUTE).await.unwrap(), 42);
    let dead = add(&queue, Job::new(0)).await;
    let error = queue.wait::<u32>(dead, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    assert!(error.to_string().contains("nothing to double"), "{error}");
    let later = add(&queue, Job::new(1).delay(MINUTE)).await;
    let error = queue.wait::<u32>(later, Duration::from_millis(1)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Timeout);
    queue.cancel(later).await.unwrap();
    let error = queue.wait::<u32>(later, MINUTE).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::Conflict);
    stop.cancel();
    running.await.unwrap().unwrap();
}

pub(crate) async fn nothing_is_kept_of_a_done_job_by_default(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let id = add(&queue, Job::new(1)).await;
    one(&queue).await.ack_with(&1).await.unwrap();
    assert_eq!(queue.job(id).await.unwrap(), None);
    assert_eq!(queue.result::<u32>(id).await.unwrap(), None);
    assert_eq!(queue.wait::<u32>(id, SECOND).await.unwrap_err().kind(), ErrorKind::Config);
}

pub(crate) async fn the_time_of_a_submission_is_known_by_choice(bench: &Bench) {
    let queue = bench.builder::<u32>().note_times().open(&bench.store).await.unwrap();
    let now = bench.store.inner().now().await.unwrap();
    let id = add(&queue, Job::new(1)).await;
    let plain = bench.queue::<u32>().await;
    add(&plain, Job::new(2)).await;
    bench.advance(SECOND);
    let deliveries = queue.dequeue(2).await.unwrap();
    let times: Vec<_> = deliveries.iter().map(|it| it.enqueued_at()).collect();
    assert_eq!(times, [Some(UNIX_EPOCH + now), None]);
    deliveries[0].retry(Duration::ZERO).await.unwrap();
    assert_eq!(one(&queue).await.enqueued_at(), Some(UNIX_EPOCH + now));
    assert_eq!(info(&queue, id).await.detail.unwrap().enqueued, Some(now));
}

pub(crate) async fn an_operator_acts_on_one_on_many_and_on_all(bench: &Bench) {
    let queue: Queue<u32> = bench.builder().partitions(2).open(&bench.store).await.unwrap();
    let late = queue.enqueue_many((0..6).map(|n| Job::new(n).delay(MINUTE))).await.unwrap();
    let ids: Vec<_> = late.jobs.iter().map(|job| job.id()).collect();
    assert_eq!(queue.run_now(ids[0]).await.unwrap(), 1);
    assert_eq!(queue.run_now(&ids[..2]).await.unwrap(), 1);
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 2);
    assert_eq!(queue.run_now((State::Delayed, JobFilter::new())).await.unwrap(), 4);
    assert_eq!(queue.reschedule(&ids, MINUTE).await.unwrap(), 4);
    assert_eq!(queue.dequeue(9).await.unwrap().len(), 0);
    bench.advance(MINUTE);
    // The leases of the first two have ended as well.
    assert_eq!(queue.cancel((State::Running, JobFilter::new())).await.unwrap(), 2);
    assert_eq!(queue.cancel((State::Delayed, JobFilter::new())).await.unwrap(), 4);
}

pub(crate) async fn a_place_of_another_list_is_refused(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2]).await.unwrap();
    let page = queue.list(State::Ready, JobFilter::new().limit(1)).await.unwrap();
    let filter = JobFilter::new().after(page.next.unwrap());
    let error = queue.list(State::Dead, filter).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::InvalidKey);
    for nonsense in ["", "x", "0/ready", "9/", "0/ready:x:y", "0/dead:99999999999999999:a"] {
        let filter = JobFilter::new().after(nonsense);
        let answer = queue.list(State::Ready, filter).await;
        let is_refused = answer.as_ref().is_err_and(|it| it.kind() == ErrorKind::InvalidKey);
        assert!(is_refused || nonsense == "9/", "{nonsense:?}: {answer:?}");
    }
}

/// The one worker of a queue, once it has said that it is there.
async fn worker_of(queue: &Queue<u32>) -> WorkerInfo {
    let listed = async {
        loop {
            match &queue.workers().await.unwrap()[..] {
                [worker] => return worker.clone(),
                _ => tokio::task::yield_now().await,
            }
        }
    };
    tokio::time::timeout(MINUTE, listed).await.expect("the worker is listed")
}

pub(crate) async fn a_worker_is_listed_until_it_ends_or_fades(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    let stop = kv_queue::CancellationToken::new();
    let worker = || Worker::new(queue.clone()).name("ada").version("7").stop_on(stop.clone());
    let running = tokio::spawn(worker().concurrency(3).run(|_| async {}));
    let listed = worker_of(&queue).await;
    assert_eq!((&*listed.name, &*listed.version, listed.concurrency), ("ada", "7", 3));
    assert_eq!((listed.pid, listed.busy), (std::process::id(), 0));
    stop.cancel();
    running.await.unwrap().unwrap();
    assert_eq!(queue.workers().await.unwrap(), []);
    let dropped = tokio::spawn(Worker::new(queue.clone()).run(|_| async {}));
    worker_of(&queue).await;
    dropped.abort();
    assert!(dropped.await.unwrap_err().is_cancelled());
    assert_eq!(queue.workers().await.unwrap().len(), 1, "nobody struck it out");
    bench.advance(40 * SECOND);
    assert_eq!(queue.workers().await.unwrap(), []);
}

#[tokio::test(start_paused = true)]
async fn a_running_job_names_its_worker() {
    let bench = Bench::memory();
    let queue = bench.queue::<u32>().await;
    let id = add(&queue, Job::new(1)).await;
    let stop = kv_queue::CancellationToken::new();
    let (held, end) = (stop.clone(), stop.clone());
    let worker = Worker::new(queue.clone()).name("ada").stop_on(stop);
    let running = tokio::spawn(worker.run(move |_| held.clone().cancelled_owned()));
    tokio::time::sleep(12 * SECOND).await;
    let job = info(&queue, id).await;
    let JobStatus::Running { worker, .. } = job.status else { panic!("{job:?}") };
    assert_eq!(worker.as_deref(), Some("ada"));
    let listed = worker_of(&queue).await;
    assert_eq!((listed.busy, &listed.running[..]), (1, &[id][..]));
    end.cancel();
    running.await.unwrap().unwrap();
}

pub(crate) async fn a_job_is_found_by_its_unique_key(bench: &Bench) {
    let queue = bench.queue::<u32>().await;
    assert_eq!(queue.find_unique("order 7").await.unwrap(), None);
    let long = "x".repeat(2_000);
    let id = add(&queue, Job::new(1).unique_while_live("order 7")).await;
    let of_group = add(&queue, Job::new(2).group("g").unique_while_live("order 7")).await;
    let run = add(&queue, Job::new(3).unique(&*long)).await;
    let short = add(&queue, Job::new(4).unique_for("order 8", MINUTE)).await;
    assert_eq!(queue.find_unique("order 7").await.unwrap(), Some(id));
    assert_eq!(queue.find_unique_in("g", "order 7").await.unwrap(), Some(of_group));
    assert_eq!(queue.find_unique_in("h", "order 7").await.unwrap(), None, "of its group alone");
    assert_eq!(queue.cancel([id, run, short].as_slice()).await.unwrap(), 3);
    assert_eq!(queue.find_unique("order 7").await.unwrap(), None);
    assert_eq!(queue.find_unique(&long).await.unwrap(), Some(run), "once in the life of the run");
    assert_eq!(queue.job(run).await.unwrap(), None, "its key outlives it");
    assert_eq!(queue.find_unique("order 8").await.unwrap(), Some(short));
    bench.advance(MINUTE);
    assert_eq!(queue.find_unique("order 8").await.unwrap(), None);
    let kind = |answer: kv_core::Result<_>| answer.unwrap_err().kind();
    assert_eq!(kind(queue.find_unique("").await), ErrorKind::InvalidKey);
    assert_eq!(kind(queue.find_unique_in("", "u").await), ErrorKind::InvalidKey);
}
