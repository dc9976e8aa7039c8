//! How to reach a server, checked before anything is sent.

mod address;
mod secret;
mod servers;
mod tls;
mod url;

use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::{Error, ErrorKind, RESERVED, Result};

pub(crate) use self::address::Address;
pub(crate) use self::secret::Secret;
pub(crate) use self::servers::{Sentinels, Servers};
#[cfg(feature = "tls")]
pub(crate) use self::tls::ClientCertificate;
pub use self::tls::Tls;

const DEFAULT_HOST: &str = "localhost";
const DEFAULT_PORT: u16 = 6379;
const DEFAULT_PREFIX: &str = "data_fetcher:";
const DEFAULT_TIMEOUT: Duration = Duration::from_secs(5);
const SHORTEST_TIMEOUT: Duration = Duration::from_millis(1);
const LONGEST_TIMEOUT: Duration = Duration::from_secs(3_600);
const MOST_CONNECTIONS: usize = 1_024;
const LONGEST_PREFIX: usize = 512;
/// How many servers a configuration may name.
const MOST_NODES: usize = 1_000;

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
    pub(crate) servers: Servers,
    pub(crate) db: u8,
    pub(crate) username: Option<String>,
    pub(crate) password: Option<Secret>,
    pub(crate) tls: Option<Tls>,
    pub(crate) protocol: Protocol,
    pub(crate) key_prefix: String,
    pub(crate) max_connections: usize,
    pub(crate) timeout: Duration,
    pub(crate) retry_on_timeout: bool,
}

impl RedisConfig {
    /// Reads a URL, with the defaults for all else:
    ///
    /// ```text
    /// redis://[user[:password]@]host[:port][/db]
    /// redis+unix://[user[:password]@]/path/of/the/socket[?db=N]
    /// redis-cluster://[user[:password]@]host[:port][?node=host:port&…]
    /// redis-sentinel://[user[:password]@]host[:port][/db]?master=name[&node=host:port&…]
    /// ```
    ///
    /// With `rediss` instead of `redis` the connection is encrypted; a socket has no encryption.
    /// User and password are percent-decoded. They belong to the servers, not to the Sentinels.
    ///
    /// # Errors
    /// `Config`; the message names the wrong part and what was expected.
    pub fn from_url(url: &str) -> Result<Self> {
        Self::builder().url(url)?.build()
    }

    /// Starts from the defaults: `localhost:6379`, database 0, prefix `data_fetcher:`, one
    /// connection, a timeout of five seconds, no repeats after a timeout.
    pub fn builder() -> RedisConfigBuilder {
        RedisConfigBuilder::default()
    }
}

/// The version of Redis's protocol. A store works the same with both; RESP3 needs Redis 6.0 or
/// later.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Protocol {
    /// RESP2, which every server speaks.
    #[default]
    Resp2,
    /// RESP3.
    Resp3,
}

impl fmt::Debug for RedisConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RedisConfig")
            .field("servers", &format_args!("{}", self.servers))
            .field("db", &self.db)
            .field("username", &self.username)
            .field("password", &self.password)
            .field("tls", &self.tls)
            .field("protocol", &self.protocol)
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
    arrangement: Arrangement,
    db: u8,
    username: Option<String>,
    password: Option<Secret>,
    tls: Option<Tls>,
    protocol: Protocol,
    key_prefix: String,
    max_connections: usize,
    timeout: Duration,
    retry_on_timeout: bool,
}

/// How the servers are arranged, as the program configured them.
#[derive(Clone, Debug, Default)]
enum Arrangement {
    /// One server, at the host and the port.
    #[default]
    Tcp,
    Unix(PathBuf),
    Cluster(Vec<String>),
    Sentinel {
        master: String,
        nodes: Vec<String>,
        username: Option<String>,
        password: Option<Secret>,
    },
}

impl Default for RedisConfigBuilder {
    fn default() -> Self {
        Self {
            host: DEFAULT_HOST.into(),
            port: DEFAULT_PORT,
            arrangement: Arrangement::Tcp,
            db: 0,
            username: None,
            password: None,
            tls: None,
            protocol: Protocol::Resp2,
            key_prefix: DEFAULT_PREFIX.into(),
            max_connections: 1,
            timeout: DEFAULT_TIMEOUT,
            retry_on_timeout: false,
        }
    }
}

