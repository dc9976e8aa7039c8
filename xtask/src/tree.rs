//! The repository's text files, read once for the checks that look at text.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use crate::shell;

/// Text by path; paths are relative to the top, with `/` between their parts.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    files: BTreeMap<String, String>,
    /// Files that are no text, such as pictures.
    others: BTreeSet<String>,
}

impl Tree {
    /// Reads every file but git's and the build's; does not follow symbolic links.
    pub(crate) fn load() -> Result<Tree, String> {
        let mut tree = Tree::default();
        tree.read(shell::root(), "").map_err(|why| format!("cannot read the repository: {why}"))?;
        Ok(tree)
    }

    fn read(&mut self, folder: &Path, prefix: &str) -> std::io::Result<()> {
        for entry in fs::read_dir(folder)? {
            let entry = entry?;
            let path = format!("{prefix}{}", entry.file_name().to_string_lossy());
            let kind = entry.file_type()?;
            if kind.is_dir() && path != "target" && path != ".git" {
                self.read(&entry.path(), &format!("{path}/"))?;
            } else if kind.is_file() {
                match String::from_utf8(fs::read(entry.path())?) {
                    Ok(text) => drop(self.files.insert(path, text)),
                    Err(_) => drop(self.others.insert(path)),
                }
            }
        }
        Ok(())
    }

    /// A tree of planted files.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Tree {
        let pairs = files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned()));
        Tree { files: pairs.collect(), others: BTreeSet::new() }
    }

    /// A file's text.
    pub(crate) fn get(&self, path: &str) -> Option<&str> {
        self.files.get(path).map(String::as_str)
    }

    /// Whether a file is there, text or not.
    pub(crate) fn has_file(&self, path: &str) -> bool {
        self.files.contains_key(path) || self.others.contains(path)
    }

    /// All files of text, by path.
    pub(crate) fn files(&self) -> impl Iterator<Item = (&str, &str)> {
        self.files.iter().map(|(path, text)| (path.as_str(), text.as_str()))
    }

    /// The files whose path ends so.
    pub(crate) fn ending(&self, suffix: &str) -> impl Iterator<Item = (&str, &str)> {
        self.files().filter(move |(path, _)| path.ends_with(suffix))
    }

    /// Whether a file or a folder is there.
    pub(crate) fn has(&self, path: &str) -> bool {
        let path = path.trim_end_matches('/');
        let inside = format!("{path}/");
        let in_folder = || self.files().any(|(file, _)| file.starts_with(&inside));
        path.is_empty() || self.has_file(path) || in_folder()
    }
}
