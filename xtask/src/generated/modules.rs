//! The list of crates and modules in the architecture page, from the sources themselves.

use std::fmt::Write as _;

use crate::tree::Tree;

/// The page with the list.
pub(super) const PAGE: &str = "docs/ARCHITECTURE.md";

const BEGIN: &str = "<!-- modules: written by `cargo xtask generate` -->\n";
const END: &str = "<!-- end of modules -->\n";

/// The page with its list written anew; an error if the page has no place for it.
pub(super) fn page(tree: &Tree) -> Result<String, String> {
    let page = tree.get(PAGE).ok_or_else(|| format!("{PAGE} is missing"))?;
    let (before, rest) = page.split_once(BEGIN).ok_or_else(|| missing(BEGIN))?;
    let (_, after) = rest.split_once(END).ok_or_else(|| missing(END))?;
    Ok(format!("{before}{BEGIN}{}{END}{after}", list(tree)))
}

fn missing(mark: &str) -> String {
    format!("{PAGE}: the line `{}` is missing", mark.trim_end())
}

/// A paragraph for each crate: what it is for, and the modules at its top.
fn list(tree: &Tree) -> String {
    let mut text = String::from("\n");
    for (manifest, contents) in tree.ending("/Cargo.toml") {
        let Some(folder) = manifest.strip_suffix("/Cargo.toml") else { continue };
        if folder.matches('/').count() > 1 {
            continue;
        }
        let about = field(contents, "description").unwrap_or_default();
        let _ =
            writeln!(text, "**`{folder}`**: {about}\n\n| Module | What it does |\n| --- | --- |");
        for (module, what) in modules(tree, folder) {
            let _ = writeln!(text, "| `{module}` | {} |", what.replace('|', "\\|"));
        }
        text.push('\n');
    }
    text
}

/// A text field of a manifest.
fn field<'a>(manifest: &'a str, name: &str) -> Option<&'a str> {
    let value = |line: &'a str| line.strip_prefix(name)?.trim_start().strip_prefix('=');
    manifest.lines().find_map(value).map(|value| value.trim().trim_matches('"'))
}

/// The modules at the top of a crate, each with the first sentence of its documentation.
fn modules<'a>(tree: &'a Tree, folder: &str) -> impl Iterator<Item = (&'a str, String)> {
    let sources = format!("{folder}/src/");
    let top = move |(path, text): (&'a str, &'a str)| {
        let name = path.strip_prefix(&sources)?.strip_suffix(".rs")?;
        let is_module = !name.contains('/') && name != "lib" && name != "main";
        is_module.then(|| (name, first_sentence(text)))
    };
    tree.ending(".rs").filter_map(top)
}

/// The first sentence of a file's documentation.
fn first_sentence(source: &str) -> String {
    let lines = source.lines().map_while(|line| line.strip_prefix("//!"));
    let paragraph: Vec<_> = lines.map(str::trim).take_while(|line| !line.is_empty()).collect();
    let paragraph = paragraph.join(" ");
    let end = paragraph.find(". ").map_or(paragraph.len(), |end| end + 1);
    paragraph[..end].to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tree() -> Tree {
        Tree::of(&[
            (PAGE, &format!("# Tree\n{BEGIN}old\n{END}after\n")),
            ("crates/a/Cargo.toml", "[package]\ndescription = \"What a is for.\"\n"),
            ("crates/a/src/lib.rs", "//! Contents.\n"),
            ("crates/a/src/foo.rs", "//! Does `x | y`\n//! well. And more.\n//!\n//! Then.\n"),
            ("crates/a/src/foo/part.rs", "//! A part.\n"),
            ("crates/a/peers/b/Cargo.toml", "description = \"no crate of ours\"\n"),
        ])
    }

    #[test]
    fn the_list_has_each_crate_and_each_module_at_its_top() {
        let expected = "\n**`crates/a`**: What a is for.\n\n| Module | What it does |\n\
            | --- | --- |\n| `foo` | Does `x \\| y` well. |\n\n";
        assert_eq!(page(&tree()), Ok(format!("# Tree\n{BEGIN}{expected}{END}after\n")));
    }

    #[test]
    fn a_page_without_a_place_for_the_list_is_an_error() {
        for text in ["", BEGIN] {
            assert!(page(&Tree::of(&[(PAGE, text)])).is_err(), "{text}");
        }
        assert!(page(&Tree::of(&[])).is_err());
    }
}
