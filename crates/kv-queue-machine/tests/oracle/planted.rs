//! The oracle catches what it is for: one planted bug a test.

use kv_queue_machine::testing::{Coverage, Failure, check};

use crate::faulty_engine::{FaultyHost, HostFault};
use crate::faulty_tables::{Fault, FaultyTables};
use crate::support::{Hosted, block_on};

const SEEDS: std::ops::Range<u64> = 0..120;
const STEPS: usize = 500;

/// To how many steps the failure is shrunk by which the oracle notices the fault.
fn caught(fault: Fault) -> usize {
    let make = async || Hosted::new(move || FaultyTables::new(fault), |it| (&it.tables).into());
    steps(block_on(check(make, SEEDS, STEPS)))
}

fn caught_host(fault: HostFault) -> usize {
    steps(block_on(check(async || FaultyHost::new(fault), SEEDS, STEPS)))
}

fn steps(checked: Result<Coverage, Box<Failure>>) -> usize {
    checked.map_or_else(|failure| failure.script.steps.len(), |_| usize::MAX)
}

/// Checks that a fault was noticed, and by a script that a person can read.
#[track_caller]
fn within(steps: usize, most: usize) {
    assert_ne!(steps, usize::MAX, "not noticed");
    assert!(steps <= most, "noticed in {steps} steps; expected at most {most}");
}

#[test]
fn a_settle_that_ignores_the_token_is_caught() {
    within(caught(Fault::NoTokenCheck), 12);
}

#[test]
fn a_claim_that_loses_its_lease_is_caught() {
    within(caught(Fault::HalfMove), 12);
}

#[test]
fn duplicates_that_are_let_in_are_caught() {
    within(caught(Fault::NoDedup), 12);
}

#[test]
fn a_unique_key_that_outlives_its_job_is_caught() {
    within(caught(Fault::UniqueKept), 12);
}

#[test]
fn a_unique_window_without_an_end_is_caught() {
    within(caught(Fault::EndlessWindow), 12);
}

#[test]
fn a_repeat_that_is_done_twice_is_caught() {
    within(caught(Fault::NoReplay), 12);
}

#[test]
fn a_counter_that_drifts_is_caught() {
    within(caught(Fault::CounterDrift), 16);
}

#[test]
fn a_due_time_that_is_a_microsecond_late_is_caught() {
    within(caught(Fault::DueOffByOne), 12);
}

#[test]
fn ready_jobs_out_of_rank_are_caught() {
    within(caught(Fault::InsertionOrder), 12);
}

#[test]
fn ties_in_the_wrong_order_are_caught() {
    within(caught(Fault::TieOrder), 12);
}

#[test]
fn a_checkpoint_that_is_not_kept_is_caught() {
    within(caught(Fault::StaleCheckpoint), 30);
}

#[test]
fn a_dead_letter_too_many_is_caught() {
    within(caught(Fault::DeadCap), 12);
}

#[test]
fn evicting_the_newest_dead_letter_is_caught() {
    within(caught(Fault::NewestEvicted), 12);
}

#[test]
fn an_extension_without_effect_is_caught() {
    within(caught(Fault::NoExtend), 12);
}

#[test]
fn a_history_that_is_not_stored_is_caught() {
    within(caught(Fault::NoHistory), 12);
}

#[test]
fn a_token_that_is_given_twice_is_caught() {
    within(caught(Fault::TokenReused), 12);
}

#[test]
fn a_limit_that_counts_for_each_process_is_caught() {
    within(caught(Fault::LimitPerProcess), 12);
}

#[test]
fn a_slot_that_is_never_free_again_is_caught() {
    within(caught(Fault::LeakedSlot), 12);
}

#[test]
fn a_group_that_is_lost_when_it_is_empty_is_caught() {
    within(caught(Fault::GroupLost), 12);
}

#[test]
fn a_group_that_is_starved_is_caught() {
    within(caught(Fault::GroupStarved), 12);
}

#[test]
fn a_purge_that_leaves_unique_keys_is_caught() {
    within(caught(Fault::UniqueOverPurge), 12);
}

#[test]
fn a_page_that_skips_jobs_of_one_time_is_caught() {
    within(caught(Fault::PageSkipsTies), 20);
}

#[test]
fn a_value_that_is_lost_is_caught() {
    within(caught(Fault::ValueLost), 12);
}

#[test]
fn a_done_job_too_many_is_caught() {
    within(caught(Fault::DoneCap), 20);
}

#[test]
fn a_failure_that_is_not_added_to_the_past_is_caught() {
    within(caught(Fault::FirstFailureOnly), 20);
}

#[test]
fn a_time_that_is_marked_only_once_is_caught() {
    within(caught(Fault::FirstMarkOnly), 12);
}

#[test]
fn an_ack_before_the_run_is_caught() {
    within(caught_host(HostFault::AckBeforeRun), 12);
}

#[test]
fn a_clients_clock_is_caught() {
    within(caught_host(HostFault::ClientClock), 12);
}

#[test]
fn partitions_that_share_their_tables_are_caught() {
    within(caught_host(HostFault::SharedPartitions), 12);
}

#[test]
fn a_batch_that_is_cut_instead_of_refused_is_caught() {
    within(caught_host(HostFault::CutBatch), 12);
}

#[test]
fn an_older_request_that_is_done_is_caught() {
    within(caught_host(HostFault::OlderDone), 12);
}

#[test]
fn a_unique_key_that_does_not_tell_its_job_is_caught() {
    within(caught_host(HostFault::HolderLost), 12);
}
