//! How to reach a server, checked before anything is sent.

mod secret;
mod url;

use std::fmt;
use std::net::Ipv6Addr;
use std::time::Duration;

use kv_core::{Error, ErrorKind, RESERVED, Result};

pub(crate) use self::secret::Secret;

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_PREFIX: &str = "data_fetcher:";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3_600);
const MOST_CONNECTIONS: usize = 1_024;
const LONGEST_PREFIX: usize = 512;

/// How a [`RedisStore`](crate::RedisStore) reaches its server.
///
/// ```
/// use kv_redis::RedisConfig;
/// let config = RedisConfig::from_url("redis://:s%65cret@db.internal:6380/2")?;
/// assert!(!format!("{config:?}").contains("secret"));
/// assert!(RedisConfig::from_url("http://db.internal").is_err());
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct RedisConfig {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) db: u8,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) key_prefix: String,
    pub(crate) max_connections: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_on_timeout: bool,
}

impl RedisConfig {
    /// Reads `redis://[user[:password]@]host[:port][/db]`, with the defaults for all else.
    ///
    /// User and password are percent-decoded.
    ///
    /// # Errors
    /// `Config`, naming the part that is wrong and what was expected.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::builder().url(url)?.build()
    }

    /// Starts from the defaults: `localhost:6379`, database 0, prefix `data_fetcher:`, one
    /// connection, five seconds, no repeats after a timeout.
    pub fn builder() -> RedisConfigBuilder {
        RedisConfigBuilder::default()
    }

    /// `host:port`, as logs and errors show it.
    pub(crate) fn server(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("server", &self.server())
            .field("db", &self.db)
            .field("username", &self.username)
            .field("password", &self.password)
            .field("key_prefix", &self.key_prefix)
            .field("max_connections", &self.max_connections)
            .field("timeout", &self.timeout)
            .field("retry_on_timeout", &self.retry_on_timeout)
            .finish()
    }
}

/// Builds a [`RedisConfig`].
///
/// ```
/// use kv_redis::RedisConfig;
/// use std::time::Duration;
/// let builder = RedisConfig::builder().host("db.internal").db(1).key_prefix("shop");
/// assert!(builder.clone().timeout(Duration::from_secs(1)).build().is_ok());
/// assert!(builder.timeout(Duration::ZERO).build().is_err());
/// ```
#[derive(Clone, Debug)]
#[must_use]
pub struct RedisConfigBuilder {
    host: String,
    port: u16,
    db: u8,
    username: Option<String>,
    password: Option<Secret>,
    key_prefix: String,
    max_connections: usize,
    timeout: Duration,
    retry_on_timeout: bool,
}

impl Default for RedisConfigBuilder {
    fn default() -> Self {
        Self {
            host: DEFAULT_HOST.into(),
            port: DEFAULT_PORT,
            db: 0,
            username: None,
            password: None,
            key_prefix: DEFAULT_PREFIX.into(),
            max_connections: 1,
            timeout: DEFAULT_TIMEOUT,
            retry_on_timeout: false,
        }
    }
}

impl RedisConfigBuilder {
    /// Takes host, port, database, user and password from a URL, as
    /// [`RedisConfig::from_url`] reads it; what it does not name goes back to the default.
    ///
    /// # Errors
    /// `Config`, naming the part that is wrong and what was expected.
    pub fn url(self, url: &str) -> Result<Self> {
        let parts = url::parse(url)?;
        Ok(Self {
            host: parts.host,
            port: parts.port.unwrap_or(DEFAULT_PORT),
            db: parts.db,
            username: parts.username,
            password: parts.password,
            ..self
        })
    }

    /// The server's name or address; an IPv6 address without brackets.
    pub fn host(self, host: impl Into<String>) -> Self {
        Self { host: host.into(), ..self }
    }

    /// The server's port.
    pub fn port(self, port: u16) -> Self {
        Self { port, ..self }
    }

    /// The number of the database.
    pub fn db(self, db: u8) -> Self {
        Self { db, ..self }
    }

    /// The user of Redis's access control; needs a password.
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// The password of the user, or of `requirepass` where no user is named.
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(Secret::new(password.into())), ..self }
    }

    /// What `Store` puts before every key. A `:` is appended where it does not end in one, unless
    /// it is empty.
    pub fn key_prefix(self, prefix: impl Into<String>) -> Self {
        Self { key_prefix: prefix.into(), ..self }
    }

    /// How many connections to open, each shared by any number of calls. One is the fastest in
    /// most programs.
    pub fn max_connections(self, connections: usize) -> Self {
        Self { max_connections: connections, ..self }
    }

    /// How long a call may take, a connection attempt and repeats included.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Whether reads are repeated after a third of the time passed without an answer. Writes
    /// never are.
    pub fn retry_on_timeout(self, retry: bool) -> Self {
        Self { retry_on_timeout: retry, ..self }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `Config`, naming the field, what is wrong with it, and what was expected.
    pub fn build(self) -> Result<RedisConfig> {
        check_host(&self.host)?;
        self.check_numbers()?;
        if self.username.is_some() && self.password.is_none() {
            return Err(invalid("username", "is given without a password", "expected both"));
        }
        if self.username.as_deref() == Some("") {
            return Err(invalid("username", "is empty", "expected a name, or none at all"));
        }
        if self.password.as_ref().is_some_and(Secret::is_empty) {
            return Err(invalid("password", "is empty", "expected some text, or none at all"));
        }
        let key_prefix = checked_prefix(self.key_prefix)?;
        Ok(RedisConfig {
            host: self.host,
            port: self.port,
            db: self.db,
            username: self.username,
            password: self.password,
            key_prefix,
            max_connections: self.max_connections,
            timeout: self.timeout,
            retry_on_timeout: self.retry_on_timeout,
        })
    }

    fn check_numbers(&self) -> Result<()> {
        if self.port == 0 {
            return Err(invalid("port", "is 0", "expected 1 to 65535"));
        }
        if !(1..=MOST_CONNECTIONS).contains(&self.max_connections) {
            let problem = format!("is {}", self.max_connections);
            return Err(invalid("max_connections", problem, "expected 1 to 1024"));
        }
        if !(SHORTEST_TIMEOUT..=LONGEST_TIMEOUT).contains(&self.timeout) {
            let problem = format!("is {:?}", self.timeout);
            return Err(invalid("timeout", problem, "expected 1 millisecond to 1 hour"));
        }
        Ok(())
    }
}