impl RedisConfigBuilder {
    /// Takes servers, database, user and password from a URL, as [`RedisConfig::from_url`] does.
    /// Parts that the URL does not name return to their defaults, except [`tls`](Self::tls), which
    /// stays as set.
    ///
    /// # Errors
    /// `Config`; the message names the wrong part and what was expected.
    pub fn url(self, url: &str) -> Result<Self> {
        let parts = url::parse(url)?;
        let tls = if parts.is_encrypted { self.tls.or_else(|| Some(Tls::new())) } else { self.tls };
        Ok(Self {
            host: parts.host,
            port: parts.port,
            arrangement: parts.arrangement,
            db: parts.db,
            username: parts.username,
            password: parts.password,
            tls,
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

    /// A socket in the file system, instead of host and port.
    pub fn unix_socket(self, path: impl Into<PathBuf>) -> Self {
        Self { arrangement: Arrangement::Unix(path.into()), ..self }
    }

    /// A Redis Cluster, instead of host and port: some of its nodes, as `host:port`. The store asks
    /// these nodes for the other nodes, and uses the addresses that the nodes announce.
    pub fn cluster(self, nodes: impl IntoIterator<Item = impl Into<String>>) -> Self {
        let nodes = nodes.into_iter().map(Into::into).collect();
        Self { arrangement: Arrangement::Cluster(nodes), ..self }
    }

    /// The primary that Sentinels know under this name, instead of host and port; the Sentinels are
    /// given as `host:port`.
    pub fn sentinel(
        self,
        master: impl Into<String>,
        nodes: impl IntoIterator<Item = impl Into<String>>,
    ) -> Self {
        let nodes = nodes.into_iter().map(Into::into).collect();
        let (username, password) = (None, None);
        let sentinel = Arrangement::Sentinel { master: master.into(), nodes, username, password };
        Self { arrangement: sentinel, ..self }
    }

    /// User and password for the Sentinels, if they require them. Call this after
    /// [`sentinel`](Self::sentinel); without it the call has no effect.
    pub fn sentinel_credentials(mut self, user: Option<String>, secret: impl Into<String>) -> Self {
        if let Arrangement::Sentinel { username, password, .. } = &mut self.arrangement {
            *username = user;
            *password = Some(Secret::new(secret.into()));
        }
        self
    }

    /// Encrypts the connections.
    pub fn tls(self, tls: Tls) -> Self {
        Self { tls: Some(tls), ..self }
    }

    /// The version of the protocol.
    pub fn protocol(self, protocol: Protocol) -> Self {
        Self { protocol, ..self }
    }

    /// The number of the database; a Cluster has only database 0.
    pub fn db(self, db: u8) -> Self {
        Self { db, ..self }
    }

    /// The user of Redis's access control; needs a password.
    pub fn username(self, username: impl Into<String>) -> Self {
        Self { username: Some(username.into()), ..self }
    }

    /// The password of the user, or of `requirepass` without a user.
    pub fn password(self, password: impl Into<String>) -> Self {
        Self { password: Some(Secret::new(password.into())), ..self }
    }

    /// What `Store` puts before every key. The builder appends a `:` to a prefix that does not end
    /// in one, unless the prefix is empty.
    pub fn key_prefix(self, prefix: impl Into<String>) -> Self {
        Self { key_prefix: prefix.into(), ..self }
    }

    /// How many connections to open; any number of calls shares each. One connection, the default,
    /// is the fastest in most programs.
    pub fn max_connections(self, connections: usize) -> Self {
        Self { max_connections: connections, ..self }
    }

    /// How long a call may take, connecting and repeats included: five seconds by default.
    pub fn timeout(self, timeout: Duration) -> Self {
        Self { timeout, ..self }
    }

    /// Whether to repeat a read after a third of the timeout without an answer: no by default.
    /// Writes are never repeated.
    pub fn retry_on_timeout(self, retry: bool) -> Self {
        Self { retry_on_timeout: retry, ..self }
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `Config`; the message names the field, what is wrong, and what was expected.
    pub fn build(self) -> Result<RedisConfig> {
        self.check_features()?;
        self.check_numbers()?;
        check_credentials("", self.username.as_deref(), self.password.as_ref())?;
        let servers = checked_servers(self.arrangement, self.host, self.port)?;
        if matches!(servers, Servers::Cluster(_)) && self.db != 0 {
            let problem = format!("is {}", self.db);
            return Err(invalid("db", problem, "expected 0: a Redis Cluster has no other"));
        }
        if matches!(servers, Servers::One(Address::Unix(_))) && self.tls.is_some() {
            let problem = "is given with a Unix socket, which is not encrypted";
            return Err(invalid("tls", problem, "expected one of the two"));
        }
        let key_prefix = checked_prefix(self.key_prefix)?;
        Ok(RedisConfig {
            servers,
            db: self.db,
            username: self.username,
            password: self.password,
            tls: self.tls,
            protocol: self.protocol,
            key_prefix,
            max_connections: self.max_connections,
            timeout: self.timeout,
            retry_on_timeout: self.retry_on_timeout,
        })
    }

    /// Refuses what needs a feature that the program was built without.
    fn check_features(&self) -> Result<()> {
        let is_cluster = matches!(self.arrangement, Arrangement::Cluster(_));
        let is_sentinel = matches!(self.arrangement, Arrangement::Sentinel { .. });
        for (is_wanted, is_there, feature) in [
            (is_cluster, cfg!(feature = "cluster"), "cluster"),
            (is_sentinel, cfg!(feature = "sentinel"), "sentinel"),
            (self.tls.is_some(), cfg!(feature = "tls"), "tls"),
        ] {
            if is_wanted && !is_there {
                let expected = format!(
                    "expected the feature `{feature}` of kv-redis, which kv-config calls \
                     `redis-{feature}`"
                );
                return Err(invalid(feature, "is compiled out", &expected));
            }
        }
        Ok(())
    }

    fn check_numbers(&self) -> Result<()> {
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

/// `whose` stands before the field's name in an error.
fn check_credentials(whose: &str, user: Option<&str>, password: Option<&Secret>) -> Result<()> {
    let field = |name: &str| format!("{whose}{name}");
    if user.is_some() && password.is_none() {
        let problem = "is given without a password";
        return Err(invalid(&field("username"), problem, "expected both"));
    }
    if user == Some("") {
        let problem = "is empty";
        return Err(invalid(&field("username"), problem, "expected a name, or none at all"));
    }
    if password.is_some_and(Secret::is_empty) {
        let problem = "is empty";
        return Err(invalid(&field("password"), problem, "expected some text, or none at all"));
    }
    Ok(())
}

fn checked_servers(arrangement: Arrangement, host: String, port: u16) -> Result<Servers> {
    Ok(match arrangement {
        Arrangement::Tcp => Servers::One(Address::tcp("host", host, port)?),
        Arrangement::Unix(path) => Servers::One(Address::unix(&path)?),
        Arrangement::Cluster(nodes) => Servers::Cluster(checked_nodes(&nodes)?),
        Arrangement::Sentinel { master, nodes, username, password } => {
            if master.is_empty() {
                let expected = "expected the name under which the sentinels know the primary";
                return Err(invalid("sentinel_master", "is empty", expected));
            }
            check_credentials("sentinel_", username.as_deref(), password.as_ref())?;
            let nodes = checked_nodes(&nodes)?;
            Servers::Sentinel(Sentinels { master, nodes, username, password })
        }
    })
}

fn checked_nodes(nodes: &[String]) -> Result<Vec<Address>> {
    if !(1..=MOST_NODES).contains(&nodes.len()) {
        let problem = format!("names {} servers", nodes.len());
        return Err(invalid("nodes", problem, "expected 1 to 1000, each as host:port"));
    }
    nodes.iter().map(|node| Address::parse("nodes", node)).collect()
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
        assert_eq!(config.servers.to_string(), "localhost:6379");
        assert!(config.tls.is_none() && config.protocol == Protocol::Resp2);
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
            (new().cluster([""; 0]), "nodes names 0 servers; expected 1 to 1000"),
            (new().cluster(["a"]), "nodes \"a\" is malformed; expected host:port"),
            (new().cluster(["a:1"]).db(1), "db is 1; expected 0"),
            (new().sentinel("", ["a:1"]), "sentinel_master is empty; expected"),
            (new().sentinel("m", ["a:x"]), "nodes \"a:x\" is malformed"),
            (new().unix_socket("r.sock"), "unix_socket r.sock is not absolute"),
            (new().unix_socket("/r.sock").tls(Tls::new()), "tls is given with a Unix socket"),
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
    fn the_servers_are_named_as_they_are_arranged() {
        let named = |builder: RedisConfigBuilder| builder.build().unwrap().servers.to_string();
        let new = RedisConfig::builder;
        assert_eq!(named(new().host("::1")), "[::1]:6379");
        assert_eq!(named(new().unix_socket("/run/r.sock")), "/run/r.sock");
        assert_eq!(named(new().cluster(["a:1", "[::1]:2"])), "the cluster of a:1, [::1]:2");
        assert_eq!(named(new().sentinel("m", ["a:1"])), "\"m\" of the sentinels a:1");
    }

    #[test]
    fn no_debug_shows_the_password() {
        let builder = RedisConfig::builder().username("user").password("hunter2");
        let builder = builder.sentinel("m", ["a:1"]).sentinel_credentials(None, "hunter2");
        let shown = format!("{builder:?} {:?}", builder.clone().build().unwrap());
        assert!(!shown.contains("hunter2") && shown.contains("user"), "{shown}");
    }
}
