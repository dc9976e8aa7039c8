//! `deps`: dependencies point only downwards.
//!
//! Normal and build dependencies count, with every feature on; dev-dependencies do not.

use crate::metadata::Metadata;
use crate::{Outcome, shell};

/// What a crate of this workspace may depend on.
struct Rule {
    name: &'static str,
    /// The crates of this workspace that it may name.
    own: &'static [&'static str],
    /// The crates from elsewhere that it may name; nothing for a free choice.
    foreign: Option<&'static [&'static str]>,
    /// What may be nowhere in its tree.
    never: &'static [&'static str],
}

const fn rule(
    name: &'static str,
    own: &'static [&'static str],
    never: &'static [&'static str],
) -> Rule {
    Rule { name, own, foreign: None, never }
}

/// One row for each crate of the workspace, lowest first.
const RULES: &[Rule] = &[
    Rule {
        name: "kv-core",
        own: &[],
        foreign: Some(&[
            "async-trait",
            "bytes",
            "erased-serde",
            "fastrand",
            "futures-core",
            "rmp-serde",
            "rustix",
            "serde",
            "serde_json",
            "thiserror",
            "tokio",
        ]),
        never: &["fred", "config", "rusqlite"],
    },
    Rule {
        name: "kv-queue-machine",
        own: &["kv-core"],
        foreign: Some(&["bytes", "fastrand", "rmp-serde", "serde"]),
        never: &["fred", "config", "rusqlite"],
    },
    rule("kv-memory", &["kv-core", "kv-queue-machine"], &["fred", "config", "rusqlite"]),
    rule("kv-redis", &["kv-core"], &["config", "rusqlite"]),
    rule("kv-sqlite", &["kv-core", "kv-queue-machine"], &["fred", "config"]),
    Rule {
        name: "kv-pickle",
        own: &["kv-core"],
        foreign: Some(&["serde", "thiserror"]),
        never: &["fred", "config", "rusqlite"],
    },
    Rule {
        name: "kv-layers",
        own: &["kv-core"],
        foreign: Some(&["ahash", "chacha20poly1305", "fastrand", "tokio", "tracing", "zstd"]),
        never: &["fred", "config", "rusqlite"],
    },
    rule(
        "kv-config",
        &["kv-core", "kv-layers", "kv-memory", "kv-pickle", "kv-redis", "kv-sqlite"],
        &[],
    ),
    rule("kv-queue", &["kv-core", "kv-queue-machine"], &["fred", "config", "rusqlite"]),
    rule("kv-dashboard", &["kv-core", "kv-layers", "kv-queue"], &["fred", "config", "rusqlite"]),
    rule("kv-cli", &["kv-core", "kv-config", "kv-dashboard", "kv-queue"], &[]),
    rule("kv-testkit", &["kv-core"], &["fred", "config", "rusqlite"]),
    rule("kv-testbed", &[], &["fred", "config", "rusqlite"]),
    rule(
        "kv-bench",
        &["kv-core", "kv-layers", "kv-memory", "kv-queue", "kv-redis", "kv-sqlite", "kv-testbed"],
        &[],
    ),
    rule("xtask", &["kv-testbed"], &["fred", "config", "rusqlite"]),
];

/// Who alone may name a crate directly.
const ONLY: &[(&str, &[&str])] = &[
    ("fred", &["kv-redis", "kv-bench"]),
    ("rusqlite", &["kv-sqlite", "kv-bench"]),
    ("config", &["kv-config"]),
    ("kv-memory", &["kv-config", "kv-bench"]),
    ("kv-redis", &["kv-config", "kv-bench"]),
    ("kv-sqlite", &["kv-config", "kv-bench"]),
];

pub(crate) fn run() -> Outcome {
    shell::report(&violations(&Metadata::load()?))
}

