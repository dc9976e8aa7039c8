//! `generated` and `generate`: documents that are written from the code.

mod modules;

use std::fs;

use crate::tree::Tree;
use crate::{Outcome, shell};

/// A path, and what writes the text that belongs there.
type Document = (&'static str, fn() -> Result<String, String>);

const DOCUMENTS: &[Document] = &[
    ("docs/CONFIGURATION.md", || print("kv-config", "configuration_reference")),
    (modules::PAGE, || modules::page(&Tree::load()?)),
];

/// Compares each document with what belongs there.
pub(crate) fn run() -> Outcome {
    let mut stale = Vec::new();
    for (path, text) in DOCUMENTS {
        let expected = text()?;
        let actual = fs::read_to_string(shell::root().join(path)).unwrap_or_default();
        if let Some(number) = first_difference(&expected, &actual) {
            stale.push(format!("{path}:{number}: out of date; `cargo xtask generate` writes it"));
        }
    }
    shell::report(&stale)
}

/// Writes each document.
pub(crate) fn generate() -> Outcome {
    for (path, text) in DOCUMENTS {
        fs::write(shell::root().join(path), text()?).map_err(|why| format!("{path}: {why}"))?;
        println!("{path}: written");
    }
    Ok(())
}

/// What an example of a package prints.
fn print(package: &str, example: &str) -> Result<String, String> {
    // What is documented does not depend on features, and without them there is less to compile.
    let line = ["run", "--quiet", "--no-default-features", "--package", package];
    shell::cargo_output(&[line.as_slice(), &["--example", example]].concat())
}

/// The number of the first line in which two texts differ, counted from 1.
fn first_difference(expected: &str, actual: &str) -> Option<usize> {
    if expected == actual {
        return None;
    }
    let same = expected.lines().zip(actual.lines()).take_while(|(a, b)| a == b).count();
    Some(same + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_line_that_differs_is_told_also_past_the_end() {
        assert_eq!(first_difference("a\nb\n", "a\nb\n"), None);
        assert_eq!(first_difference("a\nb\n", "a\nc\n"), Some(2));
        assert_eq!(first_difference("a\nb\n", "a\n"), Some(2));
        assert_eq!(first_difference("a\n", "a"), Some(2));
        assert_eq!(first_difference("a\n", ""), Some(1));
    }
}
