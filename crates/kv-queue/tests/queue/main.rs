//! The queue's guarantees, each shown on every engine: those of memory, of SQLite and of Redis, that
//! of memory with layers around it, and the generic one on memory and on Redis.

#![cfg(test)]

mod asking;
mod bench;
mod charged;
mod contract;
mod dates;
mod groups;
mod hanging;
mod idle;
mod operating;
mod outcomes;
mod producing;
mod reopened;
mod sharing;
mod speed;
mod stopping;
mod summary;
mod supervision;
mod told;
mod unsound;
mod watched;
mod worker;

use bench::Bench;
use kv_core::{Effect, ErrorKind};
use kv_testkit::{Fault, Faulty, Method};

/// One test for each guarantee and engine, each reported by its own name.
macro_rules! on_every_engine {
    ($($module:ident :: $case:ident),* $(,)?) => {
        on_every_engine!(@ native_in_memory, Bench::memory(), $($module::$case),*);
        on_every_engine!(@ layered_in_memory, Bench::layered(), $($module::$case),*);
        on_every_engine!(@ generic_in_memory, Bench::generic(), $($module::$case),*);
        on_every_engine!(@ native_on_sqlite, Bench::sqlite().await, $($module::$case),*);
        on_every_engine!(@ native_on_redis, Bench::redis().await, $($module::$case),*);
        on_every_engine!(@ generic_on_redis, Bench::generic_on_redis().await, $($module::$case),*);
    };
    (@ $engine:ident, $bench:expr, $($module:ident :: $case:ident),*) => {
        mod $engine {
            use super::*;

            $(#[tokio::test]
            async fn $case() {
                $module::$case(&$bench).await;
            })*
        }
    };
}

