//! `ci`: every check but the tests, then a table of them.

use std::time::{Duration, Instant};

use crate::{Outcome, VERBS};

/// A check that was run: its name, how long it took, and what it came to.
type Row = (&'static str, Duration, Outcome);

pub(crate) fn run() -> Outcome {
    let mut rows: Vec<Row> = Vec::new();
    for verb in VERBS.iter().filter(|verb| verb.in_ci) {
        println!("\n== {}: {}", verb.name, verb.about);
        let (took, outcome) = timed(|| verb.run(&[]));
        if let Err(why) = &outcome {
            println!("FAILED: {why}");
        }
        rows.push((verb.name, took, outcome));
    }
    print!("\n{}", table(&rows));
    verdict(&rows)
}

#[expect(clippy::disallowed_methods, reason = "the table tells real time; nothing depends on it")]
fn timed(run: impl FnOnce() -> Outcome) -> (Duration, Outcome) {
    let start = Instant::now();
    let outcome = run();
    (start.elapsed(), outcome)
}

fn table(rows: &[Row]) -> String {
    let mut text = String::new();
    for (name, took, outcome) in rows {
        let word = if outcome.is_ok() { "ok" } else { "FAILED" };
        text.push_str(&format!("{name:<10} {word:<6} {:>7.1} s\n", took.as_secs_f64()));
    }
    text
}

fn verdict(rows: &[Row]) -> Outcome {
    let failed: Vec<&str> =
        rows.iter().filter(|(_, _, outcome)| outcome.is_err()).map(|(name, ..)| *name).collect();
    if failed.is_empty() { Ok(()) } else { Err(format!("failed: {}", failed.join(", "))) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_failed_check_fails_the_whole_and_is_named() {
        let rows: Vec<Row> = vec![
            ("fmt", Duration::from_millis(1500), Ok(())),
            ("lint", Duration::ZERO, Err("1 finding".to_owned())),
        ];
        assert_eq!(verdict(&rows), Err("failed: lint".to_owned()));
        assert_eq!(verdict(&rows[..1]), Ok(()));
    }

    #[test]
    fn the_table_has_a_line_with_the_time_for_each_check() {
        let rows: Vec<Row> = vec![("fmt", Duration::from_millis(1500), Ok(()))];
        assert_eq!(table(&rows), "fmt        ok         1.5 s\n");
    }
}
