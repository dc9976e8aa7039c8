//! What a text must be beyond text: each tells what is wrong.

use std::net::Ipv6Addr;
use std::path::PathBuf;

use kv_core::RESERVED;

/// The byte order mark, which some editors put before a text.
pub(crate) const MARK: char = '\u{feff}';

const MAX_PREFIX_BYTES: usize = 512;

/// The schemes of a Redis server.
const SCHEMES: [&str; 7] = [
    "redis://",
    "rediss://",
    "redis+unix://",
    "redis-cluster://",
    "rediss-cluster://",
    "redis-sentinel://",
    "rediss-sentinel://",
];

/// What the URL of a SQLite file begins with; what follows is the absolute path.
const SQLITE: &str = "sqlite://";

/// Whether a URL is that of a SQLite file.
pub(crate) fn is_sqlite(url: &str) -> bool {
    behind(SQLITE, url).is_some()
}

/// The path in the URL of a SQLite file.
pub(crate) fn sqlite_path(url: &str) -> Option<PathBuf> {
    let path = behind(SQLITE, url)?;
    let plain = path.starts_with('/') && path.len() > 1 && !path.contains(['?', '#']);
    let decoded = decoded(path.as_bytes()).filter(|_| plain)?;
    String::from_utf8(decoded).ok().map(PathBuf::from)
}

/// What follows a scheme, which may be written in any case.
fn behind<'a>(scheme: &str, url: &'a str) -> Option<&'a str> {
    let head = url.get(..scheme.len())?;
    head.eq_ignore_ascii_case(scheme).then(|| url.get(scheme.len()..)).flatten()
}

/// Bytes with each `%20` and its like as the byte that it stands for.
fn decoded(mut text: &[u8]) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    while let Some((first, rest)) = text.split_first() {
        text = rest;
        bytes.push(match first {
            b'%' => {
                let (digits, rest) = text.split_at_checked(2)?;
                text = rest;
                u8::from_str_radix(std::str::from_utf8(digits).ok()?, 16).ok()?
            }
            plain => *plain,
        });
    }
    Some(bytes)
}

/// A URL in its outlines; the backend that it is for reads the rest.
pub(crate) fn url(text: &str) -> Option<&'static str> {
    if let Some(complaint) = outer_space(text) {
        return Some(complaint);
    }
    if is_sqlite(text) {
        return sqlite_path(text).is_none().then_some("names no file");
    }
    let rest = SCHEMES.iter().find_map(|scheme| behind(scheme, text));
    match rest {
        None => Some("has another scheme than `redis` and `sqlite`"),
        Some(rest) if rest.is_empty() || rest.contains(is_odd) => Some("is no URL of a server"),
        Some(_) => None,
    }
}

/// What nobody sees in a value, and everybody looks for in vain.
fn outer_space(text: &str) -> Option<&'static str> {
    if text.starts_with(MARK) {
        Some("begins with a byte order mark")
    } else if text.ends_with(['\r', '\n']) {
        Some("ends with a line break")
    } else if text.starts_with(char::is_whitespace) {
        Some("begins with a space")
    } else if text.ends_with(char::is_whitespace) {
        Some("ends with a space")
    } else {
        None
    }
}

/// A password may have spaces at its ends, but no remains of a file that it was copied from.
pub(crate) fn secret(text: &str) -> Option<&'static str> {
    outer_space(text).filter(|_| text.starts_with(MARK) || text.ends_with(['\r', '\n']))
}

/// The key of the layer `encrypt`.
pub(crate) fn encryption_key(text: &str) -> Option<&'static str> {
    let is_key = text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
    (!is_key).then_some("is no key")
}

/// What is checked elsewhere, such as the name of a backend.
pub(crate) fn anything(_: &str) -> Option<&'static str> {
    None
}

/// A name or an address alone.
pub(crate) fn host(text: &str) -> Option<&'static str> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if let Some(complaint) = outer_space(text) {
        Some(complaint)
    } else if text.contains("://") {
        Some("has a scheme")
    } else if text.chars().all(plain) || text.parse::<Ipv6Addr>().is_ok() {
        None
    } else if text.contains(':') {
        Some("has a port or is no address")
    } else {
        Some("has a character that no host name has")
    }
}

/// A host and a port; an IPv6 address in brackets.
pub(crate) fn node(text: &str) -> Option<&'static str> {
    let Some((name, port)) = text.rsplit_once(':') else { return Some("has an item without port") };
    let name = name.strip_prefix('[').and_then(|name| name.strip_suffix(']')).unwrap_or(name);
    match port.parse::<u16>() {
        Ok(1..) if !name.is_empty() => host(name),
        _ => Some("has an item that is no host and port"),
    }
}

pub(crate) fn key_prefix(text: &str) -> Option<&'static str> {
    if text.contains(['{', '}']) {
        Some("has a brace, which would put all keys into one slot of a cluster")
    } else if text.contains(RESERVED) {
        Some("has what marks the library's own keys")
    } else if text.contains(char::is_control) {
        Some("has a control character")
    } else if text.len() > MAX_PREFIX_BYTES {
        Some("is too long")
    } else {
        None
    }
}

fn is_odd(character: char) -> bool {
    character.is_whitespace() || character.is_control()
}
