//! `redis://[user[:password]@]host[:port][/db]`, read strictly.
//!
//! No error shows the URL or a part of it that may hold the password.

use kv_core::Result;
use url::{Host, Url};

use super::{Secret, invalid};

const EXPECTED: &str = "expected redis://[user[:password]@]host[:port][/db]";

/// What a URL says; `None` and 0 where it is silent.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) host: String,
    pub(super) port: Option<u16>,
    pub(super) db: u8,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
}

pub(super) fn parse(text: &str) -> Result<Parts> {
    let url = Url::parse(text).map_err(|error| invalid("url", error, EXPECTED))?;
    check_scheme(url.scheme())?;
    if url.query().is_some() || url.fragment().is_some() {
        return Err(invalid("url", "has a query or a fragment", EXPECTED));
    }
    Ok(Parts {
        host: host(&url)?,
        port: url.port(),
        db: db(url.path())?,
        username: decoded("username", url.username())?,
        password: decoded("password", url.password().unwrap_or_default())?.map(Secret::new),
    })
}

fn check_scheme(scheme: &str) -> Result<()> {
    match scheme {
        "redis" => Ok(()),
        "rediss" => Err(invalid("url", "asks for TLS, which is not compiled in", EXPECTED)),
        "unix" | "redis+unix" | "redis-unix" => {
            Err(invalid("url", "names a Unix socket, which is not supported", EXPECTED))
        }
        "redis-cluster" | "redis-sentinel" => {
            Err(invalid("url", "asks for a cluster, which is not supported", EXPECTED))
        }
        _ => Err(invalid("url", "has another scheme than redis", EXPECTED)),
    }
}

fn host(url: &Url) -> Result<String> {
    match url.host() {
        Some(Host::Domain(name)) if !name.is_empty() => Ok(name.to_owned()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(Host::Domain(_)) | None => Err(invalid("url", "names no host", EXPECTED)),
    }
}

fn db(path: &str) -> Result<u8> {
    let number = path.strip_prefix('/').unwrap_or(path);
    if number.is_empty() {
        return Ok(0);
    }
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let db = number.parse().ok().filter(|_| digits);
    db.ok_or_else(|| invalid("url", "has a path that is no database", "expected 0 to 255"))
}

/// Percent-decodes; `None` for nothing at all.
fn decoded(field: &'static str, text: &str) -> Result<Option<String>> {
    let wrong = || invalid(field, "in the url is not percent-encoded UTF-8", EXPECTED);
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte != b'%' {
            bytes.push(byte);
            continue;
        }
        let mut digit = || char::from(rest.next()?).to_digit(16);
        let (high, low) = (digit().ok_or_else(wrong)?, digit().ok_or_else(wrong)?);
        bytes.push(u8::try_from(high * 16 + low).map_err(|_| wrong())?);
    }
    let text = String::from_utf8(bytes).map_err(|_| wrong())?;
    Ok(Some(text).filter(|text| !text.is_empty()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_part_is_read() {
        let parts = parse("redis://us%40er:p%2Fw%20d@db.internal:6380/12").unwrap();
        assert_eq!((parts.host.as_str(), parts.port, parts.db), ("db.internal", Some(6380), 12));
        assert_eq!(parts.username.as_deref(), Some("us@er"));
        assert_eq!(parts.password.unwrap().expose(), "p/w d");
    }

    #[test]
    fn what_is_not_said_is_left_open() {
        for text in ["redis://h", "redis://h/", "redis://@h", "redis://:@h"] {
            let parts = parse(text).unwrap();
            assert_eq!((parts.host.as_str(), parts.port, parts.db), ("h", None, 0), "{text}");
            assert!(parts.username.is_none() && parts.password.is_none(), "{text}");
        }
        assert_eq!(parse("redis://:pw@h").unwrap().password.unwrap().expose(), "pw");
        assert_eq!(parse("redis://[::1]:7").unwrap().host, "::1");
    }

    #[test]
    fn a_wrong_url_is_an_error_that_does_not_show_it() {
        let cases = [
            "",
            "localhost",
            "localhost:6379",
            "http://:canary@h",
            "rediss://:canary@h",
            "unix:///canary",
            "redis-cluster://:canary@h",
            "redis://",
            "redis:///0",
            "redis://:canary@h/zero",
            "redis://:canary@h/-1",
            "redis://:canary@h/+1",
            "redis://:canary@h/256",
            "redis://:canary@h/1/2",
            "redis://:canary@h?db=1",
            "redis://:canary@h#1",
            "redis://:canary%zz@h",
            "redis://:canary%f@h",
            "redis://:canary%ff@h",
            "redis://:canary@h:65536",
            "redis://:canary@h:port",
        ];
        for text in cases {
            let error = parse(text).unwrap_err();
            assert_eq!(error.kind(), kv_core::ErrorKind::Config, "{text}");
            assert!(error.to_string().contains("expected"), "{text}: {error}");
            assert!(!format!("{error} {error:?}").contains("canary"), "{error}");
        }
    }
}
