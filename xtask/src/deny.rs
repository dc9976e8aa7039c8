//! `deny`: licences, banned crates and sources are those of `deny.toml`.
//!
//! The check of these three is our own, so that it runs on every machine. Where cargo-deny is
//! installed it runs too, and it alone knows advisories; where they cannot be had, the output
//! says so.

use std::collections::BTreeSet;
use std::fs;

use crate::metadata::{Metadata, Package};
use crate::{Outcome, shell};

/// The parts of `deny.toml` that the own check reads.
#[derive(Debug, Default)]
struct Policy {
    licences: BTreeSet<String>,
    banned: BTreeSet<String>,
    registries: BTreeSet<String>,
}

pub(crate) fn run() -> Outcome {
    let text = fs::read_to_string(shell::root().join("deny.toml"))
        .map_err(|why| format!("deny.toml: {why}"))?;
    let policy = Policy::parse(&text)?;
    let metadata = Metadata::load()?;
    println!("{} packages: licences, bans and sources", metadata.packages.len());
    let own = shell::report(&violations(&metadata, &policy));
    own.and(cargo_deny())
}

/// Runs cargo-deny where it is installed, and says what of it was not run.
fn cargo_deny() -> Outcome {
    if !shell::has_cargo("deny") {
        println!("advisories: not run: cargo-deny is not installed");
        return Ok(());
    }
    let rest = shell::cargo(&["deny", "check", "licenses", "bans", "sources"]);
    let advisories = match shell::cargo_output(&["deny", "fetch", "db"]) {
        Ok(_) => shell::cargo(&["deny", "check", "advisories"]),
        Err(why) => {
            println!("advisories: not run: the database cannot be fetched: {why}");
            Ok(())
        }
    };
    rest.and(advisories)
}

impl Policy {
    fn parse(text: &str) -> Result<Policy, String> {
        let table: toml::Table = text.parse().map_err(|why| format!("deny.toml: {why}"))?;
        let entries = |section: &str, key: &str| {
            let list = table.get(section).and_then(|section| section.get(key)?.as_array());
            list.cloned().ok_or_else(|| format!("deny.toml: [{section}] {key} must be a list"))
        };
        let names = |list: Vec<toml::Value>| -> BTreeSet<String> {
            let name =
                |item: &toml::Value| Some(item.get("crate").unwrap_or(item).as_str()?.to_owned());
            list.iter().filter_map(name).collect()
        };
        Ok(Policy {
            licences: names(entries("licenses", "allow")?),
            banned: names(entries("bans", "deny")?),
            registries: names(entries("sources", "allow-registry")?),
        })
    }
}

fn violations(metadata: &Metadata, policy: &Policy) -> Vec<String> {
    let mut found = Vec::new();
    for package in &metadata.packages {
        let problems = [licence(package, policy), ban(package, policy), source(package, policy)];
        let told = problems.into_iter().flatten();
        found.extend(told.map(|why| format!("{} {}: {why}", package.name, package.version)));
    }
    found
}

fn licence(package: &Package, policy: &Policy) -> Option<String> {
    let Some(text) = &package.license else { return Some("names no licence".to_owned()) };
    match spdx::Expression::parse_mode(text, spdx::ParseMode::LAX) {
        Err(why) => Some(format!("licence `{text}` is no SPDX expression: {}", why.reason)),
        Ok(expression) => {
            let allowed = expression.evaluate(|one| policy.licences.contains(&one.to_string()));
            (!allowed).then(|| format!("licence `{text}` is not allowed"))
        }
    }
}

fn ban(package: &Package, policy: &Policy) -> Option<String> {
    policy.banned.contains(&package.name).then(|| "is banned".to_owned())
}

fn source(package: &Package, policy: &Policy) -> Option<String> {
    // A package without a source is a path inside the checkout.
    let source = package.source.as_deref()?;
    let known = source
        .strip_prefix("registry+")
        .is_some_and(|registry| policy.registries.contains(registry));
    (!known).then(|| format!("source `{source}` is not allowed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const POLICY: &str = r#"
        licenses.allow = ["MIT", "Apache-2.0", "Apache-2.0 WITH LLVM-exception"]
        bans.deny = [{ crate = "openssl-sys", reason = "a system library" }, "left-pad"]
        sources.allow-registry = ["https://registry.test/index"]
    "#;

    fn package(name: &str, license: &str) -> Package {
        let (name, version) = (name.to_owned(), "1.0.0".to_owned());
        Package { name, version, license: Some(license.to_owned()), ..Package::default() }
    }

    fn found(package: Package) -> Vec<String> {
        let metadata = Metadata { packages: vec![package], ..Metadata::default() };
        violations(&metadata, &Policy::parse(POLICY).unwrap())
    }

    #[test]
    fn a_choice_needs_one_allowed_licence_and_a_conjunction_needs_all() {
        assert_eq!(found(package("a", "MIT OR GPL-3.0-only")), [""; 0]);
        assert_eq!(found(package("a", "MIT/Apache-2.0")), [""; 0]);
        assert_eq!(found(package("a", "(MIT OR ISC) AND Apache-2.0")), [""; 0]);
        assert_eq!(
            found(package("a", "MIT AND ISC")),
            ["a 1.0.0: licence `MIT AND ISC` is not allowed"]
        );
    }

    #[test]
    fn an_exception_is_part_of_the_licence() {
        assert_eq!(found(package("a", "Apache-2.0 WITH LLVM-exception")), [""; 0]);
        assert_eq!(found(package("a", "MIT WITH LLVM-exception")).len(), 1);
    }

    #[test]
    fn a_missing_or_malformed_licence_is_found() {
        let without = Package { license: None, ..package("a", "") };
        assert_eq!(found(without), ["a 1.0.0: names no licence"]);
        assert_eq!(found(package("a", "MIT OR")).len(), 1);
    }

    #[test]
    fn a_banned_crate_is_found() {
        assert_eq!(found(package("openssl-sys", "MIT")), ["openssl-sys 1.0.0: is banned"]);
        assert_eq!(found(package("left-pad", "MIT")), ["left-pad 1.0.0: is banned"]);
    }

    #[test]
    fn a_source_other_than_the_allowed_registry_is_found() {
        let from =
            |source: &str| Package { source: Some(source.to_owned()), ..package("a", "MIT") };
        assert_eq!(found(from("registry+https://registry.test/index")), [""; 0]);
        assert_eq!(found(from("registry+https://other.test/index")).len(), 1);
        assert_eq!(found(from("git+https://registry.test/index")).len(), 1);
    }

    #[test]
    fn a_policy_without_an_expected_list_is_refused_by_its_name() {
        let error = Policy::parse("bans.deny = []").unwrap_err();
        assert_eq!(error, "deny.toml: [licenses] allow must be a list");
    }
}
