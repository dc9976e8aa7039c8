//! `features`: each feature of each published crate compiles alone without a warning, as do none and
//! all.

use crate::metadata::{Metadata, Package};
use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    let metadata = Metadata::load()?;
    let mut failed = Vec::new();
    for package in metadata.members().filter(|package| package.published) {
        for choice in choices(package) {
            // Clippy denies the warnings of our crates alone, so the others are built once. An `allow`
            // is needed where another crate's features decide whether there is something to expect.
            let mut line = vec!["clippy", "--quiet", "--package", package.name.as_str()];
            line.extend(choice.iter().map(String::as_str));
            line.extend(["--", "-D", "warnings", "-A", "clippy::allow_attributes"]);
            if let Err(why) = shell::cargo(&line) {
                failed.push(why);
            }
        }
    }
    shell::report(&failed)
}

/// The flags of each selection of features that must compile.
fn choices(package: &Package) -> Vec<Vec<String>> {
    let none = vec!["--no-default-features".to_owned()];
    if package.features.is_empty() {
        return vec![none];
    }
    let alone = package
        .features
        .iter()
        .map(|feature| vec!["--no-default-features".to_owned(), format!("--features={feature}")]);
    std::iter::once(none).chain(alone).chain([vec!["--all-features".to_owned()]]).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn flags(features: &[&str]) -> Vec<String> {
        let features = features.iter().map(ToString::to_string).collect();
        let package = Package { features, ..Package::default() };
        choices(&package).iter().map(|choice| choice.join(" ")).collect()
    }

    #[test]
    fn a_crate_is_checked_with_no_feature_each_alone_and_all() {
        assert_eq!(
            flags(&["memory", "redis"]),
            [
                "--no-default-features",
                "--no-default-features --features=memory",
                "--no-default-features --features=redis",
                "--all-features",
            ]
        );
    }

    #[test]
    fn a_crate_without_features_is_checked_once() {
        assert_eq!(flags(&[]), ["--no-default-features"]);
    }
}
