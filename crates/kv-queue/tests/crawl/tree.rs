//! Trees to crawl, and what they add up to by the definition, without the crawl.

use std::fs;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};
use tempfile::TempDir;

pub(crate) const FILES: usize = 400;

/// A tree with what real trees have: depth, empty files and directories, odd names, links.
pub(crate) fn odd() -> TempDir {
    let root = TempDir::new().unwrap();
    grow(root.path(), FILES);
    fs::create_dir(root.path().join("empty")).unwrap();
    fs::write(root.path().join("d0/ü[*]?"), "").unwrap();
    std::os::unix::fs::symlink("d0", root.path().join("link")).unwrap();
    std::os::unix::fs::symlink("/nowhere", root.path().join("d1/dangling")).unwrap();
    root
}

/// A plain tree of this many files under `target`, made once and used again.
pub(crate) fn kept(files: usize) -> PathBuf {
    let trees = Path::new(env!("CARGO_TARGET_TMPDIR")).join("trees");
    let kept = trees.join(files.to_string());
    if !kept.exists() {
        fs::create_dir_all(&trees).unwrap();
        let fresh = TempDir::new_in(&trees).unwrap();
        grow(fresh.path(), files);
        // Whoever is first wins; the trees are the same.
        let _ = fs::rename(fresh.path(), &kept);
    }
    kept.canonicalize().unwrap()
}

fn grow(root: &Path, files: usize) {
    for number in 0..files {
        let directory = root.join(format!("d{}/e{}", number % 7, number % 13));
        if number < 7 * 13 {
            fs::create_dir_all(&directory).unwrap();
        }
        let file = directory.join(format!("file {number}"));
        fs::write(file, "x".repeat(number % FILES * 37)).unwrap();
    }
}

/// What a tree holds.
#[derive(Default)]
pub(crate) struct Expected {
    pub(crate) files: u64,
    /// The root among them.
    pub(crate) directories: u64,
    pub(crate) digest: String,
}

pub(crate) fn expected(root: &Path) -> Expected {
    let mut expected = Expected::default();
    let mut lines = Vec::new();
    let mut directories = vec![root.to_owned()];
    while let Some(directory) = directories.pop() {
        expected.directories += 1;
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            if path.is_symlink() {
                continue;
            }
            if path.is_dir() {
                directories.push(path);
            } else {
                expected.files += 1;
                let hash = hex(&Sha256::digest(fs::read(&path).unwrap()));
                let name = path.strip_prefix(root).unwrap().to_str().unwrap();
                lines.push(format!("{name} {hash}\n"));
            }
        }
    }
    lines.sort_unstable();
    expected.digest = hex(&Sha256::digest(lines.concat()));
    expected
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