fn violations(metadata: &Metadata) -> Vec<String> {
    let mut found = Vec::new();
    for package in metadata.members() {
        let name = package.name.as_str();
        match RULES.iter().find(|rule| rule.name == name) {
            Some(rule) => found.extend(broken(metadata, rule)),
            None => found.push(format!("{name}: no row in the table of xtask/src/deps.rs")),
        }
        for (target, allowed) in ONLY {
            if metadata.direct(name).any(|dep| dep == *target) && !allowed.contains(&name) {
                found.push(format!("{name}: names {target}, which only {allowed:?} may"));
            }
        }
    }
    found
}

fn broken(metadata: &Metadata, rule: &Rule) -> Vec<String> {
    let name = rule.name;
    let is_own = |dep: &str| metadata.members().any(|member| member.name == dep);
    let allowed = |dep: &str| match rule.foreign {
        _ if is_own(dep) => rule.own.contains(&dep),
        Some(list) => list.contains(&dep),
        None => true,
    };
    let direct = metadata.direct(name).filter(|dep| !allowed(dep));
    let below = metadata.below(name);
    let deep = rule.never.iter().filter(|dep| below.contains(**dep));
    direct
        .map(|dep| format!("{name}: must not depend on {dep}"))
        .chain(deep.map(|dep| format!("{name}: {dep} must be nowhere in its tree")))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metadata::Package;

    fn graph(edges: &[(&str, &str)]) -> Metadata {
        let mut metadata = Metadata::default();
        for rule in RULES {
            let name = rule.name.to_owned();
            metadata.packages.push(Package { name, member: true, ..Package::default() });
        }
        for (from, to) in edges {
            metadata.edges.entry((*from).to_owned()).or_default().insert((*to).to_owned());
        }
        metadata
    }

    fn assert_found(edges: &[(&str, &str)], expected: &str) {
        let found = violations(&graph(edges));
        assert!(found.iter().any(|line| line == expected), "{expected:?} is not in {found:?}");
    }

    #[test]
    fn the_intended_arrows_are_allowed() {
        let edges = [
            ("kv-core", "serde"),
            ("kv-memory", "kv-core"),
            ("kv-redis", "fred"),
            ("kv-config", "kv-redis"),
            ("kv-config", "kv-layers"),
            ("kv-queue", "kv-queue-machine"),
        ];
        assert_eq!(violations(&graph(&edges)), Vec::<String>::new());
    }

    #[test]
    fn an_arrow_upwards_is_found() {
        assert_found(&[("kv-core", "kv-memory")], "kv-core: must not depend on kv-memory");
    }

    #[test]
    fn a_queue_that_names_a_backend_is_found() {
        assert_found(&[("kv-queue", "kv-redis")], "kv-queue: must not depend on kv-redis");
    }

    #[test]
    fn a_layer_that_names_a_backend_is_found() {
        assert_found(&[("kv-layers", "kv-memory")], "kv-layers: must not depend on kv-memory");
    }

    #[test]
    fn a_core_with_a_dependency_beyond_its_list_is_found() {
        assert_found(&[("kv-core", "log")], "kv-core: must not depend on log");
    }

    #[test]
    fn a_driver_deep_in_the_tree_of_the_memory_backend_is_found() {
        let edges = [("kv-memory", "helper"), ("helper", "fred")];
        assert_found(&edges, "kv-memory: fred must be nowhere in its tree");
    }

    #[test]
    fn a_driver_named_outside_its_backend_is_found() {
        let expected = "kv-config: names fred, which only [\"kv-redis\", \"kv-bench\"] may";
        assert_found(&[("kv-config", "fred")], expected);
    }

    #[test]
    fn a_crate_without_a_row_is_found() {
        let mut metadata = graph(&[]);
        let name = "kv-new".to_owned();
        metadata.packages.push(Package { name, member: true, ..Package::default() });
        assert_eq!(violations(&metadata), ["kv-new: no row in the table of xtask/src/deps.rs"]);
    }
}
