//! Looking at the tree itself: paths, directories, file contents.

use std::ffi::OsStr;
use std::fmt;
use std::fs;
use std::io::{self, Read};
use std::os::unix::ffi::OsStrExt;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// A path, mostly one below the root. Most are text; the others are kept byte for byte.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(untagged)]
pub(crate) enum RawPath {
    Text(String),
    Bytes(Vec<u8>),
}

impl RawPath {
    /// The root itself.
    pub(crate) const fn empty() -> Self {
        Self::Text(String::new())
    }

    pub(crate) fn as_bytes(&self) -> &[u8] {
        match self {
            Self::Text(text) => text.as_bytes(),
            Self::Bytes(bytes) => bytes,
        }
    }

    pub(crate) fn under(&self, root: &Path) -> PathBuf {
        root.join(Path::new(OsStr::from_bytes(self.as_bytes())))
    }

    fn child(&self, name: &OsStr) -> Self {
        let mut path = self.as_bytes().to_vec();
        if !path.is_empty() {
            path.push(b'/');
        }
        path.extend_from_slice(name.as_bytes());
        path.into()
    }
}

impl From<Vec<u8>> for RawPath {
    fn from(path: Vec<u8>) -> Self {
        String::from_utf8(path).map_or_else(|odd| Self::Bytes(odd.into_bytes()), Self::Text)
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(self.as_bytes()))
    }
}

/// What a directory holds; links and special files are passed over.
pub(crate) struct Listing {
    pub(crate) files: Vec<RawPath>,
    pub(crate) directories: Vec<RawPath>,
}

pub(crate) fn list(root: &Path, directory: &RawPath) -> io::Result<Listing> {
    let mut listing = Listing { files: Vec::new(), directories: Vec::new() };
    for entry in fs::read_dir(directory.under(root))? {
        let entry = entry?;
        let kind = entry.file_type()?;
        let path = directory.child(&entry.file_name());
        if kind.is_dir() {
            listing.directories.push(path);
        } else if kind.is_file() {
            listing.files.push(path);
        }
    }
    Ok(listing)
}

/// A file's length and SHA-256.
pub(crate) fn hash(root: &Path, file: &RawPath) -> io::Result<(u64, String)> {
    let mut file = fs::File::open(file.under(root))?;
    let mut hasher = Sha256::new();
    let mut buffer = vec![0; 64 * 1024];
    let mut bytes = 0;
    loop {
        let read = file.read(&mut buffer)?;
        let Some(part) = buffer.get(..read).filter(|part| !part.is_empty()) else { break };
        hasher.update(part);
        bytes += read as u64;
    }
    Ok((bytes, crate::digest::hex(&hasher.finalize())))
}
