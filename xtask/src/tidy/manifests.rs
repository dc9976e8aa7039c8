//! Rules on manifests.

use toml::{Table, Value};

use crate::tree::Tree;

/// What each crate takes from the root manifest.
const PACKAGE_FIELDS: [&str; 4] = ["version", "edition", "rust-version", "license"];
const DEPENDENCIES: [&str; 3] = ["dependencies", "dev-dependencies", "build-dependencies"];

/// A manifest with a `[workspace]` of its own is none of this workspace's.
pub(super) fn crates_inherit_from_the_workspace(tree: &Tree) -> Vec<String> {
    let mut found = Vec::new();
    for (path, text) in tree.ending("/Cargo.toml") {
        let missing = match text.parse::<Table>() {
            Ok(manifest) if manifest.contains_key("workspace") => Vec::new(),
            Ok(manifest) => not_inherited(&manifest),
            Err(why) => vec![why.to_string()],
        };
        found.extend(missing.iter().map(|what| format!("{path}: {what}")));
    }
    found
}

fn not_inherited(manifest: &Table) -> Vec<String> {
    let mut found = Vec::new();
    if !inherits(manifest.get("lints")) {
        found.push("[lints] workspace = true is missing".to_owned());
    }
    let package = manifest.get("package");
    for field in PACKAGE_FIELDS {
        if !inherits(package.and_then(|package| package.get(field))) {
            found.push(format!("{field}.workspace = true is missing"));
        }
    }
    for section in DEPENDENCIES {
        let entries = manifest.get(section).and_then(Value::as_table).into_iter().flatten();
        let own = entries.filter(|(_, entry)| names_a_version(entry));
        found.extend(own.map(|(name, _)| format!("{name} has a version of its own")));
    }
    found
}

/// A path alone names none: so a crate turns on its own features for its tests.
fn names_a_version(entry: &Value) -> bool {
    !inherits(Some(entry)) && (entry.get("path").is_none() || entry.get("version").is_some())
}

fn inherits(value: Option<&Value>) -> bool {
    value.and_then(|value| value.get("workspace")?.as_bool()) == Some(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = "
        [package]
        version.workspace = true
        edition.workspace = true
        rust-version.workspace = true
        license.workspace = true
        [lints]
        workspace = true
        [dependencies]
        serde.workspace = true
        tokio = { workspace = true, features = [\"sync\"] }
        [dev-dependencies]
        itself = { path = \".\", features = [\"testing\"] }
    ";

    fn found(text: &str) -> Vec<String> {
        crates_inherit_from_the_workspace(&Tree::of(&[("crates/a/Cargo.toml", text)]))
    }

    #[test]
    fn a_manifest_that_inherits_everything_is_fine() {
        assert_eq!(found(GOOD), [""; 0]);
    }

    #[test]
    fn each_field_that_is_not_inherited_is_found() {
        for field in PACKAGE_FIELDS {
            let planted = GOOD.replace(&format!(" {field}.workspace = true\n"), "\n");
            let expected = format!("crates/a/Cargo.toml: {field}.workspace = true is missing");
            assert_eq!(found(&planted), [expected]);
        }
    }

    #[test]
    fn lints_that_are_not_inherited_are_found() {
        let planted = GOOD.replace("[lints]\n        workspace = true", "[lints]");
        assert_eq!(found(&planted), ["crates/a/Cargo.toml: [lints] workspace = true is missing"]);
    }

    #[test]
    fn a_package_that_is_a_workspace_of_its_own_inherits_nothing() {
        assert_eq!(found("[package]\nversion = \"1.0.0\"\n[workspace]\n"), [""; 0]);
    }

    #[test]
    fn a_dependency_with_a_version_of_its_own_is_found() {
        let planted = GOOD.replace("serde.workspace = true", "serde = \"1\"");
        assert_eq!(found(&planted), ["crates/a/Cargo.toml: serde has a version of its own"]);
    }
}
