//! The one table of variables: parser, defaults, setters and reference are made of it.

use std::borrow::Cow;
use std::path::PathBuf;
use std::time::Duration;

use kv_core::MAX_LIFETIME;

use crate::check;
use crate::key::Key;
use crate::variable::{PREFIX, Variable};

/// The variables of one backend or layer, or those of none.
#[derive(Clone, Debug)]
pub(crate) struct Group {
    /// The name of the backend or layer, lowercase; empty for the general variables.
    pub(crate) name: Cow<'static, str>,
    pub(crate) variables: Cow<'static, [Variable]>,
}

const MILLISECOND: Duration = Duration::from_millis(1);
const HOUR: Duration = Duration::from_secs(3_600);
const DAY: Duration = Duration::from_secs(86_400);
const CLUSTERED: &[&str] = &["cluster", "sentinel"];

/// Hands the table to a macro: groups of a name; in each the variables, as what they mean, the
/// setter of the builder with what it takes, the name, the type that is read, and the rules.
macro_rules! variables {
    ($then:ident) => { $then! {
        general "" {
            /// The backend. Unset, it is what `OC_KV_STORE_URL` names where that is set, and an
            /// error where variables of another backend than the one that results are.
            store_type(impl Into<String>): TYPE: String = text()
                .default("memory")
                .checked(check::anything, "`memory`, `redis`, `sqlite` or a registered name");
            /// The format of stored values. `pickle` needs the feature of that name, off by
            /// default.
            serializer(impl Into<String>): SERIALIZER: String =
                choice(&["json", "msgpack", "pickle"]).default("json");
            /// How long an entry lives that is written without a lifetime; unset, it never expires.
            default_ttl(Duration): DEFAULT_TTL: Duration = whole_seconds(MILLISECOND, MAX_LIFETIME);
            /// Where the servers are, or `sqlite:///path` for a file; in place of the host, the
            /// port, the database, the credentials and the mode. Encrypted with `rediss` in place
            /// of `redis`; also `redis+unix:///path[?db=N]`,
            /// `redis-cluster://host:port[?node=host:port]`,
            /// `redis-sentinel://host:port[/db]?master=name[&node=host:port]`.
            url(impl Into<String>): URL: String = secret()
                .checked(check::url, "redis://[user:password@]host[:port][/db] or sqlite:///path");
            /// What stands around the store, outermost first; unset, nothing.
            layers(impl IntoIterator<Item = impl Into<String>>): LAYERS: Vec<String> = list()
                .checked(
                    check::anything,
                    "any of observe, statistics, read-only, compress, encrypt, fallback, limit, \
                     retry and timeout, in this order",
                );
        }
        memory "memory" {
            /// How many entries are kept; beyond, the least recently used are evicted. Unset, all
            /// are.
            memory_max_entries(u64): MAX_ENTRIES: usize = integer(1..=4_294_967_295);
            /// How often expired entries are removed.
            memory_cleanup_interval(Duration): CLEANUP_INTERVAL: Duration =
                seconds(MILLISECOND, DAY).default("1");
        }
        redis "redis" {
            /// The server's name or address.
            redis_host(impl Into<String>): HOST: String = text()
                .default("localhost").excludes(&["URL"])
                .checked(check::host, "a host name or an IP address, without scheme and port");
            /// The server's port.
            redis_port(u16): PORT: u16 = integer(1..=65_535).default("6379").excludes(&["URL"]);
            /// A socket in the file system, in place of host and port.
            redis_unix_socket(impl Into<PathBuf>): UNIX_SOCKET: PathBuf =
                path().excludes(&["HOST", "PORT", "NODES", "TLS", "URL"]);
            /// The number of the database.
            redis_db(u64): DB: u8 = integer(0..=255).default("0").excludes(&["URL"]);
            /// The user; unset, the server's default one.
            redis_username(impl Into<String>): USERNAME: String = text().excludes(&["URL"]);
            /// The password.
            redis_password(impl Into<String>): PASSWORD: String =
                secret().excludes(&["URL"]).checked(check::secret, "text");
            /// A file that holds the password, in UTF-8; a byte order mark at its beginning and one
            /// line break at its end do not count.
            redis_password_file(impl Into<PathBuf>): PASSWORD_FILE: PathBuf =
                path().excludes(&["PASSWORD", "URL"]);
            /// What every key on the server begins with; a `:` is appended where it is missing.
            redis_key_prefix(impl Into<String>): KEY_PREFIX: String = text()
                .default("data_fetcher:")
                .checked(check::key_prefix, "at most 512 bytes without braces and `!kv:`");
            /// Connections to the server; one serves many tasks at a time.
            redis_max_connections(u64): MAX_CONNECTIONS: usize = integer(1..=1_024).default("1");
            /// The time within which every call returns; one of more than a MiB is sent in parts,
            /// each of which has it.
            redis_timeout(Duration): TIMEOUT: Duration = seconds(MILLISECOND, HOUR).default("5");
            /// Whether a read that got no reply is repeated; a write never is.
            redis_retry_on_timeout(bool): RETRY_ON_TIMEOUT: bool = flag().default("false");
            /// The version of Redis's protocol.
            redis_protocol(impl Into<String>): PROTOCOL: String = choice(&["2", "3"]).default("2");
            /// Whether connections are encrypted, those to sentinels too.
            redis_tls(bool): TLS: bool = flag().default("false");
            /// The certificates to trust, in PEM, in place of the system's.
            redis_tls_ca_file(impl Into<PathBuf>): TLS_CA_FILE: PathBuf =
                path().needs("TLS", &["true"]);
            /// One's own certificate, in PEM, for a server that asks for it; with its key.
            redis_tls_cert_file(impl Into<PathBuf>): TLS_CERT_FILE: PathBuf =
                path().needs("TLS", &["true"]);
            /// The private key of one's own certificate, in PEM.
            redis_tls_key_file(impl Into<PathBuf>): TLS_KEY_FILE: PathBuf =
                path().needs("TLS", &["true"]);
            /// How the servers are arranged.
            redis_mode(impl Into<String>): MODE: String =
                choice(&["single", "cluster", "sentinel"]).default("single").excludes(&["URL"]);
            /// Some nodes of the cluster, or the sentinels; unset, the one at the host and the
            /// port.
            redis_nodes(impl IntoIterator<Item = impl Into<String>>): NODES: Vec<String> = list()
                .needs("MODE", CLUSTERED).excludes(&["HOST", "PORT", "URL"])
                .checked(check::node, "host:port, separated by commas");
            /// The name under which the sentinels know the primary.
            redis_sentinel_master(impl Into<String>): SENTINEL_MASTER: String =
                text().needs("MODE", &["sentinel"]);
            /// The user to the sentinels; unset, their default one.
            redis_sentinel_username(impl Into<String>): SENTINEL_USERNAME: String =
                text().needs("MODE", &["sentinel"]);
            /// The password to the sentinels, if they ask for one.
            redis_sentinel_password(impl Into<String>): SENTINEL_PASSWORD: String =
                secret().needs("MODE", &["sentinel"]).checked(check::secret, "text");
        }
        sqlite "sqlite" {
            /// The database file, which is made where it is missing; its folder must exist. Where
            /// `sqlite` is the type, either this or `OC_KV_STORE_URL` must be set.
            sqlite_path(impl Into<PathBuf>): PATH: PathBuf = path();
            /// What a write survives that was answered: `normal` the death of the process, and a
            /// power cut may cost the last moments; `full` a power cut, at the cost of a flush for
            /// each commit.
            sqlite_sync(impl Into<String>): SYNC: String =
                choice(&["normal", "full"]).default("normal");
            /// The time within which every call returns.
            sqlite_timeout(Duration): TIMEOUT: Duration = seconds(MILLISECOND, HOUR).default("5");
        }
        compress "compress" {
            /// How many bytes a value has at least that is compressed.
            compress_above(u64): ABOVE: usize = integer(1..=536_870_912).default("1024");
        }
        encrypt "encrypt" {
            /// The key that encrypts, such as `openssl rand -hex 32` prints; the layer needs this or
            /// the file.
            encrypt_key(impl Into<String>): KEY: String =
                secret().checked(check::encryption_key, "64 hexadecimal digits");
            /// A file that holds the key; a line break at its end does not count.
            encrypt_key_file(impl Into<PathBuf>): KEY_FILE: PathBuf = path().excludes(&["KEY"]);
            /// A key that decrypts only, while the key is being changed.
            encrypt_old_key(impl Into<String>): OLD_KEY: String =
                secret().checked(check::encryption_key, "64 hexadecimal digits");
            /// A file that holds the key that decrypts only.
            encrypt_old_key_file(impl Into<PathBuf>): OLD_KEY_FILE: PathBuf =
                path().excludes(&["OLD_KEY"]);
        }
        fallback "fallback" {
            /// Where plain reads and writes go while the store is away. All else is refused always.
            fallback_type(impl Into<String>): TYPE: String = choice(&["memory"]).default("memory");
            /// How many calls in a row must find the store away.
            fallback_failures(u32): FAILURES: u32 = integer(1..=1_000).default("3");
            /// The longest time for which the store is left alone before it is tried again.
            fallback_pause(Duration): PAUSE: Duration = seconds(MILLISECOND, HOUR).default("1");
            /// How many entries are kept; beyond, the least recently used are evicted.
            fallback_max_entries(u64): MAX_ENTRIES: usize =
                integer(1..=4_294_967_295).default("100000");
        }
        limit "limit" {
            /// How many calls run at once.
            limit_concurrency(u32): CONCURRENCY: usize = integer(1..=1_000_000).default("256");
            /// How many more wait for their turn; beyond, calls are refused as `Backpressure`.
            limit_queue(u32): QUEUE: usize = integer(0..=1_000_000).default("1024");
        }
        retry "retry" {
            /// How often a call is made at most; a write that may have been applied only once.
            retry_attempts(u32): ATTEMPTS: u32 = integer(1..=100).default("3");
            /// The longest pause before the first repeat; it doubles with each. Chance shortens it.
            retry_first_pause(Duration): FIRST_PAUSE: Duration =
                seconds(MILLISECOND, HOUR).default("0.05");
            /// The longest pause before any repeat.
            retry_longest_pause(Duration): LONGEST_PAUSE: Duration =
                seconds(MILLISECOND, HOUR).default("1");
            /// How long after its beginning a call may be made once more.
            retry_within(Duration): WITHIN: Duration = seconds(MILLISECOND, HOUR).default("5");
        }
        timeout "timeout" {
            /// The time after which an attempt is given up; a write may have been applied then.
            timeout_after(Duration): AFTER: Duration = seconds(MILLISECOND, HOUR).default("5");
        }
    }};
}
pub(crate) use variables;

