//! URLs of servers, read strictly.
//!
//! No error shows the URL or a part of it that may hold the password.

use std::path::PathBuf;

use kv_core::Result;
use url::{Host, Url};

use super::{Arrangement, DEFAULT_PORT, Secret, invalid};

const EXPECTED: &str = "expected redis://[user[:password]@]host[:port][/db], or the same with \
                        rediss, redis+unix, redis-cluster or redis-sentinel";

/// The parts of a URL, with defaults for missing parts.
#[derive(Debug)]
pub(super) struct Parts {
    pub(super) host: String,
    pub(super) port: u16,
    pub(super) arrangement: Arrangement,
    pub(super) db: u8,
    pub(super) username: Option<String>,
    pub(super) password: Option<Secret>,
    pub(super) is_encrypted: bool,
}

pub(super) fn parse(text: &str) -> Result<Parts> {
    let url = Url::parse(text).map_err(|error| invalid("url", error, EXPECTED))?;
    if url.fragment().is_some() {
        return Err(invalid("url", "has a fragment", EXPECTED));
    }
    let mut parts = Parts {
        host: String::new(),
        port: url.port().unwrap_or(DEFAULT_PORT),
        arrangement: Arrangement::Tcp,
        db: 0,
        username: decoded("username", url.username())?,
        password: decoded("password", url.password().unwrap_or_default())?.map(Secret::new),
        is_encrypted: url.scheme().starts_with("rediss"),
    };
    let mut query = Query::of(&url)?;
    match url.scheme() {
        "redis" | "rediss" => {
            parts.host = host(&url)?;
            parts.db = db(url.path().trim_start_matches('/'), url.path())?;
        }
        "redis+unix" => {
            parts.arrangement = Arrangement::Unix(socket(&url)?);
            let number = query.take_one("db")?.unwrap_or_default();
            parts.db = db(&number, &number)?;
        }
        "redis-cluster" | "rediss-cluster" => {
            parts.arrangement = Arrangement::Cluster(nodes(&url, &mut query)?);
            parts.db = db(url.path().trim_start_matches('/'), url.path())?;
        }
        "redis-sentinel" | "rediss-sentinel" => {
            let wrong = || invalid("url", "names no master", "expected ?master=name");
            let master = query.take_one("master")?.ok_or_else(wrong)?;
            let nodes = nodes(&url, &mut query)?;
            let (username, password) = (None, None);
            parts.arrangement = Arrangement::Sentinel { master, nodes, username, password };
            parts.db = db(url.path().trim_start_matches('/'), url.path())?;
        }
        _ => return Err(invalid("url", "has another scheme", EXPECTED)),
    }
    query.end()?;
    Ok(parts)
}

/// The query after the question mark: names and values, each to be read.
struct Query(Vec<(String, String)>);

impl Query {
    fn of(url: &Url) -> Result<Self> {
        let pairs = url.query().unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            Ok((name.to_owned(), decoded("the query", value)?.unwrap_or_default()))
        });
        Ok(Self(pairs.collect::<Result<_>>()?))
    }

    fn take_all(&mut self, name: &str) -> Vec<String> {
        self.0.extract_if(.., |(one, _)| one == name).map(|(_, value)| value).collect()
    }

    fn take_one(&mut self, name: &str) -> Result<Option<String>> {
        let mut values = self.take_all(name);
        if values.len() > 1 {
            return Err(invalid("url", format!("names {name} more than once"), "expected one"));
        }
        Ok(values.pop())
    }

    /// Fails if the query has a part that nobody read.
    fn end(self) -> Result<()> {
        if self.0.is_empty() {
            return Ok(());
        }
        Err(invalid("url", "has a query that its scheme does not have", EXPECTED))
    }
}

fn host(url: &Url) -> Result<String> {
    match url.host() {
        // A scheme that is not the web's own has its host's bytes percent-encoded.
        Some(Host::Domain(name)) if !name.is_empty() => Ok(name.to_owned()),
        Some(Host::Ipv4(address)) => Ok(address.to_string()),
        Some(Host::Ipv6(address)) => Ok(address.to_string()),
        Some(Host::Domain(_)) | None => Err(invalid("url", "names no host", EXPECTED)),
    }
}

