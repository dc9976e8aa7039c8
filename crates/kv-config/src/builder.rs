//! A configuration that a program sets, with setters named like the variables.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::Result;

use crate::config::Config;
use crate::loader::Loader;
use crate::source::Given;
use crate::value::Raw;
use crate::variables::PREFIX;

/// Sets what the variables would, under the same names and with the same checks.
///
/// An error names the variable of the setter: `OC_KV_STORE_REDIS_PORT` for
/// [`redis_port`](Self::redis_port). Of two calls of a setter the later one counts, and an empty
/// value counts as unset. `Debug` shows no values.
///
/// ```
/// use kv_config::Config;
/// use std::time::Duration;
/// # #[cfg(feature = "memory")] {
/// let config = Config::builder()
///     .store_type("memory")
///     .memory_max_entries(10_000)
///     .serializer("msgpack")
///     .default_ttl(Duration::from_secs(3_600))
///     .build()?;
/// assert_eq!(config.serializer().name(), "msgpack");
///
/// let error = Config::builder().redis_port(0).build().unwrap_err();
/// assert!(error.to_string().starts_with("OC_KV_STORE_REDIS_PORT: `0` is out of range"));
/// # }
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
#[must_use]
pub struct Builder {
    loader: Loader,
    given: Vec<(String, Setting)>,
}

/// A value that can be handed in again for each [`Builder::build`].
#[derive(Clone)]
enum Setting {
    Text(String),
    Path(PathBuf),
    Duration(Duration),
    List(Vec<String>),
}

