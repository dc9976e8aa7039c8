//! The one table of variables: parser, defaults and reference are made of it.

use std::borrow::Cow;
use std::time::Duration;

use kv_core::MAX_LIFETIME;

use crate::check;
use crate::variable::Variable;

/// What every variable begins with.
pub(crate) const PREFIX: &str = "OC_KV_STORE_";

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

const GENERAL: &[Variable] = &[
    Variable::text("TYPE")
        .default("memory")
        .checked(check::anything, "`memory`, `redis`, `sqlite` or a registered name")
        .help(
            "The backend. Unset, it is what `OC_KV_STORE_URL` names where that is set, and an error \
             where variables of another backend than the one that results are.",
        ),
    Variable::choice("SERIALIZER", &["json", "msgpack", "pickle"]).default("json").help(
        "The format of stored values. `pickle` needs the feature of that name, off by default.",
    ),
    Variable::whole_seconds("DEFAULT_TTL", MILLISECOND, MAX_LIFETIME).help(
        "How long an entry lives that is written without a lifetime; unset, it never expires.",
    ),
    Variable::secret("URL").checked(check::url, "redis://[user:password@]host[:port][/db] or sqlite:///path").help(
        "Where the servers are, or `sqlite:///path` for a file; in place of the host, the port, the database, the credentials and \
         the mode. Encrypted with `rediss` in place of `redis`; also `redis+unix:///path[?db=N]`, \
         `redis-cluster://host:port[?node=host:port]`, \
         `redis-sentinel://host:port[/db]?master=name[&node=host:port]`.",
    ),
    Variable::list("LAYERS")
        .checked(
            check::anything,
            "any of observe, statistics, read-only, near-cache, compress, encrypt, fallback, limit, \
             retry and timeout, in this order",
        )
        .help("What stands around the store, outermost first; unset, nothing."),
];

const MEMORY: &[Variable] = &[
    Variable::integer("MAX_ENTRIES", 1..=4_294_967_295).help(
        "How many entries are kept; beyond, the least recently used are evicted. Unset, all are.",
    ),
    Variable::seconds("CLEANUP_INTERVAL", MILLISECOND, DAY)
        .default("1")
        .help("How often expired entries are removed."),
];

const REDIS: &[Variable] = &[
    Variable::text("HOST")
        .default("localhost")
        .excludes(&["URL"])
        .checked(check::host, "a host name or an IP address, without scheme and port")
        .help("The server's name or address."),
    Variable::integer("PORT", 1..=65_535)
        .default("6379")
        .excludes(&["URL"])
        .help("The server's port."),
    Variable::path("UNIX_SOCKET")
        .excludes(&["HOST", "PORT", "NODES", "TLS", "URL"])
        .help("A socket in the file system, in place of host and port."),
    Variable::integer("DB", 0..=255)
        .default("0")
        .excludes(&["URL"])
        .help("The number of the database."),
    Variable::text("USERNAME")
        .excludes(&["URL"])
        .help("The user; unset, the server's default one."),
    Variable::secret("PASSWORD")
        .excludes(&["URL"])
        .checked(check::secret, "text")
        .help("The password."),
    Variable::path("PASSWORD_FILE").excludes(&["PASSWORD", "URL"]).help(
        "A file that holds the password, in UTF-8; a byte order mark at its beginning and one line \
             break at its end do not count.",
    ),
    Variable::text("KEY_PREFIX")
        .default("data_fetcher:")
        .checked(check::key_prefix, "at most 512 bytes without braces and `!kv:`")
        .help("What every key on the server begins with; a `:` is appended where it is missing."),
    Variable::integer("MAX_CONNECTIONS", 1..=1_024)
        .default("1")
        .help("Connections to the server; one serves many tasks at a time."),
    Variable::seconds("TIMEOUT", MILLISECOND, HOUR).default("5").help(
        "The time within which every call returns; one of more than a MiB is sent in parts, \
             each of which has it.",
    ),
    Variable::flag("RETRY_ON_TIMEOUT")
        .default("false")
        .help("Whether a read that got no reply is repeated; a write never is."),
    Variable::choice("PROTOCOL", &["2", "3"]).default("2").help("The version of Redis's protocol."),
    Variable::flag("TLS")
        .default("false")
        .help("Whether connections are encrypted, those to sentinels too."),
    Variable::path("TLS_CA_FILE")
        .needs("TLS", &["true"])
        .help("The certificates to trust, in PEM, in place of the system's."),
    Variable::path("TLS_CERT_FILE")
        .needs("TLS", &["true"])
        .help("One's own certificate, in PEM, for a server that asks for it; with its key."),
    Variable::path("TLS_KEY_FILE")
        .needs("TLS", &["true"])
        .help("The private key of one's own certificate, in PEM."),
    Variable::choice("MODE", &["single", "cluster", "sentinel"])
        .default("single")
        .excludes(&["URL"])
        .help("How the servers are arranged."),
    Variable::list("NODES")
        .needs("MODE", CLUSTERED)
        .excludes(&["HOST", "PORT", "URL"])
        .checked(check::node, "host:port, separated by commas")
        .help(
            "Some nodes of the cluster, or the sentinels; unset, the one at the host and the port.",
        ),
    Variable::text("SENTINEL_MASTER")
        .needs("MODE", &["sentinel"])
        .help("The name under which the sentinels know the primary."),
    Variable::text("SENTINEL_USERNAME")
        .needs("MODE", &["sentinel"])
        .help("The user to the sentinels; unset, their default one."),
    Variable::secret("SENTINEL_PASSWORD")
        .needs("MODE", &["sentinel"])
        .checked(check::secret, "text")
        .help("The password to the sentinels, if they ask for one."),
];