/// The host of the URL and those of its query, each as `host:port`.
fn nodes(url: &Url, query: &mut Query) -> Result<Vec<String>> {
    let host = host(url)?;
    let port = url.port().unwrap_or(DEFAULT_PORT);
    let first =
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") };
    Ok([first].into_iter().chain(query.take_all("node")).collect())
}

fn socket(url: &Url) -> Result<PathBuf> {
    if url.host_str().is_some_and(|host| !host.is_empty()) || url.port().is_some() {
        let expected = "expected redis+unix:///path/of/the/socket";
        return Err(invalid("url", "names a host before the socket's path", expected));
    }
    let path = decoded("the path", url.path())?;
    let path = path.filter(|path| path.len() > 1);
    path.map(PathBuf::from).ok_or_else(|| invalid("url", "names no socket", EXPECTED))
}

/// The number of a database, without the slash before it; `whole` is where it stands.
fn db(number: &str, whole: &str) -> Result<u8> {
    if number.is_empty() {
        return Ok(0);
    }
    let digits = number.bytes().all(|byte| byte.is_ascii_digit());
    let db = number.parse().ok().filter(|_| digits && !whole.starts_with("//"));
    db.ok_or_else(|| invalid("url", "has a path that is no database", "expected 0 to 255"))
}

/// Percent-decodes; `None` for an empty text.
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
        assert_eq!((parts.host.as_str(), parts.port, parts.db), ("db.internal", 6380, 12));
        assert!(!parts.is_encrypted);
        assert_eq!(parts.username.as_deref(), Some("us@er"));
        assert_eq!(parts.password.unwrap().expose(), "p/w d");
    }

    #[test]
    fn what_is_not_said_is_left_open() {
        for text in ["redis://h", "redis://h/", "redis://@h", "redis://:@h"] {
            let parts = parse(text).unwrap();
            assert_eq!((parts.host.as_str(), parts.port, parts.db), ("h", 6379, 0), "{text}");
            assert!(parts.username.is_none() && parts.password.is_none(), "{text}");
        }
        assert_eq!(parse("redis://:pw@h").unwrap().password.unwrap().expose(), "pw");
        assert_eq!(parse("redis://[::1]:7").unwrap().host, "::1");
    }

    #[test]
    fn a_scheme_says_how_the_servers_are_arranged() {
        let read = |text: &str| format!("{:?}", parse(text).unwrap().arrangement);
        assert_eq!(read("redis+unix:///run/a%20b.sock?db=2"), r#"Unix("/run/a b.sock")"#);
        assert_eq!(read("redis-cluster://a:1?node=b:2"), r#"Cluster(["a:1", "b:2"])"#);
        assert_eq!(read("redis-cluster://[::1]"), r#"Cluster(["[::1]:6379"])"#);
        let sentinel = read("rediss-sentinel://a:1/3?master=my%2Done&node=b:2");
        assert!(sentinel.contains(r#"master: "my-one", nodes: ["a:1", "b:2"]"#), "{sentinel}");
    }

    #[test]
    fn a_scheme_with_a_second_s_asks_for_encryption() {
        for text in ["rediss://h", "rediss-cluster://h", "rediss-sentinel://h?master=m"] {
            assert!(parse(text).unwrap().is_encrypted, "{text}");
        }
        assert_eq!(parse("redis+unix:///s?db=7").unwrap().db, 7);
    }

    #[test]
    fn a_wrong_url_is_an_error_that_does_not_show_it() {
        let cases = [
            "",
            "localhost",
            "localhost:6379",
            "http://:canary@h",
            "redisss://:canary@h",
            "unix:///canary",
            "redis+unix://:canary@h/s",
            "redis+unix://:canary@",
            "redis+unix:///s?db=x&canary=1",
            "redis-cluster://:canary@h?master=m",
            "redis-sentinel://:canary@h",
            "redis-sentinel://:canary@h?master=a&master=b",
            "redis://",
            "redis:///0",
            "redis://:canary@h/zero",
            "redis://:canary@h/-1",
            "redis://:canary@h/+1",
            "redis://:canary@h/256",
            "redis://:canary@h/1/2",
            "redis://:canary@h//1",
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
