//! The command from outside, on a SQLite file and on a real Redis: what it prints, what it changes,
//! and with which code it ends.

#![cfg(test)]

mod dashboard;
mod place;
mod queues;
mod refused;
mod store;
mod watch;

use place::Place;

/// One test for each case and backend.
macro_rules! on_every_backend {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod on_sqlite {
            use super::*;
            $(#[test] fn $case() { $module::$case(&Place::sqlite()); })*
        }
        mod on_redis {
            use super::*;
            $(#[test] fn $case() { $module::$case(&Place::redis()); })*
        }
    };
}

on_every_backend! {
    store::a_value_is_written_read_and_deleted,
    store::a_key_that_is_not_there_ends_with_3,
    store::a_lifetime_is_shown_and_changed,
    store::a_counter_adds_up,
    store::many_keys_are_deleted_only_with_consent,
    store::an_export_is_read_back_exactly,
    store::an_import_can_leave_keys_alone,
    store::the_doctor_finds_a_healthy_store_healthy,
    store::a_namespace_is_all_that_is_seen,
    queues::a_queue_is_made_listed_and_deleted,
    queues::jobs_are_shown_without_their_payloads,
    queues::jobs_are_listed_asked_about_and_run,
    queues::a_job_is_found_by_its_unique_key,
    queues::dead_letters_are_told_by_reason_and_redriven,
    queues::a_paused_queue_says_so,
    queues::groups_are_shown_and_paused,
    queues::schedules_are_shown_paused_and_run,
    store::a_copy_has_the_values_and_the_queues,
    queues::a_queue_that_is_not_there_is_told_with_those_that_are,
    queues::nothing_changes_in_a_dry_run_or_without_consent,
    dashboard::metrics_are_printed,
    dashboard::a_dashboard_is_served_to_this_machine,
    watch::a_page_is_drawn_and_left,
}
