//! Rules on text of any kind.

use crate::tree::Tree;

const REQUIRED: [&str; 6] = [
    "README.md",
    "CHANGELOG.md",
    "LICENSE-MIT",
    "LICENSE-APACHE",
    "deny.toml",
    "docs/ARCHITECTURE.md",
];

// In pieces, so that this file does not break the rules it states.
const FOREIGN: [&str; 5] = [
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/wo", "rk/"),
    concat!("/Us", "ers/"),
    concat!("Co-Auth", "ored-By"),
];

/// Nothing in the repository names one machine or one person's tools.
pub(super) fn nothing_foreign(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.files() {
        for (number, line) in (1..).zip(text.lines()) {
            let told = FOREIGN.iter().filter(|word| stands_alone(line, word));
            found.extend(told.map(|word| format!("{path}:{number}: must not contain `{word}`")));
        }
    }
    found
}

/// Whether the line contains the word, not as the continuation of a longer path or address.
fn stands_alone(line: &str, word: &str) -> bool {
    let before = |at: usize| line.get(..at).and_then(|head| head.chars().next_back());
    let joins = |c: char| c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '}');
    line.match_indices(word).any(|(at, _)| !before(at).is_some_and(joins))
}

pub(super) fn required_files_exist(tree: &Tree) -> Vec<String> {
    let missing = REQUIRED.iter().filter(|path| tree.get(path).is_none());
    missing.map(|path| format!("{path}: is missing")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_of_one_machine_or_a_foreign_word_is_found() {
        for word in FOREIGN {
            let tree = Tree::of(&[("docs/A.md", &format!("see `{word}x`"))]);
            assert_eq!(nothing_foreign(&tree), [format!("docs/A.md:1: must not contain `{word}`")]);
        }
    }

    #[test]
    fn a_longer_path_or_address_is_no_path_of_one_machine() {
        let address = format!("https://example.test{}x", FOREIGN[2]);
        assert_eq!(nothing_foreign(&Tree::of(&[("docs/A.md", &address)])), [""; 0]);
    }

    #[test]
    fn a_required_file_that_is_missing_is_found() {
        let tree = Tree::of(&REQUIRED.map(|path| (path, "")));
        assert_eq!(required_files_exist(&tree), [""; 0]);
        let tree = Tree::of(&[]);
        assert!(required_files_exist(&tree).contains(&"CHANGELOG.md: is missing".to_owned()));
    }
}
