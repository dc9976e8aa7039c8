//! Contests and targets as tables of Markdown.

use std::collections::BTreeSet;

use crate::model::{Bound, Contest, Entry, Target, Tier};
use crate::statistics::{median, spread};

/// A heading, the contest's table, and who is in it.
pub(super) fn contest(contest: &Contest, heading: &str) -> String {
    let Contest { name, about, .. } = contest;
    let mut text = format!("{heading} {name}\n\n{about}\n\n");
    text += &figures(contest);
    text.push('\n');
    for Entry { name, about, .. } in &contest.entries {
        text += &format!("- {name}: {about}\n");
    }
    let judged = judge(contest);
    if !judged.is_empty() {
        text += "\n| target | measured | |\n| --- | ---: | --- |\n";
        for one in judged {
            text += &format!("| {} | {} | {} |\n", one.what, one.measured(), one.verdict());
        }
    }
    text
}

fn figures(contest: &Contest) -> String {
    let entries = &contest.entries;
    let floor = contest.floor.as_deref().and_then(|name| contest.entry(name));
    let has_tiers = entries.iter().any(|entry| entry.tier != Tier::Plain);
    let main = |entry: &Entry| entry.figures(&contest.figure);
    let mut columns: Vec<(&str, Vec<String>)> =
        vec![("", entries.iter().map(|entry| entry.name.clone()).collect())];
    if has_tiers {
        let tiers = entries.iter().map(|entry| entry.tier.name().to_owned());
        columns.push(("tier", tiers.collect()));
    }
    let numbers = columns.len();
    columns.push((&contest.figure, column(entries, |entry| median(&main(entry)))));
    if let Some(floor) = floor {
        let ratio = |entry: &Entry| median(&entry.ratios(floor, &contest.figure));
        columns.push(("to the floor", column(entries, ratio)));
    }
    let percent = |entry: &Entry| spread(&main(entry)).map(|spread| 100.0 * spread);
    columns.push(("spread, %", column(entries, percent)));
    let names = entries.iter().flat_map(|entry| &entry.samples).flat_map(|sample| sample.keys());
    let names: BTreeSet<&str> = names.map(String::as_str).collect();
    for name in names.into_iter().filter(|name| *name != contest.figure) {
        columns.push((name, column(entries, |entry| median(&entry.figures(name)))));
    }
    let heads: Vec<&str> = columns.iter().map(|(head, _)| *head).collect();
    let mut rules = vec!["---"; numbers];
    rules.resize(columns.len(), "---:");
    let mut text = row(&heads) + &row(&rules);
    for at in 0..entries.len() {
        let cells = columns.iter().filter_map(|(_, cells)| cells.get(at));
        text += &row(&cells.collect::<Vec<_>>());
    }
    text
}

fn column(entries: &[Entry], figure: impl Fn(&Entry) -> Option<f64>) -> Vec<String> {
    entries.iter().map(|entry| shown(figure(entry))).collect()
}

fn row(cells: &[impl AsRef<str>]) -> String {
    let cells: Vec<&str> = cells.iter().map(AsRef::as_ref).collect();
    format!("| {} |\n", cells.join(" | "))
}

/// A target and what was measured.
pub(super) struct Judged {
    /// The target in words.
    pub(super) what: String,
    bound: Bound,
    figure: Option<f64>,
}

impl Judged {
    pub(super) fn is_met(&self) -> bool {
        match (self.figure, self.bound) {
            (None, _) => false,
            (Some(figure), Bound::AtLeast(least)) => figure >= least,
            (Some(figure), Bound::AtMost(most)) => figure <= most,
        }
    }

    pub(super) fn measured(&self) -> String {
        shown(self.figure)
    }

    pub(super) fn verdict(&self) -> &'static str {
        if self.is_met() { "met" } else { "**not met**" }
    }
}

/// The targets of a contest.
pub(super) fn judge(contest: &Contest) -> Vec<Judged> {
    contest.targets.iter().map(|target| one(contest, target)).collect()
}

fn one(contest: &Contest, target: &Target) -> Judged {
    let Target { entry, figure, bound, of } = target;
    let (side, number) = match bound {
        Bound::AtLeast(number) => ("at least", number),
        Bound::AtMost(number) => ("at most", number),
    };
    let own = contest.entry(entry);
    let (what, values) = match of {
        None => {
            let what = format!("{entry}: {side} {} {figure}", shown(Some(*number)));
            (what, own.map(|own| own.figures(figure)))
        }
        Some(of) => {
            let what = format!("{entry}: {side} {number} times the {figure} of {of}");
            (what, own.zip(contest.entry(of)).map(|(own, of)| own.ratios(of, figure)))
        }
    };
    Judged { what, bound: *bound, figure: values.and_then(|values| median(&values)) }
}

/// A figure with as many digits as say something.
fn shown(figure: Option<f64>) -> String {
    match figure {
        None => String::new(),
        Some(figure) if figure.abs() >= 99.95 => grouped(&format!("{figure:.0}")),
        Some(figure) if figure.abs() >= 9.995 => format!("{figure:.1}"),
        Some(figure) => format!("{figure:.2}"),
    }
}

/// Digits in groups of three.
fn grouped(digits: &str) -> String {
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        let left = digits.len() - at;
        if at > 0 && left.is_multiple_of(3) && !text.ends_with('-') {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Sample, Tier};

    fn entry(name: &str, figures: &[f64]) -> Entry {
        let sample = |figure: &f64| Sample::from([("jobs/s".to_owned(), *figure)]);
        let samples = figures.iter().map(sample).collect();
        Entry { name: name.to_owned(), tier: Tier::CrashSafe, about: "does".to_owned(), samples }
    }

    fn held(bound: f64) -> Contest {
        Contest {
            scenario: "process".to_owned(),
            name: "process".to_owned(),
            about: "About.".to_owned(),
            figure: "jobs/s".to_owned(),
            floor: Some("floor".to_owned()),
            entries: vec![entry("floor", &[2_000.0, 1_000.0]), entry("ours", &[1_000.0, 600.0])],
            targets: vec![Target::at_least(bound, "ours", "floor", "jobs/s")],
        }
    }

    #[test]
    fn a_ratio_is_the_median_of_the_rounds_ratios() {
        let text = contest(&held(0.5), "##");
        let row = "| ours | crash-safe | 800 | 0.55 | 50.0 |";
        assert!(text.contains(row), "{text}");
        assert!(text.contains("| floor | crash-safe | 1,500 | 1.00 |"), "{text}");
    }

    #[test]
    fn a_target_is_met_at_its_bound_and_not_below() {
        let verdict = |bound| judge(&held(bound)).first().map(Judged::verdict);
        assert_eq!(verdict(0.55), Some("met"));
        assert_eq!(verdict(0.56), Some("**not met**"));
    }

    #[test]
    fn a_target_whose_entry_is_missing_is_not_met() {
        let mut contest = held(0.5);
        contest.entries.pop();
        assert!(judge(&contest).iter().all(|one| !one.is_met()));
    }

    #[test]
    fn figures_have_about_three_digits_and_groups() {
        let cases = [(1_234_567.0, "1,234,567"), (99.96, "100"), (12.34, "12.3"), (0.5, "0.50")];
        for (figure, text) in cases {
            assert_eq!(shown(Some(figure)), text);
        }
        assert_eq!(grouped("-100000"), "-100,000");
    }
}
