//! Whoever asks `kv-config` for one backend builds no other.

use crate::shell;

/// A feature of kv-config, and what it must not bring.
const ALONE: &[(&str, &[&str])] = &[
    ("memory", &["fred", "rusqlite", "rustls"]),
    ("redis", &["rusqlite", "rustls"]),
    ("sqlite", &["fred", "rustls"]),
];

/// What is built without having been asked for.
pub(super) fn violations() -> Result<Vec<String>, String> {
    let mut found = Vec::new();
    for (feature, never) in ALONE {
        let package = ["--package", "kv-config", "--no-default-features", "--features", feature];
        let shown = ["--edges", "normal,build", "--prefix", "none", "--format", "{p}"];
        let tree = shell::cargo_output(&[&["tree"][..], &package, &shown].concat())?;
        found.extend(unasked(feature, never, &tree));
    }
    Ok(found)
}

fn unasked(feature: &str, never: &[&str], tree: &str) -> Vec<String> {
    let names = tree.lines().filter_map(|line| line.split(' ').next());
    let mut unasked: Vec<_> = names.filter(|name| never.contains(name)).collect();
    unasked.sort_unstable();
    unasked.dedup();
    let told = |name| format!("kv-config: its feature {feature} alone must not build {name}");
    unasked.into_iter().map(told).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backend_that_nobody_asked_for_is_found_once() {
        let tree = "kv-config v0.1.0 (/x)\nrusqlite v0.39.0\nserde v1.0.0\nrusqlite v0.39.0 (*)\n";
        let found = unasked("memory", &["rusqlite", "fred"], tree);
        assert_eq!(found, ["kv-config: its feature memory alone must not build rusqlite"]);
        assert!(unasked("sqlite", &["fred"], tree).is_empty());
    }
}
