//! Rules on Rust code.

use crate::tree::Tree;

const MAX_LINES: usize = 500;
const MAX_LIB_LINES: usize = 100;

/// Files that may be longer than the rest, each with the reason.
const LONG: &[(&str, &str)] = &[];

// In pieces, so that this file does not break the rules it states.
const NOTES: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("XX", "X")];
const ALLOWS: [&str; 2] = [concat!("#[al", "low("), concat!("#![al", "low(")];
const UNSAFE: &str = concat!("un", "safe");

pub(super) fn no_mod_rs(tree: &Tree) -> Vec<String> {
    let found = tree.ending("/mod.rs");
    found.map(|(path, _)| format!("{path}: a module `foo` is `foo.rs` beside `foo/`")).collect()
}

pub(super) fn files_are_short(tree: &Tree) -> Vec<String> {
    too_long(tree, LONG)
}

fn too_long(tree: &Tree, long: &[(&str, &str)]) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending(".rs") {
        let lines = text.lines().count();
        match long.iter().any(|(listed, _)| *listed == path) {
            false if lines > MAX_LINES => {
                found.push(format!("{path}: {lines} lines, more than {MAX_LINES}"));
            }
            true if lines <= MAX_LINES => {
                found.push(format!("{path}: is short again, but listed as long"));
            }
            _ => {}
        }
    }
    let gone = long.iter().filter(|(path, _)| tree.get(path).is_none());
    found.extend(gone.map(|(path, _)| format!("{path}: listed as long, but not there")));
    found
}

pub(super) fn lib_rs_is_a_table_of_contents(tree: &Tree) -> Vec<String> {
    let sizes = tree.ending("/src/lib.rs").map(|(path, text)| (path, text.lines().count()));
    sizes
        .filter(|(_, lines)| *lines > MAX_LIB_LINES)
        .map(|(path, lines)| format!("{path}: {lines} lines, more than {MAX_LIB_LINES}"))
        .collect()
}

pub(super) fn no_notes_to_self(tree: &Tree) -> Vec<String> {
    lines_with(tree, |line| NOTES.iter().any(|note| has_word(line, note)), "a note to oneself")
}

pub(super) fn lints_are_expected_with_a_reason(tree: &Tree) -> Vec<String> {
    let bad = |line: &str| ALLOWS.iter().any(|attribute| line.contains(attribute));
    lines_with(tree, bad, "use `#[expect(lint, reason = \"...\")]`")
}

pub(super) fn nothing_unsafe(tree: &Tree) -> Vec<String> {
    let code = |line: &str| line.split("//").next().unwrap_or_default().to_owned();
    lines_with(tree, |line| has_word(&code(line), UNSAFE), "code that is not safe")
}

/// Only the Redis backend knows which driver it uses; xtask names it to check just that, and the
/// benchmarks measure it alone.
pub(super) fn the_driver_is_confined(tree: &Tree) -> Vec<String> {
    const MAY: [&str; 3] = ["crates/kv-redis/", "crates/kv-bench/", "xtask/"];
    let may = |path: &str| MAY.iter().any(|place| path.starts_with(place));
    let outside = tree.files().filter(|(path, _)| {
        let code = path.ends_with(".rs") || path.ends_with("/Cargo.toml");
        code && !may(path)
    });
    find(outside, |line| has_word(line, "fred"), "only crates/kv-redis names the driver")
}

fn lines_with(tree: &Tree, bad: impl Fn(&str) -> bool, why: &str) -> Vec<String> {
    find(tree.ending(".rs"), bad, why)
}

fn find<'t>(
    files: impl Iterator<Item = (&'t str, &'t str)>,
    bad: impl Fn(&str) -> bool,
    why: &str,
) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in files {
        let lines = (1..).zip(text.lines()).filter(|(_, line)| bad(line));
        found.extend(lines.map(|(number, _)| format!("{path}:{number}: {why}")));
    }
    found
}

/// Whether the word stands in the line, not as a part of a longer identifier.
fn has_word(line: &str, word: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || c == '_';
    line.split(|c| !inside(c)).any(|part| part == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIB: &str = "crates/a/src/lib.rs";

    fn lib(text: &str) -> Tree {
        Tree::of(&[(LIB, text)])
    }

    #[test]
    fn a_mod_rs_is_found() {
        let tree = Tree::of(&[("crates/a/src/foo/mod.rs", ""), ("crates/a/src/foo.rs", "")]);
        assert_eq!(no_mod_rs(&tree).len(), 1);
    }

    #[test]
    fn a_long_file_is_found_unless_it_is_listed() {
        let tree = Tree::of(&[("a.rs", &"\n".repeat(501)), ("b.rs", &"\n".repeat(500))]);
        assert_eq!(too_long(&tree, &[]), ["a.rs: 501 lines, more than 500"]);
        assert_eq!(too_long(&tree, &[("a.rs", "a table")]), [""; 0]);
    }

    #[test]
    fn a_list_of_long_files_that_is_out_of_date_is_found() {
        let tree = Tree::of(&[("b.rs", "")]);
        let list = [("b.rs", "was long"), ("c.rs", "was there")];
        assert_eq!(too_long(&tree, &list).len(), 2);
    }

    #[test]
    fn a_long_lib_rs_is_found() {
        assert_eq!(lib_rs_is_a_table_of_contents(&lib(&"\n".repeat(100))), [""; 0]);
        assert_eq!(lib_rs_is_a_table_of_contents(&lib(&"\n".repeat(101))).len(), 1);
    }

    #[test]
    fn a_note_to_oneself_is_found_at_its_line() {
        for note in NOTES {
            let found = no_notes_to_self(&lib(&format!("fn f() {{}}\n// {note}: later\n")));
            assert_eq!(found, [format!("{LIB}:2: a note to oneself")]);
        }
    }

    #[test]
    fn a_lint_that_is_switched_off_is_found_and_an_expected_one_is_not() {
        for attribute in ALLOWS {
            let tree = lib(&format!("{attribute}dead_code)]\n"));
            assert_eq!(lints_are_expected_with_a_reason(&tree).len(), 1);
        }
        let tree = lib("#[expect(dead_code, reason = \"...\")]\n");
        assert_eq!(lints_are_expected_with_a_reason(&tree), [""; 0]);
    }

    #[test]
    fn code_that_is_not_safe_is_found_and_a_comment_about_it_is_not() {
        assert_eq!(nothing_unsafe(&lib(&format!("{UNSAFE} {{ f() }}"))).len(), 1);
        assert_eq!(nothing_unsafe(&lib(&format!("// nothing {UNSAFE} here"))), [""; 0]);
        assert_eq!(nothing_unsafe(&lib(&format!("#![forbid({UNSAFE}_code)]"))), [""; 0]);
    }

    #[test]
    fn the_driver_is_found_everywhere_but_in_its_crate() {
        let tree = Tree::of(&[
            ("crates/kv-redis/src/driver.rs", "use fred::prelude::*;"),
            ("crates/kv-queue/src/lib.rs", "use fred::prelude::*;"),
            ("crates/kv-queue/Cargo.toml", "fred.workspace = true"),
            ("Cargo.toml", "fred = \"10\""),
            ("crates/a/src/lib.rs", "// alfred"),
        ]);
        assert_eq!(the_driver_is_confined(&tree).len(), 2);
    }
}
