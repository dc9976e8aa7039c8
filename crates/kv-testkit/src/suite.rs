//! The list of cases, and how one is run.

use std::io::Write as _;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use crate::guard::{Guard, PATIENCE};
use crate::told::Log;
use crate::trial::End;
use crate::{Backend, Failure, Trial, refusals};
use kv_core::Capabilities;

/// Calls a macro with the name of every case. The only list there is: the table of [`cases`] and
/// the tests of [`conformance!`](crate::conformance) are both made of it.
///
/// Each name stands under what it needs to be declared: none, `TTL`, `CONDITIONS`, `COUNTERS`.
#[doc(hidden)]
#[macro_export]
macro_rules! for_each_case {
    ([$($callback:tt)*] $($argument:expr)?) => {
        $($callback)*! {
            [$($argument)?]
            values [] {
                a_missing_key_is_none
                a_value_is_read_back_byte_for_byte
                an_empty_value_exists
                set_overwrites
                delete_tells_whether_it_removed_the_key
                the_fast_path_agrees_with_get
                keys_of_every_shape_are_kept_apart
                a_value_is_never_seen_half_written
            }
            lifetime [TTL] {
                set_clears_the_lifetime
                keep_keeps_the_lifetime
                an_expired_key_leaves_no_lifetime_to_keep
                a_passed_deadline_does_not_end_a_later_value
                the_time_left_counts_down_in_milliseconds
                a_part_of_a_millisecond_is_rounded_up
                a_huge_lifetime_is_clamped
                a_zero_lifetime_is_refused_and_changes_nothing
            }
            lifetime [] {
                keep_on_a_new_key_never_expires
            }
            expired [TTL] {
                a_key_is_there_until_its_last_millisecond
                an_expired_key_is_invisible_to_reads
                an_expired_key_is_invisible_to_scans
                an_expired_key_is_invisible_to_deletes
                an_expired_key_is_invisible_to_batches
            }
            expired [TTL CONDITIONS] {
                an_expired_key_is_invisible_to_take
                an_expired_key_is_invisible_to_touch
                an_expired_key_is_absent_for_conditions
            }
            expired [TTL COUNTERS] {
                an_expired_counter_starts_anew
            }
            conditions [CONDITIONS] {
                absent_writes_only_where_nothing_is
                present_writes_only_where_something_is
                a_version_matches_only_the_state_it_names
                a_version_matches_nothing_once_its_key_is_deleted
                a_write_tells_the_version_that_the_next_read_gives
                delete_checks_its_condition
            }
            conditions [TTL CONDITIONS] {
                a_condition_that_fails_keeps_the_lifetime
            }
            take [CONDITIONS] {
                take_returns_the_entry_and_removes_it
                one_of_many_concurrent_takes_gets_the_entry
            }
            touch [TTL CONDITIONS] {
                touch_changes_the_lifetime_and_not_the_value
                touch_with_keep_changes_nothing
                touch_of_a_missing_key_is_false
                touch_refuses_a_zero_lifetime
                touch_clamps_a_huge_lifetime
            }
            races [CONDITIONS] {
                one_of_many_concurrent_creations_wins
                concurrent_compare_and_set_loses_no_update
                a_value_and_its_version_belong_together
            }
            counters [COUNTERS] {
                a_counter_starts_at_zero_and_is_decimal_text
                an_increment_counts_on_from_a_number_that_was_set
                an_increment_of_text_is_wrong_type_and_changes_nothing
                an_increment_that_overflows_is_wrong_type_and_changes_nothing
                each_of_many_concurrent_increments_counts
            }
            counters [TTL COUNTERS] {
                the_lifetime_of_an_increment_applies_on_creation_only
                an_increment_refuses_a_zero_lifetime
                an_increment_clamps_a_huge_lifetime
            }
            counters [CONDITIONS COUNTERS] {
                an_increment_changes_the_version
            }
            many [] {
                get_many_answers_in_the_order_of_its_keys
                set_many_writes_every_pair_in_order
                delete_many_counts_each_key_once
            }
            many [TTL] {
                set_many_gives_every_key_the_lifetime
                set_many_clears_or_keeps_the_lifetime_as_told
                set_many_refuses_a_zero_lifetime_before_it_writes
            }
            batches [] {
                a_batch_runs_in_order_and_answers_in_kind
                an_error_in_a_batch_leaves_the_others
                an_empty_batch_has_no_answers
                a_batch_of_a_thousand_is_answered_in_full
            }
            batches [CONDITIONS] {
                a_batch_checks_conditions
            }
            batches [TTL CONDITIONS] {
                a_batch_touches
            }
            batches [TTL COUNTERS] {
                a_batch_increments
            }
            scan [] {
                a_scan_of_an_empty_store_ends
                a_scan_shows_the_keys_that_match_and_no_other
                a_scan_reads_patterns_as_redis_does
                a_scan_matches_awkward_keys_literally
                a_scan_comes_in_bounded_pages
                a_scan_visits_every_key_that_stays
                a_scan_takes_any_limit
                a_foreign_cursor_is_an_error
            }
            lifecycle [] {
                a_store_answers_a_ping
                figures_can_be_asked_for
                the_stores_clock_follows_its_time
                a_closed_store_refuses_every_call
                closing_again_does_nothing
                closing_reaches_every_handle
            }
            drops [] {
                a_dropped_call_leaves_the_store_working
                a_dropped_write_is_whole_or_absent
            }
            drops [COUNTERS] {
                a_dropped_increment_counts_once_at_most
            }
            parts [TTL] {
                no_key_ends_early_by_a_part_of_a_millisecond
            }
            reopen [] {
                what_every_verb_wrote_outlives_a_reopen
                each_verbs_write_outlives_a_kill_right_after_it
                the_stores_clock_goes_on_over_a_reopen
                a_queue_outlives_a_reopen
            }
            reopen [TTL] {
                a_lifetime_goes_on_over_a_reopen
                what_expires_while_the_store_is_closed_is_gone
                a_date_that_is_set_back_revives_nothing
            }
            reopen [CONDITIONS] {
                a_version_names_its_state_over_a_reopen
                no_version_is_given_again_after_a_reopen
            }
            reopen [TTL COUNTERS] {
                a_counter_counts_on_over_a_reopen
            }
            turns [] {
                a_set_takes_turns_with_other_calls
                a_delete_takes_turns_with_other_calls
                writes_of_many_keys_take_turns_with_other_calls
            }
            turns [CONDITIONS] {
                a_take_takes_turns_with_other_calls
            }
            turns [COUNTERS] {
                an_increment_takes_turns_with_other_calls
            }
            turns [TTL CONDITIONS] {
                a_touch_takes_turns_with_other_calls
            }
            turns [TTL] {
                a_kept_lifetime_takes_turns_with_other_calls
            }
            handles [] {
                every_handle_sees_what_another_did
                a_dropped_handle_leaves_the_others_open
            }
            handles [TTL] {
                a_value_at_hand_ends_with_its_lifetime
            }
            gone [CONDITIONS] {
                no_version_outlives_its_key_whichever_way_it_goes
                a_numbered_version_does_not_come_back_with_its_value
            }
            gone [TTL] {
                keep_keeps_nothing_of_a_key_that_went
                an_old_deadline_ends_nothing_that_came_later
            }
            gone [COUNTERS] {
                a_counter_that_went_starts_anew_whichever_way_it_goes
            }
            failed [TTL] {
                a_read_changes_nothing
            }
            failed [CONDITIONS] {
                a_condition_that_fails_changes_nothing
                a_condition_looks_at_its_own_key
            }
            versions [] {
                no_two_writes_of_a_key_have_one_version
                every_way_to_read_gives_the_same_version
            }
            versions [CONDITIONS] {
                a_version_by_every_way_to_read_is_a_condition
                every_way_to_write_ends_the_version_before
            }
            dropped [] {
                a_dropped_write_leaves_the_old_state_or_the_new
                a_dropped_write_of_many_leaves_each_key_whole
                a_dropped_write_leaves_the_key_free_for_others
            }
            lifetimes [TTL] {
                every_verb_that_gives_a_lifetime_gives_it
                every_verb_that_makes_a_key_gives_it_its_lifetime
                every_verb_that_clears_a_lifetime_clears_it
                every_verb_that_keeps_a_lifetime_keeps_its_end
                every_verb_clamps_a_huge_lifetime_and_refuses_none
                an_expired_key_is_invisible_to_every_command
            }
            lifetimes [TTL CONDITIONS COUNTERS] {
                a_counter_keeps_what_a_touch_gave_it
            }
            lifetimes [TTL COUNTERS] {
                a_refused_increment_leaves_lifetime_and_version
            }
            walks [] {
                a_scan_goes_on_where_its_last_keys_were_deleted
                a_scan_goes_on_behind_pages_without_a_match
                a_scan_ends_although_its_keys_are_written_again
                walks_at_once_do_not_disturb_each_other
                a_scan_by_one_shows_keys_of_every_shape
                a_scan_takes_limits_of_any_width
                a_page_that_is_asked_for_again_loses_no_key
            }
            walks [TTL] {
                a_scan_goes_on_where_its_last_keys_expired
                a_scan_goes_on_behind_pages_of_expired_keys
            }
            shapes [] {
                a_value_of_any_shape_is_kept_by_every_verb
                a_key_of_any_shape_is_kept_apart_by_every_verb
            }
            shapes [CONDITIONS] {
                a_condition_tells_like_values_apart
            }
            sizes [] {
                a_value_beyond_a_mebibyte_is_kept_by_every_verb
                a_value_of_sixteen_mebibytes_is_kept
                a_thousand_keys_are_set_read_and_deleted_at_once
                tens_of_thousands_of_keys_are_set_read_and_deleted_at_once
                a_batch_takes_any_number_of_commands
            }
            sizes [CONDITIONS] {
                a_condition_on_a_large_value_holds
            }
            closed [] {
                a_closed_store_refuses_every_verb_by_every_route
                a_closed_store_tells_no_time
                a_walk_under_way_ends_with_its_store
                a_closed_store_runs_no_queue
                a_write_after_close_is_not_done
                a_close_beside_running_calls_is_told_as_one
            }
            secrets [] {
                no_error_of_a_verb_shows_a_value
                no_error_of_the_store_shows_a_value
            }
            secrets [TTL CONDITIONS COUNTERS] {
                a_refused_call_says_that_nothing_was_applied
            }
            figures [] {
                figures_follow_every_write
                figures_tell_hits_from_misses
                the_stores_clock_tells_the_date
                durability_is_declared_or_refused
                concurrent_deletes_of_many_count_each_key_once
            }
            figures [CONDITIONS COUNTERS] {
                a_batch_reads_what_it_wrote
            }
            figures [COUNTERS] {
                an_error_of_what_is_stored_leaves_the_rest_of_a_batch
                a_counter_is_created_with_any_number
                concurrent_increments_by_every_route_all_count
            }
            watched [WATCH] {
                a_watch_begins_with_a_gap
                every_way_to_change_a_key_is_told
                a_watch_tells_the_keys_of_its_prefix_alone
                the_librarys_own_keys_are_not_told
                every_watch_is_told_what_every_handle_did
                a_closed_store_ends_its_watches
            }
            watched [WATCH TTL] {
                a_key_that_expired_is_told_when_it_is_removed
            }
            declared [] {
                what_is_not_declared_is_refused
            }
            typed [] {
                namespaces_do_not_see_each_other
                no_pattern_reaches_out_of_its_namespace
                a_closed_typed_store_refuses_every_verb
                reserved_keys_are_refused_by_every_verb
                reserved_keys_are_hidden_from_scans
                typed_keys_are_sorted_and_each_comes_once
                typed_batches_answer_as_single_calls_do
            }
            typed [TTL] {
                the_default_lifetime_applies_where_none_is_named
            }
            typed [COUNTERS] {
                counters_live_apart_from_typed_values
            }
            typed [CONDITIONS] {
                an_update_loses_no_other_update
                a_typed_take_gives_the_value_once
            }
        }
    };
}

