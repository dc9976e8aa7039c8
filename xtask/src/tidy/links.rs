//! Links between the pages, and the pages in the book.

use std::collections::{BTreeMap, BTreeSet};

use crate::tree::Tree;

const SUMMARY: &str = "docs/SUMMARY.md";

/// Pages whose code shows both what to write and what not to write.
const UNTESTED: &str = "docs/STYLE.md";

/// Relative links in Markdown lead to something in the repository, and to a heading that is there.
pub(super) fn links_resolve(tree: &Tree) -> Vec<String> {
    let headings: BTreeMap<&str, BTreeSet<String>> =
        tree.ending(".md").map(|(path, text)| (path, anchors(text))).collect();
    let mut found = Vec::new();
    for (path, text) in tree.ending(".md") {
        for (number, link) in links(text) {
            let Some(target) = target(path, link).filter(|target| tree.has(target)) else {
                found.push(format!("{path}:{number}: `{link}` leads nowhere"));
                continue;
            };
            let anchor = link.split_once('#').map(|(_, anchor)| anchor);
            if let (Some(anchor), Some(known)) = (anchor, headings.get(&*target))
                && !known.contains(anchor)
            {
                found.push(format!("{path}:{number}: `{link}` leads to no heading"));
            }
        }
    }
    found
}

/// Every page is in the book.
pub(super) fn pages_are_in_the_book(tree: &Tree) -> Vec<String> {
    let text = tree.get(SUMMARY).unwrap_or_default();
    let listed: BTreeSet<String> =
        links(text).into_iter().filter_map(|(_, link)| target(SUMMARY, link)).collect();
    tree.ending(".md")
        .map(|(path, _)| path)
        .filter(|path| is_page(path) && *path != SUMMARY && !is_decision(path))
        .filter(|path| !listed.contains(*path))
        .map(|path| format!("{path}: is not in {SUMMARY}"))
        .collect()
}

/// The Rust of every page is compiled by a crate's doctests.
pub(super) fn code_of_pages_is_tested(tree: &Tree) -> Vec<String> {
    let tested = |path: &str| {
        let included = format!("/{path}\"");
        tree.ending(".rs").any(|(_, text)| text.contains(&included))
    };
    tree.ending(".md")
        .filter(|(path, text)| is_page(path) && !is_decision(path) && text.contains("\n```rust"))
        .map(|(path, _)| path)
        .filter(|path| *path != UNTESTED && !tested(path))
        .map(|path| format!("{path}: no crate includes it, so its code is not tested"))
        .collect()
}

/// Whether a file is a page of the book.
pub(crate) fn is_page(path: &str) -> bool {
    let page = path.starts_with("docs/") || path == "README.md" || path == "CHANGELOG.md";
    page && path.ends_with(".md")
}

fn is_decision(path: &str) -> bool {
    path.starts_with("docs/decisions/")
}

/// The targets of `[text](target)` within the repository, with their lines; none in fenced blocks.
pub(crate) fn links(text: &str) -> Vec<(usize, &str)> {
    let mut found = Vec::new();
    for (number, line) in outside_fences(text) {
        let targets = line.split("](").skip(1).filter_map(|rest| rest.split([')', ' ']).next());
        found.extend(targets.filter(|target| is_relative(target)).map(|to| (number, to)));
    }
    found
}

fn outside_fences(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut fenced = false;
    (1..).zip(text.lines()).filter(move |(_, line)| {
        let fence = line.trim_start().starts_with("```");
        fenced ^= fence;
        !fence && !fenced
    })
}

fn is_relative(target: &str) -> bool {
    !target.contains("://") && !target.starts_with("mailto:")
}

/// The path that a link of a page means; nothing if it leaves the repository.
pub(crate) fn target(page: &str, link: &str) -> Option<String> {
    let path = link.split('#').next().unwrap_or_default();
    if path.is_empty() {
        return Some(page.to_owned());
    }
    let mut parts: Vec<&str> = page.split('/').collect();
    parts.pop();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => drop(parts.pop()?),
            name => parts.push(name),
        }
    }
    Some(parts.join("/"))
}

/// The names by which the headings of a page are linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let mut known = BTreeSet::new();
    for (_, line) in outside_fences(text).filter(|(_, line)| line.starts_with('#')) {
        let anchor = anchor(line.trim_start_matches('#').trim());
        let again = (1..).map(|number| format!("{anchor}-{number}"));
        let free = std::iter::once(anchor.clone()).chain(again).find(|name| !known.contains(name));
        known.extend(free);
    }
    known
}

fn anchor(heading: &str) -> String {
    let kept = heading.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
    kept.flat_map(char::to_lowercase).map(|c| if c == ' ' { '-' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_link_that_leads_nowhere_is_found_at_its_line() {
        let tree = Tree::of(&[("docs/A.md", "a\n[b](B.md)\n"), ("B.md", "")]);
        assert_eq!(links_resolve(&tree), ["docs/A.md:2: `B.md` leads nowhere"]);
    }

    #[test]
    fn links_to_files_folders_sections_and_other_sites_are_fine() {
        let text = "# Here\n[b](../B.md#a-part) [f](decisions/) [s](#here) [w](https://example.test/x)\n\
                    ```\n[in code](nowhere.md)\n```\n";
        let tree = Tree::of(&[
            ("docs/A.md", text),
            ("B.md", "## A `part`\n"),
            ("docs/decisions/1.md", ""),
        ]);
        assert_eq!(links_resolve(&tree), [""; 0]);
    }

    #[test]
    fn a_link_to_a_heading_that_is_not_there_is_found() {
        let tree =
            Tree::of(&[("A.md", "[a](#there) [b](B.md#part)"), ("B.md", "```\n# Part\n```\n")]);
        assert_eq!(links_resolve(&tree).len(), 2);
    }

    #[test]
    fn a_heading_that_comes_twice_has_a_number() {
        assert_eq!(anchors("# A\n## A\n"), BTreeSet::from(["a".to_owned(), "a-1".to_owned()]));
    }

    #[test]
    fn a_link_out_of_the_repository_is_found() {
        let tree = Tree::of(&[("A.md", "[up](../other/B.md)")]);
        assert_eq!(links_resolve(&tree).len(), 1);
    }

    #[test]
    fn a_page_that_the_book_does_not_list_is_found() {
        let summary = (SUMMARY, "- [A](A.md)\n- [r](../README.md)\n");
        let tree = Tree::of(&[summary, ("docs/A.md", ""), ("docs/B.md", ""), ("README.md", "")]);
        assert_eq!(pages_are_in_the_book(&tree), ["docs/B.md: is not in docs/SUMMARY.md"]);
    }

    #[test]
    fn a_page_with_code_that_no_crate_includes_is_found() {
        let page = ("docs/A.md", "a\n```rust\n```\n");
        let included = ("crates/a/src/lib.rs", "#[doc = include_str!(\"../../../docs/A.md\")]");
        assert_eq!(code_of_pages_is_tested(&Tree::of(&[page, included])), [""; 0]);
        assert_eq!(code_of_pages_is_tested(&Tree::of(&[page])).len(), 1);
    }
}
