//! `msrv`: the root manifest alone names the minimum Rust version.

use crate::tree::Tree;
use crate::{Outcome, shell};

const MANIFEST: &str = "Cargo.toml";

/// Tells with which compiler it was measured, not which one is needed.
const MEASURED: &str = "docs/BENCHMARKS.md";

pub(crate) fn run() -> Outcome {
    let tree = Tree::load()?;
    let version = named(&tree).ok_or("Cargo.toml: [workspace.package] has no rust-version")?;
    println!("minimum Rust version: {version}");
    shell::report(&other_places(&tree, &version))
}

fn named(tree: &Tree) -> Option<String> {
    let manifest: toml::Table = tree.get(MANIFEST)?.parse().ok()?;
    let version = manifest.get("workspace")?.get("package")?.get("rust-version")?.as_str()?;
    Some(version.to_owned())
}

/// The lines outside the manifest that name a minimum version of Rust.
fn other_places(tree: &Tree, version: &str) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.files().filter(|(path, _)| ![MANIFEST, MEASURED].contains(path)) {
        if path.starts_with("rust-toolchain") {
            found.push(format!("{path}: pins a toolchain; only {MANIFEST} names a version"));
        }
        for (number, line) in (1..).zip(text.lines()) {
            if names_a_version(line, version) {
                found.push(format!("{path}:{number}: names a Rust version; only {MANIFEST} does"));
            }
        }
    }
    found
}

fn names_a_version(line: &str, version: &str) -> bool {
    let line = line.to_lowercase();
    let set = ["rust-version = \"", "msrv = \""].iter().any(|key| line.starts_with(key));
    let told =
        ["rust ", "rustc ", "msrv "].iter().any(|word| line.contains(&format!("{word}{version}")));
    set || told
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: (&str, &str) = ("Cargo.toml", "[workspace.package]\nrust-version = \"9.1\"\n");

    fn found(path: &str, text: &str) -> Vec<String> {
        let tree = Tree::of(&[ROOT, (path, text)]);
        other_places(&tree, &named(&tree).unwrap())
    }

    #[test]
    fn the_manifest_and_what_inherits_from_it_are_fine() {
        assert_eq!(found("crates/a/Cargo.toml", "rust-version.workspace = true"), [""; 0]);
        assert_eq!(found("docs/BENCHMARKS.md", "| compiler | rustc 9.1.0 |"), [""; 0]);
    }

    #[test]
    fn a_second_place_that_names_the_version_is_found() {
        assert_eq!(found("crates/a/Cargo.toml", "rust-version = \"9.0\"").len(), 1);
        assert_eq!(found("clippy.toml", "msrv = \"9.0\"").len(), 1);
        assert_eq!(found("README.md", "It needs Rust 9.1 or newer.").len(), 1);
        assert_eq!(found("rust-toolchain.toml", "").len(), 1);
    }
}
