//! The slips of a store that is written like one on a database, a verb and a route at a time.

use kv_core::{Command, Condition};

/// The method that a verb came by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum By {
    Single,
    Many,
    Batch,
}

/// A verb with its condition, each of which is a statement of its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Get,
    Exists,
    Ttl,
    Set,
    Create,
    Replace,
    Swap,
    Delete,
    DeletePresent,
    DeleteVersion,
    DeleteAbsent,
    Take,
    Touch,
    Increment,
}

impl Kind {
    pub(crate) fn of(command: &Command) -> Self {
        match command {
            Command::Get { .. } => Self::Get,
            Command::Exists { .. } => Self::Exists,
            Command::Ttl { .. } => Self::Ttl,
            Command::Set { write, .. } => match write.condition {
                Condition::Always => Self::Set,
                Condition::Absent => Self::Create,
                Condition::Present => Self::Replace,
                Condition::Version(_) => Self::Swap,
            },
            Command::Delete { condition, .. } => match condition {
                Condition::Always => Self::Delete,
                Condition::Absent => Self::DeleteAbsent,
                Condition::Present => Self::DeletePresent,
                Condition::Version(_) => Self::DeleteVersion,
            },
            Command::Take { .. } => Self::Take,
            Command::Touch { .. } => Self::Touch,
            _ => Self::Increment,
        }
    }
}

/// How a text comes back as another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change {
    TrimsTheEnd,
    TrimsTheStart,
    CutsAtNul,
    CutsAt(usize),
    FoldsAscii,
    FoldsUnicode,
    ComposesAccents,
    ReadsNumbers,
    LosesBytes,
    DropsMarks,
}

/// Where an error shows a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    Message,
    Source,
    SourceAsBytes,
}

/// One slip, mostly of one verb by one route.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Slip {
    // What others can come in between.
    InTwoSteps(Kind, By),
    LockedInOneHandle(Kind, By),
    DeletesThenInserts(Kind, By),
    ValueThenLifetime(Kind, By),
    ValueThenVersion(Kind, By),
    DroppedHoldsTheLock(Kind, By),
    // What another handle sees.
    CacheMisses(Kind, By),
    FastPathMisses(Kind, By),
    FastPathOutlives,
    ExistsFromCache,
    DropCloses,
    // Versions.
    VersionComesBackAfter(Kind, By),
    VersionIsHighestPlusOne,
    VersionOfEachHandle,
    VersionOfEachKey,
    VersionIsAHash,
    VersionIsTheLength,
    VersionStays(Kind, By),
    ReadsAnotherVersion(By),
    TakesAnotherVersion,
    TellsAnotherVersion(By),
    FastPathTellsAnotherVersion,
    ComparesValues(Change),
    AnyKeyOfTheStore,
    ReadRenews(Kind, By),
    // What is left of a key.
    DeadlineComesBackAfter(Kind, By),
    CountComesBackAfter(Kind, By),
    TimerStaysAfter(Kind, By),
    // Conditions that fail.
    FailureGivesTheLifetime(Kind, By),
    FailureClearsTheLifetime(Kind, By),
    FailureMovesTheVersion(Kind, By),
    FailureCreates(Kind, By),
    // Lifetimes.
    ForgetsTheLifetime(Kind, By),
    NeverKeeps(Kind, By),
    KeepClears(Kind, By),
    KeepBeginsAnew(Kind, By),
    RoundsDown(Kind, By),
    HugeIsNever(Kind, By),
    ZeroPasses(Kind, By),
    SeesExpired(Kind, By),
    CountingRenews(By),
    // Counters.
    TextCountsAsZero(By),
    OverflowStays(By),
    CountsInDoubles,
    // Keys and values.
    ChangesKeys(Change, By),
    ChangesValues(Change, By),
    // Walks.
    EndsAtAVanishedCursor,
    EndsAtAnEmptyPage,
    EndsAtExpiredKeys,
    CursorIsAPosition,
    CursorOfTheStore,
    CursorIsUsedUp,
    CursorFoldsCase,
    LimitOfBits(u32),
    LikeWildcards,
    LikeFoldsAscii,
    PatternFoldsUnicode,
    RangeOfAscii,
    FirstPageAlone,
    WalksInOrderOfWrites,
    // Sizes.
    ManyAreCut(By, usize),
    ManyFail(By, usize),
    LargeFail(usize),
    LargeAreCut(usize),
    ReadsSorted,
    ReadsEachOnce,
    CountsWhatWasAsked,
    CountsBeforeItDeletes,
    // The end.
    AnswersWhenClosed(Kind, By),
    ScansWhenClosed,
    GoesOnScanningWhenClosed,
    FiguresWhenClosed,
    PingsWhenClosed,
    TimeWhenClosed,
    AtHandWhenClosed,
    QueuesWhenClosed,
    RefusesWhenClosedAsMaybe,
    EndsUnderRunningCalls,
    SameValueIsNoWrite(Kind, By),
    // What is told.
    ShowsAValue(Place, Kind, By),
    ShowsAValueInAScan,
    SaysMaybe(Kind, By),
    FiguresCountWrites,
    FiguresOfEachHandle,
    HitsStand,
    TimeSinceTheStart,
    TimeInSeconds,
    // What is not declared.
    DurableInSilence,
    DurableForgets,
    DurableIgnoresConditions,
    CountsUndeclaredInTwoSteps,
    LivesUndeclaredInIncrements,
    // Batches.
    BatchReadsFirst,
    BatchRollsBack,
    BatchStopsAtAnError,
}
