//! Where the crawl keeps its queue and its results.

use std::path::{Path, PathBuf};

use kv_config::Config;
use kv_core::{BoxError, Store};

use crate::arguments::Arguments;
use crate::digest;

/// What the variables of a store begin with.
const PREFIX: &str = "OC_KV_STORE_";

/// The store that the environment names, or else the command line: a file of the state folder unless
/// it says otherwise.
pub(crate) async fn open(arguments: &Arguments) -> Result<Store, BoxError> {
    let mut variables = std::env::vars_os();
    if variables.any(|(name, _)| name.to_str().is_some_and(|name| name.starts_with(PREFIX))) {
        return Ok(kv_config::from_env().await?);
    }
    if arguments.in_memory {
        return Ok(Config::builder().store_type("memory").build()?.open().await?);
    }
    let path = file_of(&arguments.root)?;
    eprintln!("the state is in this file; to remove it: rm {}*", quoted(&path));
    Ok(Config::builder().store_type("sqlite").sqlite_path(path).build()?.open().await?)
}

/// The file for a tree: its name, and a hash of its whole path.
fn file_of(root: &Path) -> Result<PathBuf, BoxError> {
    let folder = state_folder().ok_or("no state folder; expected HOME or XDG_STATE_HOME")?;
    let folder = folder.join("oc-kv");
    std::fs::create_dir_all(&folder)
        .map_err(|error| format!("{}: cannot be made: {error}", folder.display()))?;
    let name = root.file_name().map_or("root".into(), |name| name.to_string_lossy());
    let plain = |c: char| if c.is_alphanumeric() || "-_.".contains(c) { c } else { '_' };
    let name: String = name.chars().map(plain).take(60).collect();
    let hash = digest::hex_of(root.as_os_str().as_encoded_bytes());
    Ok(folder.join(format!("crawl-{name}-{}.db", hash.get(..12).unwrap_or(&hash))))
}

/// The folder for what programs want to find again, by the XDG base directory specification.
fn state_folder() -> Option<PathBuf> {
    let absolute = |name| std::env::var_os(name).map(PathBuf::from).filter(|it| it.is_absolute());
    absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))
}

/// A path as a shell takes it.
fn quoted(path: &Path) -> String {
    format!("'{}'", path.display().to_string().replace('\'', r"'\''"))
}
