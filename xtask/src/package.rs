//! `package`: each published crate can be packaged, and a program builds on what was packaged.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::metadata::{Metadata, Package};
use crate::{Outcome, folder, shell, tasks};

pub(crate) fn run() -> Outcome {
    let metadata = Metadata::load()?;
    let mut line = vec!["package", "--quiet", "--workspace", "--no-verify", "--allow-dirty"];
    for package in metadata.members().filter(|package| !package.published) {
        line.extend(["--exclude", package.name.as_str()]);
    }
    shell::cargo(&line)?;
    let published: Vec<&Package> = metadata.members().filter(|package| package.published).collect();
    let folder = consumer(&published)?;
    let manifest = folder.join("Cargo.toml");
    shell::cargo(&["check", "--manifest-path", &manifest.to_string_lossy()])
}

/// The program of the tour, on crates that were unpacked beside it as a registry would give them.
fn consumer(published: &[&Package]) -> Result<PathBuf, String> {
    let folder = shell::root().join("target/consumer");
    let files = tasks::files("service")?;
    let source = files.into_iter().find(|(path, _)| path == "src/main.rs");
    let (_, source) = source.ok_or("the tour has no src/main.rs")?;
    let files = [("src/main.rs", &*source), ("Cargo.toml", &*manifest(published))];
    folder::project(&folder, &files)?;
    for package in published {
        unpack(&shell::root().join("target/package"), &file_name(package), &folder)?;
    }
    Ok(folder)
}

fn file_name(package: &Package) -> String {
    format!("{}-{}", package.name, package.version)
}

/// The crates come from the registry, in whose place the unpacked ones stand.
fn manifest(published: &[&Package]) -> String {
    let mut text = "[package]\nname = \"consumer\"\nedition = \"2024\"\n\n[dependencies]\n\
        tokio = { version = \"1\", features = [\"macros\", \"rt-multi-thread\", \"time\"] }\n"
        .to_owned();
    for package in published {
        let features = if package.name == "kv-config" { ", features = [\"sqlite\"]" } else { "" };
        if ["kv-core", "kv-config", "kv-queue"].contains(&package.name.as_str()) {
            let Package { name, version, .. } = package;
            text.push_str(&format!("{name} = {{ version = \"{version}\"{features} }}\n"));
        }
    }
    text.push_str("\n[patch.crates-io]\n");
    for package in published {
        text.push_str(&format!("{} = {{ path = \"{}\" }}\n", package.name, file_name(package)));
    }
    text
}

fn unpack(from: &Path, name: &str, to: &Path) -> Outcome {
    let archive = from.join(format!("{name}.crate"));
    let line = format!("tar -xzf {}", archive.display());
    shell::run(Command::new("tar").arg("-xzf").arg(&archive).arg("-C").arg(to), &line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_consumer_asks_the_registry_and_is_given_what_was_packaged() {
        let core =
            Package { name: "kv-core".into(), version: "0.1.0".into(), ..Package::default() };
        let other = Package { name: "kv-other".into(), ..core.clone() };
        let text = manifest(&[&core, &other]);
        assert!(text.contains("\nkv-core = { version = \"0.1.0\" }\n"), "{text}");
        assert!(text.ends_with(
            "[patch.crates-io]\nkv-core = { path = \"kv-core-0.1.0\" }\n\
             kv-other = { path = \"kv-other-0.1.0\" }\n"
        ));
    }
}
