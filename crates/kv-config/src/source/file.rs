//! A TOML file, read through `config`.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::sync::Arc;

use config::{FileFormat, Source, ValueKind};

use super::{Given, Origin};
use crate::check::MARK;
use crate::problem::Problems;
use crate::value::Raw;

/// The longest file that is read, in bytes.
const MAX_BYTES: u64 = 1 << 20;

/// What the file gives.
pub(crate) fn read(path: &Path, problems: &mut Problems) -> Vec<Given> {
    let tree = match text(path) {
        Ok(text) => config::File::from_str(&text, FileFormat::Toml)
            .collect()
            .map_err(|error| format!("is no TOML{}", place(&error))),
        Err(error) => Err(format!("cannot be read ({})", reason(&error))),
    };
    match tree {
        Ok(tree) => flatten(path, tree),
        Err(problem) => {
            let expected = "a TOML file with keys such as `redis.host`";
            problems.add(path.display().to_string(), problem, expected);
            Vec::new()
        }
    }
}

/// The text of a regular file of at most 1 MiB, without the byte order mark that some editors put
/// before it.
///
/// # Errors
/// Those of the file system, also for a pipe or a device, which might never end; `InvalidData` for
/// what is no UTF-8.
pub(crate) fn text(path: &Path) -> io::Result<String> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
    }
    let mut bytes = Vec::new();
    File::open(path)?.take(MAX_BYTES + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > MAX_BYTES {
        return Err(io::Error::new(io::ErrorKind::FileTooLarge, "more than 1 MiB"));
    }
    decoded(bytes).map_err(|what| io::Error::new(io::ErrorKind::InvalidData, what))
}

/// UTF-8, or what it is in its place.
fn decoded(bytes: Vec<u8>) -> Result<String, &'static str> {
    // Without a mark, every other byte of Latin letters in UTF-16 is 0.
    if bytes.starts_with(&[0xFF, 0xFE]) || bytes.starts_with(&[0xFE, 0xFF]) || bytes.contains(&0) {
        return Err("UTF-16 or binary, not UTF-8");
    }
    let text = String::from_utf8(bytes).map_err(|_| "not UTF-8")?;
    Ok(text.strip_prefix(MARK).map(str::to_owned).unwrap_or(text))
}

/// What kept a file from being read. The kind says it, except where the error is our own.
pub(crate) fn reason(error: &io::Error) -> String {
    error.get_ref().map_or_else(|| error.kind().to_string(), ToString::to_string)
}

/// Where the file stops being TOML. Only the first line of the error: the others quote the file.
fn place(error: &config::ConfigError) -> String {
    let text = match error {
        config::ConfigError::FileParse { cause, .. } => cause.to_string(),
        other => other.to_string(),
    };
    let first = text.lines().next().unwrap_or_default();
    let place = first.strip_prefix("TOML parse error at ");
    place.map(|place| format!(" (at {place})")).unwrap_or_default()
}

fn flatten(path: &Path, tree: config::Map<String, config::Value>) -> Vec<Given> {
    let origin = Origin::File(Arc::from(path));
    let mut found = Vec::new();
    let mut open: Vec<(String, config::Value)> =
        tree.into_iter().map(|(key, value)| (quoted(key), value)).collect();
    while let Some((name, value)) = open.pop() {
        match value.kind {
            // An empty table is kept, so that a slip in its name is seen.
            ValueKind::Table(table) if !table.is_empty() => {
                open.extend(
                    table
                        .into_iter()
                        .map(|(key, value)| (format!("{name}.{}", quoted(key)), value)),
                );
            }
            kind => found.push(Given { origin: origin.clone(), name, raw: raw(kind) }),
        }
    }
    found
}

/// A key that has a dot itself is not the path that it looks like.
fn quoted(key: String) -> String {
    if key.contains('.') { format!("`{key}`") } else { key }
}

fn raw(kind: ValueKind) -> Raw {
    match kind {
        ValueKind::String(text) => Raw::Text(text),
        ValueKind::Boolean(flag) => Raw::Flag(flag),
        ValueKind::I64(number) => Raw::Integer(number),
        ValueKind::Float(number) => Raw::Float(number),
        ValueKind::Array(items) => list(items),
        ValueKind::Table(_) => Raw::Other("a table"),
        ValueKind::Nil => Raw::Other("nothing"),
        ValueKind::I128(_) | ValueKind::U64(_) | ValueKind::U128(_) => {
            Raw::Other("a number beyond 64 bits")
        }
    }
}

fn list(items: Vec<config::Value>) -> Raw {
    let texts = items.into_iter().map(|item| match item.kind {
        ValueKind::String(text) => Some(text),
        _ => None,
    });
    texts.collect::<Option<_>>().map_or(Raw::Other("an array of other things than text"), Raw::List)
}