const SQLITE: &[Variable] = &[
    Variable::path("PATH").help(
        "The database file, which is made where it is missing; its folder must exist. Where `sqlite` \
         is the type, either this or `OC_KV_STORE_URL` must be set.",
    ),
    Variable::choice("SYNC", &["normal", "full"]).default("normal").help(
        "What a write survives that was answered: `normal` the death of the process, and a power \
         cut may cost the last moments; `full` a power cut, at the cost of a flush for each commit.",
    ),
    Variable::seconds("TIMEOUT", MILLISECOND, HOUR)
        .default("5")
        .help("The time within which every call returns."),
];

/// Every backend that has a name of its own, with its variables, the general ones first.
pub(crate) const TABLE: [(&str, &[Variable]); 4] =
    [("", GENERAL), ("memory", MEMORY), ("redis", REDIS), ("sqlite", SQLITE)];

const FALLBACK: &[Variable] = &[
    Variable::choice("TYPE", &["memory"]).default("memory").help(
        "Where plain reads and writes go while the store is away. All else is refused always.",
    ),
    Variable::integer("FAILURES", 1..=1_000)
        .default("3")
        .help("How many calls in a row must find the store away."),
    Variable::seconds("PAUSE", MILLISECOND, HOUR)
        .default("1")
        .help("The longest time for which the store is left alone before it is tried again."),
    Variable::integer("MAX_ENTRIES", 1..=4_294_967_295)
        .default("100000")
        .help("How many entries are kept; beyond, the least recently used are evicted."),
];

const LIMIT: &[Variable] = &[
    Variable::integer("CONCURRENCY", 1..=1_000_000)
        .default("256")
        .help("How many calls run at once."),
    Variable::integer("QUEUE", 0..=1_000_000)
        .default("1024")
        .help("How many more wait for their turn; beyond, calls are refused as `Backpressure`."),
];

const RETRY: &[Variable] = &[
    Variable::integer("ATTEMPTS", 1..=100)
        .default("3")
        .help("How often a call is made at most; a write that may have been applied only once."),
    Variable::seconds("FIRST_PAUSE", MILLISECOND, HOUR).default("0.05").help(
        "The longest pause before the first repeat; it doubles with each. Chance shortens it.",
    ),
    Variable::seconds("LONGEST_PAUSE", MILLISECOND, HOUR)
        .default("1")
        .help("The longest pause before any repeat."),
    Variable::seconds("WITHIN", MILLISECOND, HOUR)
        .default("5")
        .help("How long after its beginning a call may be made once more."),
];

const TIMEOUT: &[Variable] = &[Variable::seconds("AFTER", MILLISECOND, HOUR)
    .default("5")
    .help("The time after which an attempt is given up; a write may have been applied then.")];

const NEAR_CACHE: &[Variable] = &[
    Variable::integer("ENTRIES", 1..=4_294_967_295)
        .default("10000")
        .help("How many entries are kept; beyond, those that were not read lately go."),
    Variable::integer("BYTES", 1..=1_099_511_627_776)
        .default("67108864")
        .help("How many bytes of keys and values are kept, with about 200 for each entry."),
    Variable::seconds("MAX_AGE", MILLISECOND, DAY)
        .default("60")
        .help("How long a value is answered of which nobody tells that it changed."),
    Variable::text("ONLY")
        .checked(check::anything, "what keys begin with behind the prefix, such as `pages:`")
        .help("Keeps only keys that begin with this, behind the key prefix; unset, all."),
];

const COMPRESS: &[Variable] = &[Variable::integer("ABOVE", 1..=536_870_912)
    .default("1024")
    .help("How many bytes a value has at least that is compressed.")];

const ENCRYPT: &[Variable] = &[
    Variable::secret("KEY")
        .checked(check::encryption_key, "64 hexadecimal digits")
        .help("The key that encrypts, such as `openssl rand -hex 32` prints; the layer needs it."),
    Variable::secret("OLD_KEY")
        .checked(check::encryption_key, "64 hexadecimal digits")
        .help("A key that decrypts only, while the key is being changed."),
];

/// The layers that have variables, the outermost first.
pub(crate) const LAYERS: [(&str, &[Variable]); 7] = [
    ("near_cache", NEAR_CACHE),
    ("compress", COMPRESS),
    ("encrypt", ENCRYPT),
    ("fallback", FALLBACK),
    ("limit", LIMIT),
    ("retry", RETRY),
    ("timeout", TIMEOUT),
];

/// The groups of both tables.
pub(crate) fn groups() -> Vec<Group> {
    let both = TABLE.iter().chain(&LAYERS);
    both.map(|(name, variables)| Group { name: (*name).into(), variables: (*variables).into() })
        .collect()
}

impl Group {
    /// The variable's name in the environment.
    pub(crate) fn variable(&self, variable: &Variable) -> String {
        match self.name.as_ref() {
            "" => format!("{PREFIX}{}", variable.name),
            name => format!("{PREFIX}{}_{}", name.to_ascii_uppercase(), variable.name),
        }
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
        for (group, variables) in TABLE.iter().chain(&LAYERS) {
            for variable in *variables {
                let Some(default) = variable.default else { continue };
                let value = parse(variable, &Raw::Untyped(default.into()));
                assert!(value.is_ok(), "{group} {}: {value:?}", variable.name);
            }
        }
    }

    #[test]
    fn every_variable_is_explained_in_a_sentence_and_has_an_expectation() {
        for variable in TABLE.iter().chain(&LAYERS).flat_map(|(_, variables)| *variables) {
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