/// A `Config` error: field, problem, expectation.
fn invalid(field: &str, problem: impl fmt::Display, expected: &str) -> Error {
    Error::new(ErrorKind::Config, format!("{field} {problem}; {expected}"))
}

fn check_host(host: &str) -> Result<()> {
    let name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
    if host.is_empty() {
        return Err(invalid("host", "is empty", "expected a name or an address"));
    }
    if host.parse::<Ipv6Addr>().is_err() && !host.chars().all(name) {
        let expected = "expected a host name or an address alone, without port or scheme";
        return Err(invalid("host", format!("{host:?} is malformed"), expected));
    }
    Ok(())
}

fn checked_prefix(mut prefix: String) -> Result<String> {
    if prefix.contains(['{', '}']) {
        let expected = "expected none: in a Redis Cluster they would put every key into one slot";
        return Err(invalid("key_prefix", format!("{prefix:?} contains a brace"), expected));
    }
    if prefix.contains(RESERVED) {
        let problem = format!("{prefix:?} contains {RESERVED:?}");
        return Err(invalid("key_prefix", problem, "expected another; this one marks queues"));
    }
    if prefix.len() > LONGEST_PREFIX {
        let problem = format!("has {} bytes", prefix.len());
        return Err(invalid("key_prefix", problem, "expected at most 512"));
    }
    if !prefix.is_empty() && !prefix.ends_with(':') {
        prefix.push(':');
    }
    Ok(prefix)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problem(builder: RedisConfigBuilder) -> String {
        let error = builder.build().unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Config);
        error.to_string()
    }

    #[test]
    fn the_defaults_are_those_of_the_documentation() {
        let config = RedisConfig::builder().build().unwrap();
        assert_eq!(config.server(), "localhost:6379");
        assert_eq!((config.db, config.max_connections), (0, 1));
        assert_eq!(config.key_prefix, "data_fetcher:");
        assert_eq!(config.timeout, Duration::from_secs(5));
        assert!(!config.retry_on_timeout && config.username.is_none() && config.password.is_none());
    }

    #[test]
    fn a_prefix_gets_its_colon_unless_it_is_empty() {
        let prefix =
            |text: &str| RedisConfig::builder().key_prefix(text).build().unwrap().key_prefix;
        assert_eq!((prefix("a"), prefix("a:"), prefix("")), ("a:".into(), "a:".into(), "".into()));
    }

    #[test]
    fn a_wrong_field_is_named_with_what_was_expected() {
        let new = RedisConfig::builder;
        let cases = [
            (new().host(""), "host is empty; expected"),
            (new().host("a:1"), "host \"a:1\" is malformed; expected"),
            (new().host("redis://a"), "host \"redis://a\" is malformed; expected"),
            (new().port(0), "port is 0; expected 1 to 65535"),
            (new().max_connections(0), "max_connections is 0; expected 1"),
            (new().max_connections(2_000), "max_connections is 2000; expected 1"),
            (new().timeout(Duration::ZERO), "timeout is 0ns; expected"),
            (new().timeout(Duration::MAX), "timeout is"),
            (new().username("u"), "username is given without a password"),
            (new().username("").password("p"), "username is empty"),
            (new().password(""), "password is empty"),
            (new().key_prefix("{a}"), "key_prefix \"{a}\" contains a brace"),
            (new().key_prefix("a!kv:b"), "key_prefix \"a!kv:b\" contains \"!kv:\""),
            (new().key_prefix("p".repeat(513)), "key_prefix has 513 bytes; expected at most 512"),
        ];
        for (builder, expected) in cases {
            let text = problem(builder);
            assert!(text.starts_with(expected), "{text}");
        }
    }

    #[test]
    fn an_ipv6_address_is_shown_in_brackets() {
        let config = RedisConfig::builder().host("::1").build().unwrap();
        assert_eq!(config.server(), "[::1]:6379");
    }

    #[test]
    fn no_debug_shows_the_password() {
        let builder = RedisConfig::builder().username("user").password("hunter2");
        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("user"), "{shown}");
    }
}
