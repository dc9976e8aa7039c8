//! The architecture page and the tree agree, in both directions.
//!
//! In the page's fenced `text` blocks a line that starts, unindented, with something with a
//! slash in it is an entry: a path, then what is there. The entries must exist, and every crate
//! must have its folder, its modules and its folders of modules among them.

use std::collections::BTreeSet;

use crate::tree::Tree;

const PAGE: &str = "docs/ARCHITECTURE.md";

pub(super) fn the_page_matches_the_tree(tree: &Tree) -> Vec<String> {
    let page = tree.get(PAGE).unwrap_or_default();
    let listed: BTreeSet<&str> = entries(page).collect();
    let stale = listed.iter().filter(|path| !tree.has(path));
    let stale = stale.map(|path| format!("{PAGE}: lists {path}, which is not there"));
    let expected = expected(tree);
    let missing = expected.iter().filter(|path| !listed.contains(path.as_str()));
    stale.chain(missing.map(|path| format!("{PAGE}: does not list {path}"))).collect()
}

fn entries(page: &str) -> impl Iterator<Item = &str> {
    let mut inside = false;
    let lines = page.lines().filter(move |line| {
        if line.starts_with("```") {
            inside = *line == "```text";
            return false;
        }
        inside && !line.starts_with(' ')
    });
    lines.filter_map(|line| line.split_whitespace().next()).filter(|word| word.contains('/'))
}

/// The entries that the page must have.
fn expected(tree: &Tree) -> BTreeSet<String> {
    let mut paths = BTreeSet::from(["xtask/".to_owned()]);
    for (path, _) in tree.ending(".rs") {
        let parts: Vec<&str> = path.split('/').collect();
        if let ["crates", name, "src", rest @ ..] = parts.as_slice() {
            paths.insert(format!("crates/{name}/"));
            match rest {
                [file] => paths.insert(format!("crates/{name}/src/{file}")),
                [folder, ..] => paths.insert(format!("crates/{name}/src/{folder}/")),
                [] => false,
            };
        }
    }
    paths
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "# Tree\n\
        ```text\n\
        crates/a/             a crate\n\
        crates/a/src/lib.rs   its contents\n\
        crates/a/src/foo.rs   foo\n\
        crates/a/src/foo/     parts of foo\n\
        xtask/                checks\n\
        ```\n\
        crates/b/ is prose\n";

    fn found(page: &str, files: &[&str]) -> Vec<String> {
        let mut all = vec![(PAGE, page), ("xtask/src/main.rs", "")];
        all.extend(files.iter().map(|path| (*path, "")));
        the_page_matches_the_tree(&Tree::of(&all))
    }

    const FILES: [&str; 3] =
        ["crates/a/src/lib.rs", "crates/a/src/foo.rs", "crates/a/src/foo/bar.rs"];

    #[test]
    fn a_page_that_lists_every_module_is_fine() {
        assert_eq!(found(TEXT, &FILES), [""; 0]);
    }

    #[test]
    fn a_module_that_is_not_listed_is_found() {
        let page = TEXT.replace("crates/a/src/foo.rs   foo\n", "");
        assert_eq!(found(&page, &FILES), [format!("{PAGE}: does not list crates/a/src/foo.rs")]);
    }

    #[test]
    fn an_entry_that_is_not_there_is_found() {
        let expected = format!("{PAGE}: lists crates/a/src/foo/, which is not there");
        assert_eq!(found(TEXT, &FILES[..2]), [expected]);
    }

    #[test]
    fn a_missing_page_is_found() {
        assert!(!the_page_matches_the_tree(&Tree::of(&[])).is_empty());
    }
}
