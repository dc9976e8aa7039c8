//! Where one server listens.

use std::fmt;
use std::net::Ipv6Addr;
use std::path::{Path, PathBuf};

use kv_core::Result;

use super::invalid;

/// A port of a host, or a socket in the file system.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) enum Address {
    Tcp { host: String, port: u16 },
    Unix(PathBuf),
}

impl Address {
    /// An error names `field`.
    ///
    /// An IPv6 address comes without brackets.
    pub(super) fn tcp(field: &str, host: String, port: u16) -> Result<Self> {
        check_host(field, &host)?;
        if port == 0 {
            return Err(invalid("port", "is 0", "expected 1 to 65535"));
        }
        Ok(Self::Tcp { host, port })
    }

    /// Reads `host:port`; an IPv6 address is in brackets.
    pub(crate) fn parse(field: &str, text: &str) -> Result<Self> {
        let expected = "expected host:port";
        let wrong = || invalid(field, format!("{text:?} is malformed"), expected);
        let (host, port) = text.rsplit_once(':').ok_or_else(wrong)?;
        let bare = host.strip_prefix('[').and_then(|host| host.strip_suffix(']'));
        if bare.is_none() && host.contains(':') {
            return Err(wrong());
        }
        let digits = port.bytes().all(|byte| byte.is_ascii_digit());
        let port = port.parse().ok().filter(|port| digits && *port > 0).ok_or_else(wrong)?;
        check_host(field, bare.unwrap_or(host)).map_err(|_| wrong())?;
        Ok(Self::Tcp { host: bare.unwrap_or(host).to_owned(), port })
    }

    pub(super) fn unix(path: &Path) -> Result<Self> {
        if !path.is_absolute() {
            let problem = format!("{} is not absolute", path.display());
            return Err(invalid("unix_socket", problem, "expected a path that begins with /"));
        }
        Ok(Self::Unix(path.to_owned()))
    }
}

/// As logs and errors show it.
impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp { host, port } if host.contains(':') => write!(f, "[{host}]:{port}"),
            Self::Tcp { host, port } => write!(f, "{host}:{port}"),
            Self::Unix(path) => write!(f, "{}", path.display()),
        }
    }
}

fn check_host(field: &str, host: &str) -> Result<()> {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() {
        return Err(invalid(field, "is empty", "expected a name or an address"));
    }
    if host.parse::<Ipv6Addr>().is_err() && !host.chars().all(name) {
        let expected = "expected a host name or an address alone, without port or scheme";
        return Err(invalid(field, format!("{host:?} is malformed"), expected));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_shown_as_it_is_read() {
        for text in ["db.internal:6379", "127.0.0.1:1", "[::1]:65535"] {
            assert_eq!(Address::parse("nodes", text).unwrap().to_string(), text);
        }
        assert_eq!(Address::unix(Path::new("/run/r.sock")).unwrap().to_string(), "/run/r.sock");
    }

    #[test]
    fn what_is_no_address_is_shown_with_what_was_expected() {
        for text in ["", "db", "db:", ":1", "db:0", "db:65536", "db:+1", "::1", "::1:6379", "[::1]"]
        {
            let error = Address::parse("nodes", text).unwrap_err().to_string();
            assert!(error.starts_with(&format!("nodes {text:?} is malformed")), "{error}");
            assert!(error.contains("host:port"), "{error}");
        }
        let error = Address::unix(Path::new("r.sock")).unwrap_err().to_string();
        assert!(error.contains("r.sock is not absolute"), "{error}");
    }
}
