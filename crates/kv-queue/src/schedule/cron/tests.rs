//! The times of expressions, above all when clocks change.

use jiff::Zoned;
use jiff::tz::TimeZone;

use super::*;

/// The times of an expression in a zone, from a local time on, as `MM-DD HH:MM±offset`.
fn times(expression: &str, zone: &str, from: &str, count: usize) -> Vec<String> {
    let cron = Cron::new(expression, zone).unwrap();
    let from: Zoned = format!("{from}[{zone}]").parse().unwrap();
    let mut at = UNIX_EPOCH + Duration::from_secs(from.timestamp().as_second().unsigned_abs());
    let next = || {
        at = cron.next_after(at)?;
        let second = at.duration_since(UNIX_EPOCH).ok()?.as_secs();
        let moment = Timestamp::from_second(i64::try_from(second).ok()?).ok()?;
        Some(moment.to_zoned(TimeZone::get(zone).ok()?).strftime("%m-%d %H:%M%:z").to_string())
    };
    std::iter::from_fn(next).take(count).collect()
}

// In London clocks go forward on 2026-03-29 from 01:00 to 02:00, and back on 2026-10-25 from 02:00
// to 01:00.

#[test]
fn a_time_of_the_day_that_clocks_skip_comes_at_the_end_of_the_skipped_hour() {
    assert_eq!(
        times("30 1 * * *", "Europe/London", "2026-03-28T00:00", 3),
        ["03-28 01:30+00:00", "03-29 02:00+01:00", "03-30 01:30+01:00"]
    );
}

#[test]
fn several_times_of_the_day_that_clocks_skip_come_once_together() {
    assert_eq!(
        times("10,30,50 1 * * *", "Europe/London", "2026-03-28T01:40", 3),
        ["03-28 01:50+00:00", "03-29 02:00+01:00", "03-30 01:10+01:00"]
    );
}

#[test]
fn a_time_of_the_day_that_comes_twice_comes_the_first_time_only() {
    assert_eq!(
        times("30 1 * * *", "Europe/London", "2026-10-24T12:00", 2),
        ["10-25 01:30+01:00", "10-26 01:30+00:00"]
    );
}

#[test]
fn a_list_of_hours_fires_once_in_the_hour_that_comes_twice() {
    assert_eq!(
        times("0 1,3 * * *", "Europe/London", "2026-10-25T00:00", 3),
        ["10-25 01:00+01:00", "10-25 03:00+00:00", "10-26 01:00+00:00"]
    );
}

#[test]
fn a_range_of_hours_over_the_skipped_one_comes_once_an_hour() {
    assert_eq!(
        times("0 0-3 * * *", "Europe/London", "2026-03-28T23:00", 4),
        ["03-29 00:00+00:00", "03-29 02:00+01:00", "03-29 03:00+01:00", "03-30 00:00+01:00"]
    );
}

#[test]
fn a_time_of_every_hour_follows_the_clock_through_both_changes() {
    assert_eq!(
        times("15 * * * *", "Europe/London", "2026-03-29T00:00", 2),
        ["03-29 00:15+00:00", "03-29 02:15+01:00"]
    );
    assert_eq!(
        times("15 * * * *", "Europe/London", "2026-10-25T00:30", 3),
        ["10-25 01:15+01:00", "10-25 01:15+00:00", "10-25 02:15+00:00"]
    );
}

#[test]
fn every_twenty_minutes_follows_the_clock_through_both_changes() {
    assert_eq!(
        times("*/20 1 * * *", "Europe/London", "2026-03-28T01:39", 2),
        ["03-28 01:40+00:00", "03-30 01:00+01:00"]
    );
    assert_eq!(
        times("*/30 1 * * *", "Europe/London", "2026-10-25T00:30", 5),
        [
            "10-25 01:00+01:00",
            "10-25 01:30+01:00",
            "10-25 01:00+00:00",
            "10-25 01:30+00:00",
            "10-26 01:00+00:00"
        ]
    );
}