/// The keys of each group in a module of the group's name, and the table of all groups.
macro_rules! keys {
    ($($module:ident $group:literal {$(
        $(#[doc = $meaning:literal])+
        $setter:ident($taken:ty): $name:ident: $read:ty =
            $kind:ident($($of:expr),*) $(.$rule:ident $by:tt)*;
    )*})*) => {
        $(pub(crate) mod $module {
            use super::*;

            $(pub(crate) const $name: Key<$read> = Key::new(
                $group,
                Variable::$kind(stringify!($name), $($of),*)
                    $(.$rule $by)*
                    .help(concat!($($meaning),+)),
            );)*

            pub(crate) const ALL: &[Variable] = &[$($name.variable),*];
        })*

        /// Every backend and layer that has variables, the general ones first.
        const TABLE: &[(&str, &[Variable])] = &[$(($group, $module::ALL)),*];
    };
}
variables!(keys);

/// The groups of the table.
pub(crate) fn groups() -> Vec<Group> {
    let group = |(name, variables): &(&'static str, &'static [Variable])| Group {
        name: (*name).into(),
        variables: (*variables).into(),
    };
    TABLE.iter().map(group).collect()
}

impl Group {
    /// The variable's name in the environment.
    pub(crate) fn variable(&self, variable: &Variable) -> String {
        variable.name_in(&self.name)
    }

    /// The whole name of a variable of this group, or else of the general ones.
    pub(crate) fn whole_name(&self, name: &str) -> String {
        let own = self.variables.iter().find(|variable| variable.name == name);
        own.map_or_else(|| format!("{PREFIX}{name}"), |variable| self.variable(variable))
    }

    /// The variable's key in a file.
    pub(crate) fn key(&self, variable: &Variable) -> String {
        match self.name.as_ref() {
            "" => variable.name.to_ascii_lowercase(),
            name => format!("{name}.{}", variable.name.to_ascii_lowercase()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::value::{Raw, expected, parse};

    #[test]
    fn every_default_is_a_value_of_its_variable() {
        for (group, variables) in TABLE {
            for variable in *variables {
                let Some(default) = variable.default else { continue };
                let value = parse(variable, &Raw::Untyped(default.into()));
                assert!(value.is_ok(), "{group} {}: {value:?}", variable.name);
            }
        }
    }

    #[test]
    fn every_variable_is_explained_in_a_sentence_and_has_an_expectation() {
        for variable in TABLE.iter().flat_map(|(_, variables)| *variables) {
            assert!(variable.help.ends_with('.'), "{}", variable.name);
            assert!(!expected(variable).is_empty(), "{}", variable.name);
        }
    }

    #[test]
    fn no_name_stands_twice_and_every_relation_is_to_a_known_one() {
        let of = |group: &Group| -> Vec<String> {
            group.variables.iter().map(|variable| group.variable(variable)).collect()
        };
        let names: Vec<String> = groups().iter().flat_map(of).collect();
        for name in &names {
            assert_eq!(names.iter().filter(|other| *other == name).count(), 1, "{name}");
        }
        for group in groups() {
            for variable in group.variables.iter() {
                let needed = variable.needs.iter().map(|(name, _)| name);
                for other in variable.excludes.iter().chain(needed) {
                    assert!(names.contains(&group.whole_name(other)), "{other}");
                }
            }
        }
    }
}
