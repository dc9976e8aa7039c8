//! `help`: the list of verbs.

use crate::{Outcome, VERBS};

pub(crate) fn run() -> Outcome {
    println!("cargo xtask VERB\n");
    for verb in VERBS {
        println!("  {:<10} {}", verb.name, verb.about);
    }
    Ok(())
}

/// The message for a verb that does not exist.
pub(crate) fn unknown(name: &str) -> String {
    let near = VERBS.iter().min_by_key(|verb| distance(name, verb.name));
    match near.filter(|verb| distance(name, verb.name) <= 2) {
        Some(verb) => format!("no verb is called `{name}`; did you mean `{}`?", verb.name),
        None => format!("no verb is called `{name}`; `cargo xtask help` lists them"),
    }
}

/// Levenshtein's distance: how many edits of one character lead from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let mut row: Vec<usize> = (0..=b.chars().count()).collect();
    for (i, x) in a.chars().enumerate() {
        let mut next = vec![i + 1];
        for (j, y) in b.chars().enumerate() {
            let replaced = row[j] + usize::from(x != y);
            next.push(replaced.min(row[j + 1] + 1).min(next[j] + 1));
        }
        row = next;
    }
    row[b.chars().count()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_distance_counts_insertions_deletions_and_replacements() {
        assert_eq!(distance("tidy", "tidy"), 0);
        assert_eq!(distance("tdy", "tidy"), 1);
        assert_eq!(distance("tidyy", "tidy"), 1);
        assert_eq!(distance("tody", "tidy"), 1);
        assert_eq!(distance("", "ci"), 2);
    }

    #[test]
    fn a_far_name_is_answered_with_the_list_instead_of_a_guess() {
        assert!(unknown("frobnicate").contains("cargo xtask help"));
    }
}
