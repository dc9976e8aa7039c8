//! A configuration that a program sets, with setters named like the variables.

use std::path::PathBuf;
use std::time::Duration;

use kv_core::Result;

use crate::config::Config;
use crate::loader::Loader;
use crate::source::Given;
use crate::value::Raw;
use crate::variables;

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
    given: Vec<(String, Raw)>,
}

/// A setter for each variable of the table.
macro_rules! setters {
    ($($module:ident $group:literal {$(
        $(#[doc = $meaning:literal])+
        $setter:ident($taken:ty): $name:ident: $read:ty =
            $kind:ident $of:tt $(.$rule:ident $by:tt)*;
    )*})*) => {
        impl Builder {$($(
            $(#[doc = $meaning])+
            pub fn $setter(self, value: $taken) -> Self {
                self.variable_as(variables::$module::$name.name(), raw!($kind(value)))
            }
        )*)*}
    };
}

/// What a setter takes, as a value of that kind.
macro_rules! raw {
    (path($value:ident)) => {
        Raw::of_path($value.into())
    };
    (list($value:ident)) => {
        Raw::List($value.into_iter().map(Into::into).collect())
    };
    (seconds($value:ident)) => {
        Raw::Duration($value)
    };
    (whole_seconds($value:ident)) => {
        Raw::Duration($value)
    };
    (integer($value:ident)) => {
        Raw::Untyped($value.to_string())
    };
    (flag($value:ident)) => {
        Raw::Untyped($value.to_string())
    };
    ($text:ident($value:ident)) => {
        Raw::Untyped($value.into())
    };
}

variables::variables!(setters);

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

    /// Sets a variable by its whole name, as the environment would: for those of registered
    /// backends.
    pub fn variable(self, name: impl Into<String>, value: impl Into<String>) -> Self {
        self.variable_as(name.into(), Raw::Untyped(value.into()))
    }

    fn variable_as(mut self, name: String, value: Raw) -> Self {
        self.given.push((name, value));
        self
    }

    /// Checks everything.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn build(self) -> Result<Config> {
        let given = self.given.into_iter().map(|(name, value)| Given::variable(name, value));
        self.loader.load(given.collect())
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
        let builder = builder.redis_mode("").redis_nodes([""; 0]).redis_sentinel_master("");
        let builder = builder.redis_sentinel_username("").redis_sentinel_password("");
        let builder = builder.sqlite_path("").sqlite_sync("").sqlite_timeout(second);
        let builder = builder.compress_above(1).encrypt_key("").encrypt_key_file("");
        let builder = builder.encrypt_old_key("").encrypt_old_key_file("");
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
