//! One word for one thing: words that were given up for the field's stay out.

use crate::tree::Tree;

/// A word that is not used, and the field's word for the same thing.
const GIVEN_UP: &[(&str, &str)] = &[
    ("lane", "session, or listener"),
    ("lanes", "sessions, or listeners"),
    ("tend", "maintain"),
    ("tends", "maintains"),
    ("tended", "maintained"),
    ("heat", "may have work"),
    ("poke", "wake"),
    ("scout", "claim"),
    ("futile", "empty"),
    ("crew", "slots"),
    ("dial", "connector"),
];

/// Names that are stored, so that they cannot change without a new format.
const STORED: &[&str] = &[
    "\"lane:",
    "'lane:",
    "\"lanes\"",
    "'lanes'",
    "lanes INTEGER",
    "lane_place",
    "lanes, ",
    "lanes_place",
];

/// They tell what a word was before.
const EXEMPT: &[&str] = &[
    "CHANGELOG.md",
    "docs/decisions/0028-the-fields-words-and-a-list-of-queues.md",
    "xtask/src/tidy/words.rs",
];

pub(super) fn no_word_is_used_that_was_given_up(tree: &Tree) -> Vec<String> {
    let is_text = |path: &str| [".rs", ".lua", ".md"].iter().any(|end| path.ends_with(end));
    let files = tree.files().filter(|(path, _)| is_text(path) && !EXEMPT.contains(path));
    files.flat_map(|(path, text)| findings(path, text)).collect()
}

fn findings(path: &str, text: &str) -> Vec<String> {
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| STORED.iter().all(|name| !line.contains(name)));
    let found = lines.flat_map(|(number, line)| {
        let given_up = words(line)
            .filter_map(|word| GIVEN_UP.iter().find(|(old, _)| word.eq_ignore_ascii_case(old)));
        given_up.map(move |(old, new)| format!("{path}:{}: `{old}`; say {new}", number + 1))
    });
    found.collect()
}

/// The words of a line: of prose, of `snake_case`, and of `CamelCase`.
fn words(line: &str) -> impl Iterator<Item = &str> {
    line.split(|c: char| !c.is_ascii_alphabetic()).flat_map(|name| {
        let is_start = |at: usize| {
            let bytes = name.as_bytes();
            at > 0 && bytes[at].is_ascii_uppercase() && bytes[at - 1].is_ascii_lowercase()
        };
        let mut starts: Vec<usize> = (0..name.len()).filter(|at| is_start(*at)).collect();
        starts.push(name.len());
        let begins = std::iter::once(0).chain(starts.clone());
        begins.zip(starts).map(|(from, to)| &name[from..to]).collect::<Vec<_>>()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> usize {
        no_word_is_used_that_was_given_up(&Tree::of(&[("a.rs", text)])).len()
    }

    #[test]
    fn a_word_that_was_given_up_is_found_in_prose_and_in_names() {
        for text in ["// A Lane is", "fn take_lane()", "struct LaneReply;", "const LANE_SLACK"] {
            assert_eq!(found(text), 1, "{text}");
        }
    }

    #[test]
    fn other_words_and_stored_names_are_fine() {
        assert_eq!(found("// an extended plane\nlet name = \"lane:\";"), 0);
        assert!(
            no_word_is_used_that_was_given_up(&Tree::of(&[("CHANGELOG.md", "lane")])).is_empty()
        );
    }
}
