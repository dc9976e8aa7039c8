//! The dashboard as a viewer meets it: every page and every action on memory, a SQLite file and a
//! real Redis, and what nobody may do.

#![cfg(test)]

mod actions;
mod escaped;
mod hostile;
mod large;
mod live;
mod log;
mod monitoring;
mod pages;
mod place;
mod programs;
mod served;
mod store;

use place::Place;

/// One test for each case and backend.
macro_rules! on_every_backend {
    ($($module:ident :: $case:ident),* $(,)?) => {
        mod on_memory {
            use super::*;
            $(#[tokio::test] async fn $case() { $module::$case(&Place::memory()).await; })*
        }
        mod on_sqlite {
            use super::*;
            $(#[tokio::test] async fn $case() { $module::$case(&Place::sqlite().await).await; })*
        }
        mod on_redis {
            use super::*;
            $(#[tokio::test] async fn $case() { $module::$case(&Place::redis().await).await; })*
        }
    };
}

on_every_backend! {
    pages::the_first_page_lists_queues_with_their_counts,
    pages::a_queues_page_shows_figures_and_offers_actions_only_where_they_are_allowed,
    pages::waiting_jobs_show_what_they_carry_only_where_that_is_allowed,
    pages::jobs_are_listed_by_state_and_group_a_page_at_a_time,
    pages::a_job_shows_where_it_is_what_went_wrong_and_what_it_carries,
    pages::a_job_is_found_by_its_unique_key,
    pages::workers_show_what_they_run,
    pages::dead_letters_are_grouped_by_reason,
    pages::a_payload_that_does_not_decode_is_shown_as_far_as_it_goes,
    pages::groups_show_what_limits_them_and_until_when,
    pages::schedules_show_next_and_last,
    pages::a_queue_that_is_not_there_is_told,
    pages::metrics_tell_queues_groups_and_the_store,
    store::namespaces_and_keys_are_shown_with_the_time_left,
    store::a_secret_namespace_is_never_shown,
    store::a_value_is_shown_only_where_that_is_allowed,
    store::every_key_is_on_some_page,
    programs::every_page_of_a_queue_is_json_for_a_program,
    programs::a_program_sees_payloads_and_values_only_where_that_is_allowed,
    actions::a_queue_is_paused_and_resumed,
    actions::a_queue_is_cleared_and_deleted_only_when_its_name_is_written,
    actions::selected_dead_letters_are_redriven_or_discarded,
    actions::dead_letters_of_one_reason_are_redriven_or_discarded,
    actions::all_dead_letters_are_redriven_or_discarded,
    actions::a_delayed_job_is_run_now_and_a_job_is_cancelled,
    actions::a_group_is_paused_and_resumed,
    actions::a_schedule_is_paused_resumed_and_run,
    actions::a_read_only_dashboard_refuses_every_action,
}
