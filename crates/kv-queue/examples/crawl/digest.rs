//! What the store says about a crawl: records, and the digest over all of them.

use std::path::Path;

use kv_core::{Result, Store};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

use crate::tree::RawPath;

/// How many records are read at a time.
const PAGE: usize = 500;

/// What is kept of a file under `processed:<hash of its path>`.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct Record {
    pub(crate) root: RawPath,
    pub(crate) path: RawPath,
    pub(crate) bytes: u64,
    pub sha256: String,
}

/// What the records of one root add up to.
pub(crate) struct Report {
    pub(crate) files: u64,
    pub(crate) bytes: u64,
    pub(crate) digest: String,
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn hex_of(bytes: &[u8]) -> String {
    hex(&Sha256::digest(bytes))
}

/// Under which key a file's record is.
pub(crate) fn key_of(root: &Path, path: &RawPath) -> String {
    hex_of(path.under(root).as_os_str().as_encoded_bytes())
}

/// Adds up the store's records of a root, and nothing else.
pub(crate) async fn report(store: &Store, root: &Path) -> Result<Report> {
    let mut lines = Vec::new();
    let mut bytes = 0;
    for (_, record) in records(store, root).await? {
        bytes += record.bytes;
        lines.push([record.path.as_bytes(), b" ", record.sha256.as_bytes(), b"\n"].concat());
    }
    lines.sort_unstable();
    let mut digest = Sha256::new();
    for line in &lines {
        digest.update(line);
    }
    Ok(Report { files: lines.len() as u64, bytes, digest: hex(&digest.finalize()) })
}

/// Deletes the records of a root.
pub(crate) async fn forget(store: &Store, root: &Path) -> Result<()> {
    let keys: Vec<String> = records(store, root).await?.into_iter().map(|(key, _)| key).collect();
    for keys in keys.chunks(PAGE) {
        store.namespace("processed").delete_many(keys).await?;
    }
    Ok(())
}

async fn records(store: &Store, root: &Path) -> Result<Vec<(String, Record)>> {
    let processed = store.namespace("processed");
    let keys = processed.keys("*").await?;
    let root = root.as_os_str().as_encoded_bytes();
    let mut records = Vec::new();
    for page in keys.chunks(PAGE) {
        let found = processed.get_many::<Record>(page).await?;
        let own = page.iter().zip(found).filter_map(|(key, record)| Some((key.clone(), record?)));
        records.extend(own.filter(|(_, record)| record.root.as_bytes() == root));
    }
    Ok(records)
}
