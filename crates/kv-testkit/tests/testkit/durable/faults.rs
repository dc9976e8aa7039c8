//! The faults, and the case that each must be caught by.

/// One way to lose something over a restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    /// Deadlines count from the start of the process.
    DeadlinesByNow,
    /// Lifetimes follow the date wherever it goes.
    DeadlinesByTheDate,
    /// The last time that was written down is not read.
    MarkIgnored,
    /// Time stands still until the date has caught up.
    TimeStandsStill,
    /// Time goes on where it was when the store was closed.
    ClosedTimeDoesNotCount,
    LifetimesLost,
    LifetimesAnew,
    ExpiredComeBack,
    WrittenOnClose,
    DeletesOnClose,
    ConditionsOnClose,
    VersionsRestart,
    VersionsGoOnFromTheHighest,
    VersionsRenumbered,
    VersionsOfThisProcess,
    CountersRestart,
    NowSinceTheStart,
    /// Times are cut to whole milliseconds. No restart is needed to see it.
    CutsMilliseconds,
    QueueLost,
    DeadLettersLost,
    LeasesEnd,
    PartitionsForgotten,
}

use Fault::*;

pub(crate) const PLANTED: &[(Fault, &str)] = &[
    (DeadlinesByNow, "a_lifetime_goes_on_over_a_reopen"),
    (DeadlinesByNow, "what_expires_while_the_store_is_closed_is_gone"),
    (DeadlinesByNow, "the_stores_clock_goes_on_over_a_reopen"),
    (DeadlinesByTheDate, "a_date_that_is_set_back_revives_nothing"),
    (MarkIgnored, "a_date_that_is_set_back_revives_nothing"),
    (TimeStandsStill, "a_date_that_is_set_back_revives_nothing"),
    (ClosedTimeDoesNotCount, "a_lifetime_goes_on_over_a_reopen"),
    (ClosedTimeDoesNotCount, "what_expires_while_the_store_is_closed_is_gone"),
    (ClosedTimeDoesNotCount, "a_counter_counts_on_over_a_reopen"),
    (LifetimesLost, "a_lifetime_goes_on_over_a_reopen"),
    (LifetimesLost, "a_counter_counts_on_over_a_reopen"),
    (LifetimesAnew, "a_lifetime_goes_on_over_a_reopen"),
    (ExpiredComeBack, "what_expires_while_the_store_is_closed_is_gone"),
    (WrittenOnClose, "what_every_verb_wrote_outlives_a_reopen"),
    (WrittenOnClose, "each_verbs_write_outlives_a_kill_right_after_it"),
    (DeletesOnClose, "each_verbs_write_outlives_a_kill_right_after_it"),
    (ConditionsOnClose, "each_verbs_write_outlives_a_kill_right_after_it"),
    (VersionsRestart, "no_version_is_given_again_after_a_reopen"),
    (VersionsGoOnFromTheHighest, "no_version_is_given_again_after_a_reopen"),
    (VersionsRenumbered, "a_version_names_its_state_over_a_reopen"),
    (VersionsOfThisProcess, "a_version_names_its_state_over_a_reopen"),
    (CountersRestart, "a_counter_counts_on_over_a_reopen"),
    (NowSinceTheStart, "the_stores_clock_goes_on_over_a_reopen"),
    (CutsMilliseconds, "no_key_ends_early_by_a_part_of_a_millisecond"),
    (QueueLost, "a_queue_outlives_a_reopen"),
    (DeadLettersLost, "a_queue_outlives_a_reopen"),
    (LeasesEnd, "a_queue_outlives_a_reopen"),
    (PartitionsForgotten, "a_queue_outlives_a_reopen"),
    (DeadlinesByNow, "a_queue_outlives_a_reopen"),
    (ClosedTimeDoesNotCount, "a_queue_outlives_a_reopen"),
];
