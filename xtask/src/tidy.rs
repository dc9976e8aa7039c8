//! `tidy`: the repository's own rules hold.
//!
//! A rule looks at the text of the repository and returns one line a finding.

mod circles;
mod code;
pub(crate) mod links;
mod manifests;
mod text;
mod words;

use crate::tree::Tree;
use crate::{Outcome, shell};

type Rule = fn(&Tree) -> Vec<String>;

const RULES: &[Rule] = &[
    code::no_mod_rs,
    code::files_are_short,
    code::lib_rs_is_a_table_of_contents,
    code::no_notes_to_self,
    code::lints_are_expected_with_a_reason,
    code::nothing_unsafe,
    code::the_driver_is_confined,
    manifests::crates_inherit_from_the_workspace,
    text::nothing_foreign,
    text::required_files_exist,
    links::links_resolve,
    links::pages_are_in_the_book,
    links::code_of_pages_is_tested,
    circles::no_files_import_each_other,
    words::no_word_is_used_that_was_given_up,
];

pub(crate) fn run() -> Outcome {
    let tree = Tree::load()?;
    let found: Vec<String> = RULES.iter().flat_map(|rule| rule(&tree)).collect();
    shell::report(&found)
}