on_every_engine! {
    asking::a_job_says_where_it_is_and_why,
    asking::a_dead_job_has_its_failures_with_their_times,
    asking::a_job_is_found_by_its_unique_key,
    asking::a_ready_job_says_what_keeps_its_group,
    asking::lists_have_each_job_once_a_page_at_a_time,
    asking::a_done_job_is_kept_with_what_it_returned,
    asking::done_jobs_go_by_their_number_and_age,
    asking::a_wait_ends_when_a_worker_returns_a_value,
    asking::nothing_is_kept_of_a_done_job_by_default,
    asking::the_time_of_a_submission_is_known_by_choice,
    asking::an_operator_acts_on_one_on_many_and_on_all,
    asking::a_place_of_another_list_is_refused,
    asking::a_worker_is_listed_until_it_ends_or_fades,
    contract::jobs_come_by_priority_and_then_in_order,
    contract::a_job_that_is_acked_is_gone,
    contract::a_delayed_job_comes_when_it_is_due,
    contract::a_lease_that_ends_brings_the_job_back_and_fences_the_old_holder,
    contract::an_extended_lease_keeps_the_job,
    contract::a_retry_waits_and_the_budget_of_failures_buries,
    contract::crashes_have_a_budget_of_their_own,
    contract::a_snooze_charges_no_attempt,
    contract::a_failed_job_is_kept_with_its_bytes_and_can_be_redriven,
    contract::a_unique_key_holds_for_the_life_of_the_run,
    contract::a_unique_key_of_a_live_job_is_free_when_it_is_done,
    contract::a_unique_window_ends_with_time,
    contract::a_checkpoint_survives_a_crash_and_a_stale_one_is_refused,
    contract::progress_renews_the_budget_of_failures,
    contract::a_payload_that_does_not_decode_has_failed_and_is_buried_with_its_bytes,
    contract::a_queue_may_bury_at_once_what_does_not_decode,
    contract::a_payload_beyond_the_limit_is_refused_with_the_limit,
    contract::a_cancelled_job_is_gone_and_its_worker_is_told,
    contract::a_paused_queue_delivers_nothing_until_resumed,
    contract::peek_size_and_clear_see_what_waits,
    contract::a_closed_queue_says_so_and_its_jobs_stay,
    contract::a_queue_ends_with_its_store,
    contract::another_number_of_partitions_is_refused,
    contract::queues_in_other_namespaces_are_other_queues,
    contract::a_queue_cannot_be_seen_or_touched_through_the_store,
    contract::drained_is_exact_across_partitions,
    contract::a_dropped_dequeue_leaves_its_jobs_no_longer_than_a_lease,
    contract::many_jobs_in_many_partitions_arrive_once_each,
    contract::a_job_that_is_too_old_is_a_dead_letter,
    charged::a_dropped_dequeue_hands_back_at_once_and_charges_nothing,
    charged::a_live_job_behind_expired_ones_is_found_at_once,
    charged::a_job_that_snoozes_goes_behind_those_that_wait,
    outcomes::each_outcome_is_settled_as_the_handler_says,
    outcomes::an_error_that_says_what_it_means_is_heeded,
    dates::a_job_at_a_date_comes_then_by_the_stores_clock,
    dates::a_due_schedule_fires_once_and_says_when_the_next_is,
    dates::schedulers_side_by_side_fire_a_due_time_once,
    dates::a_firing_is_skipped_while_the_last_job_waits_or_runs,
    dates::a_firing_waits_for_the_end_of_the_last_job,
    dates::schedulers_beside_an_ending_job_enqueue_no_two,
    dates::a_schedule_is_paused_resumed_run_and_removed,
    groups::groups_take_turns_and_a_job_without_one_too,
    groups::a_concurrency_holds_over_all_handles_and_after_whatever_ends_a_lease,
    groups::a_rate_spaces_the_starts_by_the_stores_clock,
    groups::limited_pauses_the_group_and_charges_nothing,
    groups::an_operator_sees_limits_and_pauses_groups,
    groups::no_more_groups_are_shown_than_asked_for,
    groups::a_unique_key_is_unique_within_its_group,
    groups::several_workers_never_run_more_of_a_group_than_its_limit,
    operating::a_redrive_makes_no_more_claimable_than_it_was_asked_for,
    operating::dead_letters_are_of_all_partitions_and_the_oldest_come_first,
    operating::a_dead_letter_is_discarded_or_cancelled_by_its_id,
    operating::dead_letters_end_with_their_age,
    operating::clearing_removes_more_than_one_request_takes,
    operating::a_queue_is_listed_with_its_jobs_until_it_is_deleted,
    operating::a_queue_is_attached_by_its_name_with_the_settings_it_has,
    operating::nothing_of_before_a_clearing_is_left_beside_a_producer,
    operating::a_deleted_queue_is_gone_and_can_be_made_anew,
    operating::a_peek_at_jobs_of_another_type_says_so,
    producing::each_of_many_jobs_gets_its_own_answer_in_order,
    producing::jobs_of_a_partition_keep_their_order_over_many_requests,
    producing::a_bad_job_among_many_keeps_all_of_them_out,
    producing::a_unique_key_of_any_length_admits_one_job,
    sharing::each_of_many_settles_gets_its_own_verdict,
    sharing::a_dropped_settle_blocks_no_other,
    worker::every_job_is_done_once_and_the_end_is_seen,
    worker::a_handler_that_fails_is_tried_again_and_then_buried,
    worker::a_panic_and_a_timeout_are_failures_and_free_the_slot,
    worker::jobs_that_submit_others_are_waited_for,
    worker::a_stop_ends_what_runs_and_claims_no_more,
    worker::what_does_not_end_in_time_is_handed_back_at_once,
    worker::more_jobs_than_one_request_takes_are_handed_back,
    worker::no_more_jobs_run_at_a_time_than_allowed,
    worker::a_worker_that_waits_is_woken_by_a_job,
    worker::a_handler_that_settles_itself_is_not_settled_again,
    worker::what_was_claimed_ahead_is_handed_back_before_running_jobs_end,
    worker::a_delayed_job_is_run_when_it_is_due_and_not_before,
    worker::workers_on_one_queue_share_its_jobs,
}

#[tokio::test]
async fn a_queue_keeps_the_store_open_that_it_was_opened_on() {
    let store = kv_core::Store::new(kv_memory::MemoryStore::new());
    let queue = kv_queue::Queue::<u32>::open(&store, "kept").await.unwrap();
    drop(store);
    queue.enqueue(7).await.unwrap();
    assert_eq!(queue.dequeue(1).await.unwrap().len(), 1);
}