macro_rules! setters {
    ($($(#[$doc:meta])+ $setter:ident($variable:literal, $type:ty) => $convert:expr;)*) => {$(
        $(#[$doc])+
        pub fn $setter(self, value: $type) -> Self {
            let convert: fn(_) -> Setting = $convert;
            self.with($variable, convert(value.into()))
        }
    )*};
}

impl Config {
    /// Starts a configuration that the program sets.
    pub fn builder() -> Builder {
        Self::loader().builder()
    }
}

impl Loader {
    /// Starts a configuration that the program sets.
    pub fn builder(&self) -> Builder {
        Builder::new(self.clone())
    }
}

impl Builder {
    pub(crate) fn new(loader: Loader) -> Self {
        Self { loader, given: Vec::new() }
    }

    fn with(mut self, name: &str, value: Setting) -> Self {
        self.given.push((format!("{PREFIX}{name}"), value));
        self
    }

    /// Sets a variable by its whole name, as the environment would: for those of registered
    /// backends.
    pub fn variable(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.given.push((name.into(), Setting::Text(value.into())));
        self
    }

    /// What stands around the store, outermost first: any of `observe`, `statistics`, `read-only`, `near-cache`,
    /// `compress`, `encrypt`, `fallback`, `limit`, `retry` and `timeout`, in this order.
    pub fn layers<N: Into<String>>(self, names: impl IntoIterator<Item = N>) -> Self {
        self.with("LAYERS", Setting::List(names.into_iter().map(Into::into).collect()))
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn build(self) -> Result<Config> {
        let given = self.given.into_iter().map(|(name, value)| Given::variable(name, raw(value)));
        self.loader.load(given.collect())
    }

    setters! {
        /// The backend: `memory`, `redis`, `sqlite` or a registered name.
        store_type("TYPE", impl Into<String>) => Setting::Text;
        /// `json`, `msgpack` or, with the feature of that name, `pickle`.
        serializer("SERIALIZER", impl Into<String>) => Setting::Text;
        /// The lifetime of what is written without one.
        default_ttl("DEFAULT_TTL", Duration) => Setting::Duration;
        /// The server's address in place of its parts.
        url("URL", impl Into<String>) => Setting::Text;
        /// How many entries are kept.
        memory_max_entries("MEMORY_MAX_ENTRIES", u64) => integer;
        /// How often expired entries are removed.
        memory_cleanup_interval("MEMORY_CLEANUP_INTERVAL", Duration) => Setting::Duration;
        /// The server's name or address.
        redis_host("REDIS_HOST", impl Into<String>) => Setting::Text;
        /// The server's port.
        redis_port("REDIS_PORT", u16) => integer;
        /// A socket in the file system, in place of host and port.
        redis_unix_socket("REDIS_UNIX_SOCKET", impl Into<PathBuf>) => Setting::Path;
        /// The number of the database.
        redis_db("REDIS_DB", u64) => integer;
        /// The user; needs a password.
        redis_username("REDIS_USERNAME", impl Into<String>) => Setting::Text;
        /// The password.
        redis_password("REDIS_PASSWORD", impl Into<String>) => Setting::Text;
        /// A file that holds the password.
        redis_password_file("REDIS_PASSWORD_FILE", impl Into<PathBuf>) => Setting::Path;
        /// What every key on the server begins with.
        redis_key_prefix("REDIS_KEY_PREFIX", impl Into<String>) => Setting::Text;
        /// Connections to the server.
        redis_max_connections("REDIS_MAX_CONNECTIONS", u64) => integer;
        /// The time within which every call returns.
        redis_timeout("REDIS_TIMEOUT", Duration) => Setting::Duration;
        /// Whether a read that got no reply is repeated.
        redis_retry_on_timeout("REDIS_RETRY_ON_TIMEOUT", bool) => flag;
        /// The version of the protocol, `2` or `3`.
        redis_protocol("REDIS_PROTOCOL", impl Into<String>) => Setting::Text;
        /// Whether connections are encrypted.
        redis_tls("REDIS_TLS", bool) => flag;
        /// The certificates to trust; only with TLS.
        redis_tls_ca_file("REDIS_TLS_CA_FILE", impl Into<PathBuf>) => Setting::Path;
        /// One's own certificate; only with TLS, and with its key.
        redis_tls_cert_file("REDIS_TLS_CERT_FILE", impl Into<PathBuf>) => Setting::Path;
        /// The private key of one's own certificate; only with TLS.
        redis_tls_key_file("REDIS_TLS_KEY_FILE", impl Into<PathBuf>) => Setting::Path;
        /// `single`, `cluster` or `sentinel`.
        redis_mode("REDIS_MODE", impl Into<String>) => Setting::Text;
        /// Some nodes of the cluster, or the sentinels, as `host:port`.
        redis_nodes("REDIS_NODES", impl Into<Vec<String>>) => Setting::List;
        /// The name of the primary; only with sentinels.
        redis_sentinel_master("REDIS_SENTINEL_MASTER", impl Into<String>) => Setting::Text;
        /// The user to the sentinels; only with sentinels.
        redis_sentinel_username("REDIS_SENTINEL_USERNAME", impl Into<String>) => Setting::Text;
        /// The password to the sentinels; only with sentinels.
        redis_sentinel_password("REDIS_SENTINEL_PASSWORD", impl Into<String>) => Setting::Text;
        /// The database file.
        sqlite_path("SQLITE_PATH", impl Into<PathBuf>) => Setting::Path;
        /// When commits are flushed to the disk: `normal` or `full`.
        sqlite_sync("SQLITE_SYNC", impl Into<String>) => Setting::Text;
        /// The time within which every call returns.
        sqlite_timeout("SQLITE_TIMEOUT", Duration) => Setting::Duration;
        /// How many entries the near cache keeps.
        near_cache_entries("NEAR_CACHE_ENTRIES", u64) => integer;
        /// How many bytes the near cache keeps.
        near_cache_bytes("NEAR_CACHE_BYTES", u64) => integer;
        /// How long the near cache answers a value of which nobody tells that it changed.
        near_cache_max_age("NEAR_CACHE_MAX_AGE", Duration) => Setting::Duration;
        /// What keys begin with that the near cache keeps, behind the key prefix.
        near_cache_only("NEAR_CACHE_ONLY", impl Into<String>) => Setting::Text;
        /// How many bytes a value has at least that is compressed.
        compress_above("COMPRESS_ABOVE", u64) => integer;
        /// The key that encrypts, as 64 hexadecimal digits.
        encrypt_key("ENCRYPT_KEY", impl Into<String>) => Setting::Text;
        /// A key that decrypts only.
        encrypt_old_key("ENCRYPT_OLD_KEY", impl Into<String>) => Setting::Text;
        /// Where plain reads and writes go while the store is away: `memory`.
        fallback_type("FALLBACK_TYPE", impl Into<String>) => Setting::Text;
        /// How many calls in a row must find the store away.
        fallback_failures("FALLBACK_FAILURES", u32) => integer;
        /// How long the store is left alone before it is tried again.
        fallback_pause("FALLBACK_PAUSE", Duration) => Setting::Duration;
        /// How many entries the fallback keeps.
        fallback_max_entries("FALLBACK_MAX_ENTRIES", u64) => integer;
        /// How many calls run at once.
        limit_concurrency("LIMIT_CONCURRENCY", u32) => integer;
        /// How many more wait for their turn.
        limit_queue("LIMIT_QUEUE", u32) => integer;
        /// How often a call is made at most.
        retry_attempts("RETRY_ATTEMPTS", u32) => integer;
        /// The longest pause before the first repeat.
        retry_first_pause("RETRY_FIRST_PAUSE", Duration) => Setting::Duration;
        /// The longest pause before any repeat.
        retry_longest_pause("RETRY_LONGEST_PAUSE", Duration) => Setting::Duration;
        /// How long after its beginning a call may be made once more.
        retry_within("RETRY_WITHIN", Duration) => Setting::Duration;
        /// The time after which an attempt is given up.
        timeout_after("TIMEOUT_AFTER", Duration) => Setting::Duration;
    }
}

fn integer(number: u64) -> Setting {
    Setting::Text(number.to_string())
}

fn flag(flag: bool) -> Setting {
    Setting::Text(flag.to_string())
}

fn raw(value: Setting) -> Raw {
    match value {
        Setting::Text(text) => Raw::Untyped(text),
        Setting::Path(path) => {
            path.into_os_string().into_string().map_or(Raw::Unreadable, Raw::Untyped)
        }
        Setting::Duration(duration) => Raw::Duration(duration),
        Setting::List(items) => Raw::List(items),
    }
}

impl std::fmt::Debug for Builder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let names: Vec<&str> = self.given.iter().map(|(name, _)| name.as_str()).collect();
        f.debug_struct("Builder").field("loader", &self.loader).field("set", &names).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variables::groups;

    #[test]
    fn there_is_a_setter_for_each_variable_of_the_table() {
        let second = Duration::from_secs(1);
        let builder = Config::builder().store_type("").serializer("").default_ttl(second).url("");
        let builder = builder.layers([""; 0]);
        let builder = builder.memory_max_entries(1).memory_cleanup_interval(second);
        let builder = builder.redis_host("").redis_port(1).redis_unix_socket("");
        let builder = builder.redis_db(1).redis_username("");
        let builder = builder.redis_password("").redis_password_file("").redis_key_prefix("");
        let builder = builder.redis_max_connections(1).redis_timeout(second);
        let builder = builder.redis_retry_on_timeout(true).redis_protocol("").redis_tls(true);
        let builder = builder.redis_tls_ca_file("").redis_tls_cert_file("").redis_tls_key_file("");
        let builder = builder.redis_mode("").redis_nodes([]).redis_sentinel_master("");
        let builder = builder.redis_sentinel_username("").redis_sentinel_password("");
        let builder = builder.sqlite_path("").sqlite_sync("").sqlite_timeout(second);
        let builder = builder.near_cache_entries(1).near_cache_bytes(1);
        let builder = builder.near_cache_max_age(second).near_cache_only("");
        let builder = builder.compress_above(1).encrypt_key("").encrypt_old_key("");
        let builder = builder.fallback_type("").fallback_failures(1);
        let builder = builder.fallback_pause(second).fallback_max_entries(1);
        let builder = builder.limit_concurrency(1).limit_queue(1).retry_attempts(1);
        let builder = builder.retry_first_pause(second).retry_longest_pause(second);
        let builder = builder.retry_within(second).timeout_after(second);
        let set: Vec<String> = builder.given.into_iter().map(|(name, _)| name).collect();
        let names = |group: &crate::variables::Group| -> Vec<String> {
            group.variables.iter().map(|variable| group.variable(variable)).collect()
        };
        let known: Vec<String> = groups().iter().flat_map(names).collect();
        assert_eq!(set, known);
    }
}