/// Makes one `#[test]` of each case, for the backend that the expression gives.
///
/// The expression is evaluated once for each test, outside any runtime. See the
/// [crate](crate#one-line-per-backend) for a whole example.
#[macro_export]
macro_rules! conformance {
    ($backend:expr) => {
        $crate::for_each_case!([$crate::one_test_per_case] $backend);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! one_test_per_case {
    ([$backend:expr] $($group:ident [$($need:ident)*] { $($name:ident)* })*) => {
        // A function, since an expression cannot be repeated at the depth of the names.
        fn backend_under_test() -> impl $crate::Backend {
            $backend
        }
        $($(
            #[test]
            fn $name() -> Result<(), $crate::Failure> {
                $crate::run_test(stringify!($name), backend_under_test)
            }
        )*)*
    };
}

type Running<'t> = Pin<Box<dyn Future<Output = Result<(), Failure>> + 't>>;

/// How a case is run.
#[derive(Clone, Copy, Debug)]
enum Run {
    /// On one store from its beginning to its end.
    Once(for<'t> fn(&'t Trial<'t>) -> Running<'t>),
    /// On data that is opened anew in between.
    Reopened(for<'t> fn(Trial<'t>) -> Running<'t>),
}

/// One rule of the contract, as a check that can be run on any backend.
#[derive(Clone, Copy, Debug)]
pub struct Case {
    name: &'static str,
    needs: Capabilities,
    run: Run,
}

impl Case {
    /// The rule in words, with underscores.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// What a store must declare for the rule to concern it.
    pub fn needs(&self) -> Capabilities {
        self.needs
    }

    /// Tries the rule on a fresh store. Where the store does not declare what the rule needs, its
    /// refusals are tried instead, and standard error says so.
    ///
    /// A store that holds its thread and never yields cannot be stopped from here. After 150 s
    /// standard error names the case, and the process ends with the code 101, as that of a failed
    /// test; [`run_apart`](crate::run_apart) goes on instead.
    ///
    /// # Errors
    /// What the case found wrong.
    ///
    /// # Cancel safety
    /// The store may be left in any state; it is used for nothing else.
    pub async fn run<B: Backend>(&self, backend: &B) -> Result<(), Failure> {
        let log = Arc::default();
        let _guard = Guard::new(self.name, PATIENCE + PATIENCE / 4, &log);
        let outcome = self.run_noted(backend, &log).await;
        outcome.map_err(|failure| failure.during(self.name).after(log.tell()))
    }

    /// The same, for whoever watches it.
    pub(crate) async fn run_noted<B: Backend>(
        &self,
        backend: &B,
        log: &Arc<Log>,
    ) -> Result<(), Failure> {
        let trial = Trial::noted(backend, log).await?;
        let missing = refusals::missing(&trial, self.needs);
        if missing.is_empty() {
            return match self.run {
                Run::Once(run) => run(&trial).await,
                Run::Reopened(run) => self.reopened(trial, run).await,
            };
        }
        let what = missing.join(" and ");
        announce(self.name, &format!("{what} not declared; tried the refusal"));
        refusals::check(&trial, &missing).await
    }

    async fn reopened<'t>(
        &self,
        trial: Trial<'t>,
        run: fn(Trial<'t>) -> Running<'t>,
    ) -> Result<(), Failure> {
        match trial.reopen(End::Closed, Duration::ZERO).await? {
            Some(trial) => run(trial).await,
            None => {
                announce(self.name, "the backend does not reopen");
                Ok(())
            }
        }
    }
}

/// Past the capture of a test's output: a rule that was not tried as it stands is never silent.
pub(crate) fn announce(case: &str, why: &str) {
    let line = format!("kv-testkit: {case}: skipped: {why}\n");
    // A closed standard error is no reason to fail.
    let _ = std::io::stderr().write_all(line.as_bytes());
}

macro_rules! table {
    ([] $($group:ident [$($need:ident)*] { $($name:ident)* })*) => {
        vec![$(table!(@group $group [$($need)*] $($name)*)),*].concat()
    };
    (@group reopen $needs:tt $($name:ident)*) => {
        vec![$(Case {
            name: stringify!($name),
            needs: table!(@needs $needs),
            run: Run::Reopened(|trial| Box::pin(crate::cases::reopen::$name(trial))),
        }),*]
    };
    (@group $group:ident $needs:tt $($name:ident)*) => {
        vec![$(Case {
            name: stringify!($name),
            needs: table!(@needs $needs),
            run: Run::Once(|trial| Box::pin(crate::cases::$group::$name(trial))),
        }),*]
    };
    (@needs [$($need:ident)*]) => { Capabilities::NONE $(| Capabilities::$need)* };
}

/// Every case of the suite.
///
/// ```
/// let cases = kv_testkit::cases();
/// assert!(cases.iter().any(|case| case.name() == "set_overwrites"));
/// ```
pub fn cases() -> Vec<Case> {
    for_each_case!([table])
}

/// The case of this name.
///
/// # Errors
/// When there is none.
pub(crate) fn find(name: &str) -> Result<Case, Failure> {
    let known = cases().into_iter().find(|case| case.name == name);
    known.ok_or_else(|| Failure::new(format!("there is no case {name:?}")))
}
