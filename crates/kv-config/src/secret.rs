//! A secret that is set, or that a file holds.

use std::path::PathBuf;

use crate::key::Key;
use crate::problem::Problems;
use crate::source::file;
use crate::values::Values;

/// The secret that is set, or else the text of the file that is named; nothing where neither is, or
/// where a problem was told. `what` is what the file should hold, as in "the password".
pub(crate) fn read(
    (secret, file): (&Key<String>, &Key<PathBuf>),
    what: &str,
    values: &Values,
    problems: &mut Problems,
) -> Option<String> {
    let path = match values.get(file) {
        Some(path) if !values.is_set(secret) => path,
        _ => return values.get(secret),
    };
    let problem = match file::text(&path) {
        Ok(text) => match without_line_break(&text) {
            "" => "names an empty file".into(),
            secret => return Some(secret.into()),
        },
        Err(error) => format!("names a file that cannot be read ({})", file::reason(&error)),
    };
    problems.add(values.subject(file), problem, format!("the path of a text file with {what}"));
    None
}

/// Editors and `echo` end a file with a line break that is no part of the secret.
fn without_line_break(text: &str) -> &str {
    let Some(line) = text.strip_suffix('\n') else { return text };
    line.strip_suffix('\r').unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_break_at_the_end_is_no_part_of_a_password() {
        for (text, password) in [
            ("p", "p"),
            ("p\n", "p"),
            ("p\r\n", "p"),
            ("p\n\n", "p\n"),
            (" p \n", " p "),
            ("\np", "\np"),
            ("\n", ""),
        ] {
            assert_eq!(without_line_break(text), password, "{text:?}");
        }
    }
}
