//! What `cargo metadata` says about the packages and their dependencies.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::shell;

/// A package of the dependency graph.
#[derive(Debug, Clone, Default)]
pub(crate) struct Package {
    pub(crate) name: String,
    pub(crate) version: String,
    /// An SPDX expression.
    pub(crate) license: Option<String>,
    /// Where it comes from; nothing for a path.
    pub(crate) source: Option<String>,
    /// Whether it belongs to this workspace.
    pub(crate) member: bool,
    /// Whether it may go to a registry.
    pub(crate) published: bool,
    pub(crate) features: Vec<String>,
}

/// All packages, and who depends on whom in normal and build dependencies.
#[derive(Debug, Clone, Default)]
pub(crate) struct Metadata {
    pub(crate) packages: Vec<Package>,
    /// From a package's name to the names of its direct dependencies. Versions of one package
    /// are merged, which can only make a check stricter.
    pub(crate) edges: BTreeMap<String, BTreeSet<String>>,
}

impl Metadata {
    /// Asks cargo, with every feature on.
    pub(crate) fn load() -> Result<Metadata, String> {
        let text = shell::cargo_output(&["metadata", "--format-version", "1", "--all-features"])?;
        Metadata::parse(&text)
    }

    pub(crate) fn parse(text: &str) -> Result<Metadata, String> {
        let value: Value =
            serde_json::from_str(text).map_err(|why| format!("cargo metadata: {why}"))?;
        let members: BTreeSet<&str> =
            list(&value["workspace_members"]).filter_map(Value::as_str).collect();
        let mut names = BTreeMap::new();
        let mut packages = Vec::new();
        for package in list(&value["packages"]) {
            let id = package["id"].as_str().unwrap_or_default();
            let parsed = parse_package(package, members.contains(id));
            names.insert(id, parsed.name.clone());
            packages.push(parsed);
        }
        Ok(Metadata { packages, edges: parse_edges(&value["resolve"]["nodes"], &names) })
    }

    /// The workspace's own packages.
    pub(crate) fn members(&self) -> impl Iterator<Item = &Package> {
        self.packages.iter().filter(|package| package.member)
    }

    /// The names of a package's direct dependencies.
    pub(crate) fn direct(&self, name: &str) -> impl Iterator<Item = &str> {
        self.edges.get(name).into_iter().flatten().map(String::as_str)
    }

    /// The names of everything below a package.
    pub(crate) fn below(&self, name: &str) -> BTreeSet<&str> {
        let mut seen = BTreeSet::new();
        let mut rest: Vec<&str> = self.direct(name).collect();
        while let Some(next) = rest.pop() {
            if seen.insert(next) {
                rest.extend(self.direct(next));
            }
        }
        seen
    }
}

fn parse_package(package: &Value, member: bool) -> Package {
    let text = |field: &str| package[field].as_str().map(str::to_owned);
    Package {
        name: text("name").unwrap_or_default(),
        version: text("version").unwrap_or_default(),
        license: text("license"),
        source: text("source"),
        member,
        // `publish = false` is an empty list of registries.
        published: package["publish"].as_array().is_none_or(|registries| !registries.is_empty()),
        features: package["features"]
            .as_object()
            .map(|features| features.keys().cloned().collect())
            .unwrap_or_default(),
    }
}

fn parse_edges(
    nodes: &Value,
    names: &BTreeMap<&str, String>,
) -> BTreeMap<String, BTreeSet<String>> {
    let name_of = |id: &Value| names.get(id.as_str()?).cloned();
    let mut edges: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for node in list(nodes) {
        let Some(from) = name_of(&node["id"]) else { continue };
        let used = list(&node["deps"])
            .filter(|dep| list(&dep["dep_kinds"]).any(|kind| kind["kind"].as_str() != Some("dev")));
        edges.entry(from).or_default().extend(used.filter_map(|dep| name_of(&dep["pkg"])));
    }
    edges
}

fn list(value: &Value) -> impl Iterator<Item = &Value> {
    value.as_array().into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"{
        "packages": [
            {"id": "a 1", "name": "a", "version": "1.0.0", "license": "MIT", "source": null,
             "publish": null, "features": {"x": [], "default": []}},
            {"id": "b 1", "name": "b", "version": "2.0.0", "license": null,
             "source": "registry+somewhere", "publish": [], "features": {}},
            {"id": "c 1", "name": "c", "version": "3.0.0", "features": {}}
        ],
        "workspace_members": ["a 1"],
        "resolve": {"nodes": [
            {"id": "a 1", "deps": [
                {"pkg": "b 1", "dep_kinds": [{"kind": null}]},
                {"pkg": "c 1", "dep_kinds": [{"kind": "dev"}]}]},
            {"id": "b 1", "deps": [{"pkg": "c 1", "dep_kinds": [{"kind": "build"}]}]}
        ]}
    }"#;

    #[test]
    fn packages_are_read_with_what_the_checks_need() {
        let metadata = Metadata::parse(TEXT).unwrap();
        let (a, b) = (&metadata.packages[0], &metadata.packages[1]);
        assert_eq!((a.license.as_deref(), a.member, a.published), (Some("MIT"), true, true));
        assert_eq!(a.features, ["default", "x"]);
        assert_eq!((b.license.as_deref(), b.member, b.published), (None, false, false));
        assert_eq!(b.source.as_deref(), Some("registry+somewhere"));
    }

    #[test]
    fn dev_dependencies_are_no_edges_and_build_dependencies_are() {
        let metadata = Metadata::parse(TEXT).unwrap();
        assert_eq!(metadata.direct("a").collect::<Vec<_>>(), ["b"]);
        assert_eq!(metadata.direct("b").collect::<Vec<_>>(), ["c"]);
        assert_eq!(metadata.below("a"), BTreeSet::from(["b", "c"]));
    }
}