#[test]
fn a_change_by_half_an_hour_is_a_change() {
    // On Lord Howe Island clocks go from 02:00 to 02:30 on 2026-10-04, and back on 2026-04-05.
    let zone = "Australia/Lord_Howe";
    assert_eq!(
        times("15 2 * * *", zone, "2026-10-03T12:00", 2),
        ["10-04 02:30+11:00", "10-05 02:15+11:00"]
    );
    assert_eq!(
        times("45 1 * * *", zone, "2026-04-04T12:00", 2),
        ["04-05 01:45+11:00", "04-06 01:45+10:30"]
    );
}

#[test]
fn days_are_those_of_cron() {
    assert_eq!(
        times("0 0 13 * 5", "UTC", "2026-11-09T00:00", 3),
        ["11-13 00:00+00:00", "11-20 00:00+00:00", "11-27 00:00+00:00"],
        "either day"
    );
    let sundays = ["11-15 00:00+00:00", "11-22 00:00+00:00"];
    for sunday in ["0 0 * * 7", "0 0 * * 0", "0 0 * * SUN", "@weekly"] {
        assert_eq!(times(sunday, "UTC", "2026-11-09T00:00", 2), sundays, "{sunday}");
    }
    assert_eq!(times("0 0 29 2 *", "UTC", "2026-11-09T00:00", 1), ["02-29 00:00+00:00"]);
}

#[test]
fn a_fraction_of_a_second_skips_and_repeats_no_time() {
    let cron = Cron::new("* * * * * *", "UTC").unwrap();
    let at = |millis| UNIX_EPOCH + Duration::from_millis(millis);
    for (after, next) in [(9_000, 10_000), (9_001, 10_000), (9_999, 10_000), (10_000, 11_000)] {
        assert_eq!(cron.next_after(at(after)), Some(at(next)));
    }
}

#[test]
fn what_is_wrong_is_an_error_that_says_what_was_expected() {
    let long = "1,".repeat(200);
    for (expression, zone, expected) in [
        ("", "UTC", "is no cron expression"),
        ("* * * *", "UTC", "expected one such as `30 2 * * *`"),
        ("60 * * * *", "UTC", "is no cron expression"),
        ("0 0 30 2 *", "UTC", "is never true"),
        (&*long, "UTC", "of 400 bytes; expected at most 256"),
        ("0 0 * * *", "Europe/Atlantis", "expected one such as `Europe/London`"),
        ("0 0 * * *", "", "is no time zone"),
        ("0 0 * * *", &*long, "a time zone of 400 bytes"),
    ] {
        let error = Cron::new(expression, zone).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        assert!(error.to_string().contains(expected), "{expression} {zone}: {error}");
    }
}

#[test]
fn random_expressions_rise_and_end() {
    let seed = fastrand::u64(..);
    let mut rng = fastrand::Rng::with_seed(seed);
    for _ in 0..300 {
        let field = |rng: &mut fastrand::Rng, most: u8| match rng.u8(..4) {
            0 => "*".to_owned(),
            1 => format!("*/{}", rng.u8(1..=most)),
            2 => format!("{},{}", rng.u8(..=most), rng.u8(..=most)),
            _ => rng.u8(..=most).to_string(),
        };
        let expression = format!("{} {} * * *", field(&mut rng, 59), field(&mut rng, 23));
        let zones = ["Europe/London", "America/New_York", "Australia/Lord_Howe", "Asia/Kolkata"];
        let cron = Cron::new(&expression, zones[rng.usize(..4)]).unwrap();
        let mut at = UNIX_EPOCH + Duration::from_secs(rng.u64(1_700_000_000..2_000_000_000));
        for _ in 0..100 {
            let next = cron.next_after(at).unwrap();
            assert!(next > at, "seed {seed}: {cron} after {at:?}");
            assert!(next <= at + Duration::from_secs(90_000), "seed {seed}: {cron} after {at:?}");
            at = next;
        }
    }
}