#[tokio::test]
async fn an_eviction_touches_no_queue() {
    let memory = kv_memory::MemoryStore::builder().max_entries(10).build();
    let store = kv_core::Store::new(memory);
    let queue = kv_queue::Queue::<u32>::open(&store, "kept").await.unwrap();
    queue.enqueue_many(0..100_u32).await.unwrap();
    store.set_many((0..100).map(|n| (n.to_string(), n)), kv_core::Expiry::Never).await.unwrap();
    assert!(store.stats().await.unwrap().evicted >= Some(90));
    assert_eq!(queue.dequeue(200).await.unwrap().len(), 100);
}

#[tokio::test(start_paused = true)]
async fn a_backlog_does_not_keep_a_due_job_from_its_turn() {
    let bench = Bench::memory();
    let queue = bench.queue::<u32>().await;
    queue.enqueue_many([1, 2, 3]).await.unwrap();
    let second = std::time::Duration::from_secs(1);
    queue.enqueue(kv_queue::Job::new(9).delay(second).priority(0)).await.unwrap();
    assert_eq!(*queue.dequeue(1).await.unwrap().remove(0).payload(), 1);
    bench.advance(second);
    tokio::time::advance(second).await;
    assert_eq!(*queue.dequeue(1).await.unwrap().remove(0).payload(), 9);
}

#[tokio::test]
async fn an_error_after_a_lost_reply_still_says_that_the_job_may_be_there() {
    let faulty = Faulty::new(kv_memory::MemoryStore::new());
    let store = kv_core::Store::new(bench::FiveMethods(faulty.clone()));
    let queue = kv_queue::Queue::<u32>::open(&store, "outage").await.unwrap();
    // First the body is written, then the index, whose reply is lost; the repeat cannot read.
    faulty.inject(Fault::nth(Method::Set, 2, ErrorKind::Connection).reply_lost());
    faulty.inject(Fault::nth(Method::Get, 2, ErrorKind::Auth));
    let error = queue.enqueue(7).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Auth, Effect::MaybeApplied));
    assert_eq!(queue.stats().await.unwrap().entered, 1);
}

#[tokio::test(start_paused = true)]
async fn an_enqueue_rides_out_an_outage_of_seconds_and_tells_why_one_that_lasts_was_too_long() {
    let faulty = Faulty::new(kv_memory::MemoryStore::new());
    let store = kv_core::Store::new(bench::FiveMethods(faulty.clone()));
    let queue = kv_queue::Queue::<u32>::open(&store, "outage").await.unwrap();
    (1..=20).for_each(|nth| faulty.inject(Fault::nth(Method::Set, nth, ErrorKind::Connection)));
    queue.enqueue(7).await.unwrap();
    assert_eq!(queue.stats().await.unwrap().entered, 1);
    faulty.inject(Fault::every(Method::Set, ErrorKind::Connection));
    let begin = tokio::time::Instant::now();
    let error = queue.enqueue(8).await.unwrap_err();
    assert_eq!((error.kind(), error.effect()), (ErrorKind::Connection, Effect::NotApplied));
    assert!((13..=15).contains(&begin.elapsed().as_secs()), "{:?}", begin.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_worker_whose_claims_fail_waits_between_them() {
    let faulty = Faulty::new(kv_memory::MemoryStore::new());
    let store = kv_core::Store::new(bench::FiveMethods(faulty.clone()));
    let queue = kv_queue::Queue::<u32>::open(&store, "full").await.unwrap();
    queue.enqueue(7).await.unwrap();
    faulty.inject(Fault::every(Method::Set, ErrorKind::OutOfMemory));
    let (before, stop) = (faulty.calls(Method::Set), kv_queue::CancellationToken::new());
    let worker = kv_queue::Worker::new(queue).stop_on(stop.clone());
    let running = tokio::spawn(worker.run(|_| async { Ok::<(), String>(()) }));
    tokio::time::sleep(std::time::Duration::from_secs(10)).await;
    stop.cancel();
    assert_eq!(running.await.unwrap().unwrap().done, 0);
    let tried = faulty.calls(Method::Set) - before;
    assert!((3..30).contains(&tried), "{tried} claims in 10 s");
}
