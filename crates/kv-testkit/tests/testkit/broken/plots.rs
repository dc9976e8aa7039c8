//! Which case catches which slip.

use super::slip::{By, Change, Kind, Place, Slip};

use By::{Batch, Many, Single};
use Change::*;
use Kind::*;
use Slip::*;

pub(super) type Plots = Vec<(Slip, &'static str)>;

/// A slip of these statements, all caught by one case.
fn each(
    slip: fn(Kind, By) -> Slip,
    statements: &[(Kind, By)],
    case: &'static str,
) -> impl Iterator<Item = (Slip, &'static str)> {
    statements.iter().map(move |(kind, by)| (slip(*kind, *by), case))
}

/// Every slip, with the case that must catch it, in groups.
pub(super) const GROUPS: [fn() -> Plots; 13] = [
    gaps, drops, handles, versions, leavings, failures, lifetimes, counters, shapes, walks, sizes,
    ends, told,
];

pub(super) fn gaps() -> Plots {
    let mut plots = Vec::new();
    let sets = [
        (Create, Single),
        (Create, Batch),
        (Replace, Single),
        (Replace, Batch),
        (Swap, Single),
        (Swap, Batch),
    ];
    let deletes = [(DeleteVersion, Single), (DeleteVersion, Batch)];
    let takes = [(Take, Single), (Take, Batch)];
    let counts = [(Increment, Single), (Increment, Batch)];
    let keeps = [(Set, Single), (Set, Batch)];
    for slip in [InTwoSteps, LockedInOneHandle] {
        plots.extend(each(slip, &sets, "a_set_takes_turns_with_other_calls"));
        plots.extend(each(slip, &deletes, "a_delete_takes_turns_with_other_calls"));
        plots.extend(each(
            slip,
            &[(Delete, Single), (DeletePresent, Batch)],
            "a_delete_takes_turns_with_other_calls",
        ));
        plots.extend(each(slip, &takes, "a_take_takes_turns_with_other_calls"));
        plots.extend(each(slip, &counts, "an_increment_takes_turns_with_other_calls"));
        plots.extend(each(slip, &counts, "concurrent_increments_by_every_route_all_count"));
        plots.extend(each(slip, &keeps, "a_kept_lifetime_takes_turns_with_other_calls"));
        plots.extend(each(
            slip,
            &[(Set, Many), (Delete, Many)],
            "writes_of_many_keys_take_turns_with_other_calls",
        ));
    }
    plots.push((LockedInOneHandle(Swap, Single), "concurrent_compare_and_set_loses_no_update"));
    plots.push((LockedInOneHandle(Create, Single), "one_of_many_concurrent_creations_wins"));
    plots.push((LockedInOneHandle(Take, Single), "one_of_many_concurrent_takes_gets_the_entry"));
    plots.push((LockedInOneHandle(Increment, Single), "each_of_many_concurrent_increments_counts"));
    plots.push((CountsBeforeItDeletes, "concurrent_deletes_of_many_count_each_key_once"));
    let touches = [(Touch, Single), (Touch, Batch)];
    plots.extend(each(DeletesThenInserts, &touches, "a_touch_takes_turns_with_other_calls"));
    plots.extend(each(DeletesThenInserts, &counts, "an_increment_takes_turns_with_other_calls"));
    plots.extend(each(DeletesThenInserts, &keeps, "a_set_takes_turns_with_other_calls"));
    plots.extend(each(ValueThenLifetime, &keeps, "a_kept_lifetime_takes_turns_with_other_calls"));
    plots
}

const WRITES: [(Kind, By); 9] = [
    (Set, Single),
    (Set, Many),
    (Set, Batch),
    (Replace, Single),
    (Swap, Single),
    (Swap, Batch),
    (Increment, Single),
    (Increment, Batch),
    (Touch, Single),
];

pub(super) fn drops() -> Plots {
    let case = "a_dropped_write_leaves_the_old_state_or_the_new";
    let mut plots: Plots = each(DeletesThenInserts, &WRITES, case).collect();
    plots.extend(each(ValueThenVersion, &WRITES[..8], case));
    plots.extend(each(ValueThenLifetime, &WRITES[..6], case));
    plots.push((DeletesThenInserts(Set, Many), "a_dropped_write_of_many_leaves_each_key_whole"));
    let free = "a_dropped_write_leaves_the_key_free_for_others";
    plots.extend(each(DroppedHoldsTheLock, &WRITES, free));
    plots.extend(each(
        DroppedHoldsTheLock,
        &[(Delete, Single), (Take, Batch), (Delete, Many)],
        free,
    ));
    plots
}

pub(super) fn handles() -> Plots {
    let case = "every_handle_sees_what_another_did";
    let writes = [
        (Set, Single),
        (Set, Many),
        (Set, Batch),
        (Create, Single),
        (Replace, Single),
        (Swap, Single),
        (Delete, Single),
        (Delete, Many),
        (Delete, Batch),
        (DeletePresent, Single),
        (DeleteVersion, Batch),
        (Take, Single),
        (Take, Batch),
        (Increment, Single),
        (Increment, Batch),
    ];
    let mut plots: Plots = each(CacheMisses, &writes, case).collect();
    plots.extend(each(FastPathMisses, &writes, case));
    plots.push((ExistsFromCache, case));
    plots.push((FastPathOutlives, "a_value_at_hand_ends_with_its_lifetime"));
    plots.push((DropCloses, "a_dropped_handle_leaves_the_others_open"));
    plots
}

pub(super) fn versions() -> Plots {
    let reads = "every_way_to_read_gives_the_same_version";
    let mut plots = vec![
        (VersionIsHighestPlusOne, "no_version_outlives_its_key_whichever_way_it_goes"),
        (VersionOfEachHandle, "no_two_writes_of_a_key_have_one_version"),
        (VersionOfEachKey, "no_version_outlives_its_key_whichever_way_it_goes"),
        (VersionIsAHash, "a_numbered_version_does_not_come_back_with_its_value"),
        (VersionIsTheLength, "every_way_to_write_ends_the_version_before"),
        (TakesAnotherVersion, "a_version_by_every_way_to_read_is_a_condition"),
        (FastPathTellsAnotherVersion, reads),
        (AnyKeyOfTheStore, "a_condition_looks_at_its_own_key"),
        (ComparesValues(CutsAt(1_000)), "a_condition_on_a_large_value_holds"),
        (ReadsAnotherVersion(Many), "a_version_by_every_way_to_read_is_a_condition"),
    ];
    plots.extend([Many, Batch].map(|by| (ReadsAnotherVersion(by), reads)));
    plots.extend([Single, Batch].map(|by| (TellsAnotherVersion(by), reads)));
    let changes = [TrimsTheEnd, CutsAtNul, FoldsAscii, ComposesAccents, ReadsNumbers];
    plots.extend(
        changes.map(|change| (ComparesValues(change), "a_condition_tells_like_values_apart")),
    );
    plots.extend(each(VersionStays, &WRITES[..8], "every_way_to_write_ends_the_version_before"));
    plots
}

const WAYS: [(Kind, By); 12] = [
    (Delete, Single),
    (Delete, Many),
    (Delete, Batch),
    (DeletePresent, Single),
    (DeletePresent, Batch),
    (DeleteVersion, Single),
    (DeleteVersion, Batch),
    (Take, Single),
    (Take, Batch),
    (Set, Many),
    (Touch, Single),
    (Touch, Batch),
];

pub(super) fn leavings() -> Plots {
    let mut plots = Plots::new();
    plots.extend(each(
        VersionComesBackAfter,
        &WAYS,
        "no_version_outlives_its_key_whichever_way_it_goes",
    ));
    plots.extend(each(
        VersionComesBackAfter,
        &WAYS,
        "a_numbered_version_does_not_come_back_with_its_value",
    ));
    plots.extend(each(DeadlineComesBackAfter, &WAYS, "keep_keeps_nothing_of_a_key_that_went"));
    plots.extend(each(
        CountComesBackAfter,
        &WAYS,
        "a_counter_that_went_starts_anew_whichever_way_it_goes",
    ));
    let renewals = [
        (Touch, Single),
        (Touch, Batch),
        (Set, Single),
        (Set, Many),
        (Set, Batch),
        (Swap, Single),
        (Replace, Batch),
    ];
    plots.extend(each(TimerStaysAfter, &renewals, "an_old_deadline_ends_nothing_that_came_later"));
    plots
}

pub(super) fn failures() -> Plots {
    let case = "a_condition_that_fails_changes_nothing";
    let sets = [(Create, Single), (Create, Batch), (Swap, Single), (Swap, Batch)];
    let deletes = [(DeleteVersion, Single), (DeleteVersion, Batch), (DeleteAbsent, Single)];
    let missing = [
        (Replace, Single),
        (Replace, Batch),
        (Swap, Single),
        (Swap, Batch),
        (DeletePresent, Single),
        (DeleteVersion, Batch),
    ];
    let mut plots: Plots = each(FailureGivesTheLifetime, &sets, case).collect();
    for slip in [FailureClearsTheLifetime, FailureMovesTheVersion] {
        plots.extend(each(slip, &sets, case));
        plots.extend(each(slip, &deletes, case));
    }
    plots.extend(each(FailureCreates, &missing, case));
    plots.extend(each(FailureCreates, &[(Touch, Single), (Touch, Batch), (Take, Batch)], case));
    let reads =
        [(Get, Single), (Get, Many), (Get, Batch), (Exists, Single), (Exists, Batch), (Ttl, Batch)];
    plots.extend(each(ReadRenews, &reads, "a_read_changes_nothing"));
    plots
}

pub(super) fn lifetimes() -> Plots {
    let sets = [
        (Set, Single),
        (Set, Many),
        (Set, Batch),
        (Replace, Single),
        (Replace, Batch),
        (Swap, Single),
        (Swap, Batch),
    ];
    let touches = [(Touch, Single), (Touch, Batch)];
    let gives = [&sets[..], &touches[..]].concat();
    let (given, kept) = (
        "every_verb_that_gives_a_lifetime_gives_it",
        "every_verb_that_keeps_a_lifetime_keeps_its_end",
    );
    let mut plots = Plots::new();
    plots.extend(each(ForgetsTheLifetime, &gives, given));
    plots.extend(each(RoundsDown, &gives, given));
    plots.extend(each(SameValueIsNoWrite, &sets, given));
    let makes = [(Create, Single), (Create, Batch), (Increment, Single), (Increment, Batch)];
    plots.extend(each(
        ForgetsTheLifetime,
        &makes,
        "every_verb_that_makes_a_key_gives_it_its_lifetime",
    ));
    plots.extend(each(NeverKeeps, &gives, "every_verb_that_clears_a_lifetime_clears_it"));
    plots.extend(each(KeepClears, &gives, kept));
    plots.extend(each(KeepBeginsAnew, &gives, kept));
    plots.extend([Single, Batch].map(|by| (CountingRenews(by), kept)));
    let clamps = "every_verb_clamps_a_huge_lifetime_and_refuses_none";
    plots.extend(each(HugeIsNever, &gives, clamps));
    plots.extend(each(ZeroPasses, &gives, clamps));
    let sees = [
        (Get, Batch),
        (Exists, Batch),
        (Ttl, Single),
        (Delete, Single),
        (DeletePresent, Batch),
        (DeleteVersion, Single),
        (DeleteVersion, Batch),
        (Take, Batch),
        (Touch, Batch),
        (Replace, Batch),
        (Swap, Single),
        (Swap, Batch),
        (Create, Batch),
        (Increment, Batch),
    ];
    plots.extend(each(SeesExpired, &sees, "an_expired_key_is_invisible_to_every_command"));
    plots
}

pub(super) fn counters() -> Plots {
    vec![
        (CountingRenews(Single), "a_counter_keeps_what_a_touch_gave_it"),
        (CountingRenews(Batch), "a_counter_keeps_what_a_touch_gave_it"),
        (TextCountsAsZero(Single), "a_refused_increment_leaves_lifetime_and_version"),
        (TextCountsAsZero(Batch), "an_error_of_what_is_stored_leaves_the_rest_of_a_batch"),
        (OverflowStays(Single), "an_increment_that_overflows_is_wrong_type_and_changes_nothing"),
        (OverflowStays(Batch), "a_refused_increment_leaves_lifetime_and_version"),
        (CountsInDoubles, "a_counter_is_created_with_any_number"),
        (CountsUndeclaredInTwoSteps, "what_is_not_declared_is_refused"),
        (LivesUndeclaredInIncrements, "what_is_not_declared_is_refused"),
    ]
}

pub(super) fn shapes() -> Plots {
    let mut plots = Plots::new();
    let changes = [
        TrimsTheEnd,
        TrimsTheStart,
        CutsAtNul,
        CutsAt(255),
        CutsAt(512),
        FoldsAscii,
        FoldsUnicode,
        ComposesAccents,
        ReadsNumbers,
        DropsMarks,
    ];
    for by in [Single, Many, Batch] {
        let keys = "a_key_of_any_shape_is_kept_apart_by_every_verb";
        plots.extend(changes.map(|change| (ChangesKeys(change, by), keys)));
        let values = [TrimsTheEnd, TrimsTheStart, CutsAtNul, ReadsNumbers, LosesBytes, DropsMarks];
        plots.extend(values.map(|change| {
            (ChangesValues(change, by), "a_value_of_any_shape_is_kept_by_every_verb")
        }));
    }
    plots
}

pub(super) fn walks() -> Plots {
    vec![
        (EndsAtAVanishedCursor, "a_scan_goes_on_where_its_last_keys_were_deleted"),
        (EndsAtAVanishedCursor, "a_scan_goes_on_where_its_last_keys_expired"),
        (CursorIsAPosition, "a_scan_goes_on_where_its_last_keys_were_deleted"),
        (EndsAtAnEmptyPage, "a_scan_goes_on_behind_pages_without_a_match"),
        (EndsAtAnEmptyPage, "a_scan_goes_on_behind_pages_of_expired_keys"),
        (EndsAtExpiredKeys, "a_scan_goes_on_behind_pages_of_expired_keys"),
        (WalksInOrderOfWrites, "a_scan_ends_although_its_keys_are_written_again"),
        (CursorOfTheStore, "walks_at_once_do_not_disturb_each_other"),
        (CursorIsUsedUp, "a_page_that_is_asked_for_again_loses_no_key"),
        (CursorFoldsCase, "a_scan_by_one_shows_keys_of_every_shape"),
        (LimitOfBits(8), "a_scan_takes_limits_of_any_width"),
        (LimitOfBits(16), "a_scan_takes_limits_of_any_width"),
        (LimitOfBits(31), "a_scan_takes_limits_of_any_width"),
        (LimitOfBits(32), "a_scan_takes_limits_of_any_width"),
        (LikeWildcards, "a_scan_reads_patterns_as_redis_does"),
        (LikeFoldsAscii, "a_scan_reads_patterns_as_redis_does"),
        (PatternFoldsUnicode, "a_scan_reads_patterns_as_redis_does"),
        (RangeOfAscii, "a_scan_reads_patterns_as_redis_does"),
        (FirstPageAlone, "a_scan_goes_on_behind_pages_without_a_match"),
    ]
}

pub(super) fn sizes() -> Plots {
    let thousand = "a_thousand_keys_are_set_read_and_deleted_at_once";
    let more = "tens_of_thousands_of_keys_are_set_read_and_deleted_at_once";
    vec![
        (ManyAreCut(Many, 999), thousand),
        (ManyFail(Many, 999), thousand),
        (ManyFail(Many, 1_000), thousand),
        (ManyFail(Many, 32_766), more),
        (ManyAreCut(Many, 32_766), more),
        (ManyFail(Batch, 4_096), "a_batch_takes_any_number_of_commands"),
        (ManyAreCut(Batch, 10_000), "a_batch_takes_any_number_of_commands"),
        (LargeFail(1 << 20), "a_value_beyond_a_mebibyte_is_kept_by_every_verb"),
        (LargeAreCut(1 << 20), "a_value_beyond_a_mebibyte_is_kept_by_every_verb"),
        (LargeFail(8 << 20), "a_value_of_sixteen_mebibytes_is_kept"),
        (LargeAreCut((16 << 20) - 1), "a_value_of_sixteen_mebibytes_is_kept"),
        (ReadsSorted, thousand),
        (ReadsEachOnce, thousand),
        (CountsWhatWasAsked, thousand),
    ]
}

pub(super) fn ends() -> Plots {
    let case = "a_closed_store_refuses_every_verb_by_every_route";
    let singles =
        [Get, Exists, Ttl, Set, Delete, Take, Touch, Increment].map(|kind| (kind, Single));
    let batches = [Get, Exists, Ttl, Set, Delete, Take, Touch, Increment].map(|kind| (kind, Batch));
    let many = [Get, Set, Delete].map(|kind| (kind, Many));
    let mut plots: Plots = each(AnswersWhenClosed, &singles, case).collect();
    plots.extend(each(AnswersWhenClosed, &batches, case));
    plots.extend(each(AnswersWhenClosed, &many, case));
    plots.extend([
        (FiguresWhenClosed, case),
        (PingsWhenClosed, case),
        (AtHandWhenClosed, case),
        (TimeWhenClosed, "a_closed_store_tells_no_time"),
        (ScansWhenClosed, "a_walk_under_way_ends_with_its_store"),
        (GoesOnScanningWhenClosed, "a_walk_under_way_ends_with_its_store"),
        (QueuesWhenClosed, "a_closed_store_runs_no_queue"),
        (RefusesWhenClosedAsMaybe, "a_write_after_close_is_not_done"),
        (EndsUnderRunningCalls, "a_close_beside_running_calls_is_told_as_one"),
    ]);
    plots
}

pub(super) fn told() -> Plots {
    let mut plots = Plots::new();
    let shows = "no_error_of_a_verb_shows_a_value";
    let refused = [
        (Set, Single),
        (Set, Many),
        (Set, Batch),
        (Touch, Single),
        (Increment, Single),
        (Increment, Batch),
    ];
    for place in [Place::Message, Place::Source, Place::SourceAsBytes] {
        plots.extend(refused.map(|(kind, by)| (ShowsAValue(place, kind, by), shows)));
    }
    let maybe = [
        (Set, Single),
        (Set, Batch),
        (Increment, Single),
        (Increment, Batch),
        (Touch, Single),
        (Touch, Batch),
    ];
    plots.extend(each(SaysMaybe, &maybe, "a_refused_call_says_that_nothing_was_applied"));
    plots.extend([
        (ShowsAValueInAScan, "no_error_of_the_store_shows_a_value"),
        (FiguresCountWrites, "figures_follow_every_write"),
        (FiguresOfEachHandle, "figures_follow_every_write"),
        (HitsStand, "figures_tell_hits_from_misses"),
        (TimeSinceTheStart, "the_stores_clock_tells_the_date"),
        (TimeInSeconds, "the_stores_clock_tells_the_date"),
        (DurableInSilence, "durability_is_declared_or_refused"),
        (DurableForgets, "durability_is_declared_or_refused"),
        (DurableIgnoresConditions, "durability_is_declared_or_refused"),
        (BatchReadsFirst, "a_batch_reads_what_it_wrote"),
        (BatchRollsBack, "an_error_of_what_is_stored_leaves_the_rest_of_a_batch"),
        (BatchStopsAtAnError, "an_error_of_what_is_stored_leaves_the_rest_of_a_batch"),
    ]);
    plots
}
