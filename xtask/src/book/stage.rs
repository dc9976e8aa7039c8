//! The sources of the book: the pages where they are, and the files that they lead to.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use crate::folder::{emptied, put};
use crate::shell;
use crate::tidy::links;
use crate::tree::Tree;

const SUMMARY: &str = "docs/SUMMARY.md";

/// Where the list of decisions stands in the summary, and the page that lists them.
const DECISIONS: (&str, &str) = ("docs/decisions", "docs/decisions/README.md");

/// Writes the folder anew.
pub(super) fn write(tree: &Tree, top: &Path) -> std::io::Result<()> {
    emptied(top)?;
    put(top, "book.toml", tree.get("docs/book.toml").unwrap_or_default())?;
    let source = top.join("src");
    put(&source, "SUMMARY.md", &summary(tree))?;
    put(&source, DECISIONS.1, &decisions(tree, ""))?;
    for path in wanted(tree) {
        let to = source.join(&path);
        to.parent().map_or(Ok(()), fs::create_dir_all)?;
        fs::copy(shell::root().join(&path), to)?;
    }
    Ok(())
}

/// The pages, and every file of the repository that a page links to.
fn wanted(tree: &Tree) -> BTreeSet<String> {
    let pages = tree.ending(".md").filter(|(path, _)| links::is_page(path) && *path != SUMMARY);
    let mut wanted = BTreeSet::new();
    for (path, text) in pages {
        wanted.insert(path.to_owned());
        for (_, link) in links::links(text) {
            wanted.extend(links::target(path, link).filter(|target| tree.has_file(target)));
        }
    }
    wanted
}

/// The summary with paths from the top of the repository, and with each decision.
fn summary(tree: &Tree) -> String {
    let mut text = String::new();
    for line in tree.get(SUMMARY).unwrap_or_default().lines() {
        match line.split_once("](").and_then(|(head, rest)| Some((head, rest.strip_suffix(')')?))) {
            None => text.push_str(line),
            Some((head, link)) => match links::target(SUMMARY, link).unwrap_or_default() {
                folder if folder == DECISIONS.0 => {
                    text.push_str(&format!("{head}]({})\n", DECISIONS.1));
                    text.push_str(&decisions(tree, "docs/decisions/"));
                }
                target => text.push_str(&format!("{head}]({target})")),
            },
        }
        text.push('\n');
    }
    text
}

/// A list of all decisions; nested where the paths have a prefix.
fn decisions(tree: &Tree, prefix: &str) -> String {
    let mut text = String::new();
    if prefix.is_empty() {
        text.push_str("# Decisions\n\n");
    }
    let indent = if prefix.is_empty() { "" } else { "  " };
    for (path, page) in tree.ending(".md") {
        let Some(name) = path.strip_prefix("docs/decisions/") else { continue };
        let title = page.lines().next().unwrap_or(name).trim_start_matches(['#', ' ']);
        text.push_str(&format!("{indent}- [{title}]({prefix}{name})\n"));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn planted() -> Tree {
        Tree::of(&[
            (SUMMARY, "# Summary\n\n[a](../README.md)\n\n- [b](B.md)\n- [Decisions](decisions/)\n"),
            ("README.md", "see [code](crates/a/src/lib.rs) and [b](docs/B.md#part)"),
            ("docs/B.md", "# B\n"),
            ("docs/decisions/0001-one.md", "# 1. One\n"),
            ("crates/a/src/lib.rs", ""),
            ("crates/a/src/other.rs", ""),
        ])
    }

    #[test]
    fn the_summary_leads_from_the_top_and_lists_the_decisions() {
        assert_eq!(
            summary(&planted()),
            "# Summary\n\n[a](README.md)\n\n- [b](docs/B.md)\n\
             - [Decisions](docs/decisions/README.md)\n  - [1. One](docs/decisions/0001-one.md)\n\n"
        );
    }

    #[test]
    fn pages_and_what_they_lead_to_are_wanted_and_nothing_else() {
        let found: Vec<String> = wanted(&planted()).into_iter().collect();
        let expected =
            ["README.md", "crates/a/src/lib.rs", "docs/B.md", "docs/decisions/0001-one.md"];
        assert_eq!(found, expected);
    }
}
