//! Folders under `target/` for what is not of this workspace.

use std::fs;
use std::io;
use std::path::Path;

use crate::{Outcome, shell};

/// Makes a folder that is empty.
pub(crate) fn emptied(folder: &Path) -> io::Result<()> {
    if folder.exists() {
        fs::remove_dir_all(folder)?;
    }
    fs::create_dir_all(folder)
}

/// Writes a file, and the folders that it stands in.
pub(crate) fn put(folder: &Path, path: &str, text: &str) -> io::Result<()> {
    let path = folder.join(path);
    path.parent().map_or(Ok(()), fs::create_dir_all)?;
    fs::write(path, text)
}

/// Makes a project of these files, and of nothing that was there before. It has the versions of this
/// repository, so that crates that are built already serve it too.
pub(crate) fn project(folder: &Path, files: &[(&str, &str)]) -> Outcome {
    let made = || -> io::Result<()> {
        emptied(folder)?;
        for (path, text) in files {
            put(folder, path, text)?;
        }
        fs::copy(shell::root().join("Cargo.lock"), folder.join("Cargo.lock")).map(drop)
    };
    made().map_err(|why| format!("{}: {why}", folder.display()))
}
