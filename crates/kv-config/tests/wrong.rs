//! Wrong configurations: each error names the variable, the problem and the expectation.
#![cfg(all(feature = "memory", feature = "redis"))]
#![expect(clippy::expect_used, reason = "a helper fails like the test that calls it")]

use kv_config::Config;
use kv_core::ErrorKind;

/// Variables without `OC_KV_STORE_`, then the variable that is named, the problem, and what was
/// expected.
type Case = (&'static [(&'static str, &'static str)], &'static str, &'static str, &'static str);

const GENERAL: &[Case] = &[
    (&[("TYPE", "reddis")], "TYPE", "did you mean `redis`?", "or a registered"),
    (&[("TYPE", "redb")], "TYPE", "`redb` is no known backend", "or a registered name"),
    (&[("SQLITE_PTAH", "a")], "SQLITE_PTAH", "is unknown", "`OC_KV_STORE_SQLITE_PATH`?"),
    (&[("SQLITE_SYNC", "ful")], "SQLITE_SYNC", "did you mean `full`?", "expected normal or full"),
    (&[("SQLITE_TIMEOUT", "0")], "SQLITE_TIMEOUT", "`0` is out of range", "from 0.001 to 3600"),
    (&[("TYPE", " ")], "TYPE", "` ` is no known backend", "or a registered"),
    (&[("TPYE", "redis")], "TPYE", "is unknown", "did you mean `OC_KV_STORE_TYPE`?"),
    (&[("type", "redis")], "type", "is unknown", "did you mean `OC_KV_STORE_TYPE`?"),
    (&[("TTL", "60")], "TTL", "is unknown", "did you mean `OC_KV_STORE_DEFAULT_TTL`?"),
    (&[("COLOUR", "red")], "COLOUR", "is unknown", "or another that the reference of all var"),
    (&[("", "a")], "", "is unknown", "expected OC_KV_STORE_"),
    (&[("SERIALIZER", "yaml")], "SERIALIZER", "`yaml` is unknown", "expected json, msgpack or"),
    (&[("SERIALIZER", "jsno")], "SERIALIZER", "did you mean `json`?", "json, msgpack or pickle"),
    (&[("DEFAULT_TTL", "0")], "DEFAULT_TTL", "`0` is out of range", "whole seconds from 1 to"),
    (&[("DEFAULT_TTL", "-5")], "DEFAULT_TTL", "`-5` is no whole number", "whole seconds from 1"),
    (&[("DEFAULT_TTL", "++5")], "DEFAULT_TTL", "`++5` is no whole number", "whole seconds from"),
    (&[("DEFAULT_TTL", "+ 5")], "DEFAULT_TTL", "`+ 5` is no whole number", "whole seconds from"),
    (&[("DEFAULT_TTL", "5_")], "DEFAULT_TTL", "`5_` is no whole number", "whole seconds from 1"),
    (&[("DEFAULT_TTL", "_5")], "DEFAULT_TTL", "`_5` is no whole number", "whole seconds from 1"),
    (&[("DEFAULT_TTL", "5__0")], "DEFAULT_TTL", "`5__0` is no whole number", "whole seconds"),
    (&[("DEFAULT_TTL", "5 0")], "DEFAULT_TTL", "`5 0` is no whole number", "whole seconds from"),
    (&[("DEFAULT_TTL", "\u{664}")], "DEFAULT_TTL", "is no whole number", "whole seconds from 1"),
    (&[("DEFAULT_TTL", " ")], "DEFAULT_TTL", "` ` is no whole number", "whole seconds from 1"),
    (&[("DEFAULT_TTL", "1.5")], "DEFAULT_TTL", "`1.5` is no whole number", "whole seconds"),
    (&[("DEFAULT_TTL", "1h")], "DEFAULT_TTL", "`1h` is no whole number", "whole seconds from"),
    (&[("DEFAULT_TTL", "9000000001")], "DEFAULT_TTL", "is out of range", "to 9000000000"),
    (&[("DEFAULT_TTL", "99999999999999999999")], "DEFAULT_TTL", "out of range", "to 9000000000"),
];

const URL: &[Case] = &[
    (&[("URL", "http://h")], "URL", "has another scheme than `redis`", "redis://[user:"),
    (&[("URL", "localhost:6379")], "URL", "has another scheme than `redis`", "redis://[user:"),
    (&[("URL", " redis://h")], "URL", "begins with a space", "redis://[user:password@]host"),
    (&[("URL", "redis://h ")], "URL", "ends with a space", "redis://[user:password@]host"),
    (&[("URL", "redis://h\r")], "URL", "ends with a line break", "redis://[user:password@]host"),
    (&[("URL", "\u{feff}redis://h")], "URL", "with a byte order mark", "redis://[user:password@]"),
    (&[("URL", "REDIS://")], "URL", "is no URL of a server", "redis://[user:password@]host"),
    (&[("URL", "redis://")], "URL", "is no URL of a server", "redis://[user:password@]host"),
    (&[("URL", "redis://a b")], "URL", "is no URL of a server", "redis://[user:password@]host"),
    (&[("URL", "redis://h/zero")], "URL", "a path that is no database", "expected 0 to 255"),
    (&[("URL", "redis://h:99999")], "URL", "is refused: url", "redis://[user[:password]@]host"),
    (&[("TYPE", "memory"), ("URL", "redis://h/x")], "URL", "is no database", "expected 0 to 255"),
    (&[("URL", "sqlite://h/path")], "URL", "names no file", "sqlite:///path"),
    (&[("URL", "sqlite:///a?mode=ro")], "URL", "names no file", "sqlite:///path"),
    (
        &[("URL", "redis://h"), ("REDIS_HOST", "h")],
        "REDIS_HOST",
        "is set together with OC_KV_STORE_URL",
        "only one of the two",
    ),
    (
        &[("URL", "redis://h"), ("REDIS_PASSWORD", "p")],
        "REDIS_PASSWORD",
        "is set together with OC_KV_STORE_URL",
        "only one of the two",
    ),
    (
        &[("URL", "redis://h"), ("REDIS_DB", "0")],
        "REDIS_DB",
        "is set together with OC_KV_STORE_URL",
        "only one of the two",
    ),
];

const BACKENDS: &[Case] = &[
    (&[("MEMORY_MAX_ENTRIES", "0")], "MEMORY_MAX_ENTRIES", "`0` is out of range", "from 1 to 429"),
    (&[("MEMORY_MAX_ENTRIES", "many")], "MEMORY_MAX_ENTRIES", "`many` is no whole", "an integer"),
    (&[("MEMORY_MAX_SIZE", "9")], "MEMORY_MAX_SIZE", "is unknown", "OC_KV_STORE_MEMORY_MAX_ENT"),
    (&[("MEMORY_CLEANUP_INTERVAL", "0")], "MEMORY_CLEANUP_INTERVAL", "out of range", "0.001 to"),
    (&[("MEMORY_CLEANUP_INTERVAL", "NaN")], "MEMORY_CLEANUP_INTERVAL", "`NaN` is no d", "seconds"),
    (&[("REDIS_HOTS", "h")], "REDIS_HOTS", "is unknown", "did you mean `OC_KV_STORE_REDIS_HOST`?"),
    (&[("REDIS_COLOUR", "h")], "REDIS_COLOUR", "is unknown", "expected OC_KV_STORE_REDIS_"),
    (&[("HOST", "h")], "HOST", "is unknown", "did you mean `OC_KV_STORE_REDIS_HOST`?"),
    (&[("REDIS_HOST", "redis://h")], "REDIS_HOST", "has a scheme", "a host name or an IP"),
    (&[("REDIS_HOST", "h:6379")], "REDIS_HOST", "has a port or is no address", "without scheme"),
    (&[("REDIS_HOST", "h ")], "REDIS_HOST", "ends with a space", "a host name or an IP"),
    (&[("REDIS_HOST", "h\r")], "REDIS_HOST", "ends with a line break", "a host name or an IP"),
    (&[("REDIS_PASSWORD", "p\n")], "REDIS_PASSWORD", "ends with a line break", "text"),
    (&[("REDIS_PASSWORD", "\u{feff}p")], "REDIS_PASSWORD", "with a byte order mark", "text"),
    (&[("REDIS_HOST", "a b")], "REDIS_HOST", "character that no host name has", "a host name or"),
    (&[("REDIS_PORT", "0")], "REDIS_PORT", "`0` is out of range", "an integer from 1 to 65535"),
    (&[("REDIS_PORT", "70000")], "REDIS_PORT", "`70000` is out of range", "from 1 to 65535"),
    (&[("REDIS_PORT", "six")], "REDIS_PORT", "`six` is no whole number", "from 1 to 65535"),
    (&[("REDIS_PORT", "tcp://10.0.0.1:6379")], "REDIS_PORT", "the value is no whole", "65535"),
    (&[("REDIS_DB", "256")], "REDIS_DB", "`256` is out of range", "an integer from 0 to 255"),
    (&[("REDIS_DB", "-1")], "REDIS_DB", "`-1` is no whole number", "an integer from 0 to 255"),
    (&[("REDIS_USERNAME", "u")], "REDIS_USERNAME", "without a password", "_PASSWORD_FILE too"),
    (&[("REDIS_KEY_PREFIX", "{a}:")], "REDIS_KEY_PREFIX", "has a brace", "without braces"),
    (&[("REDIS_KEY_PREFIX", "a!kv:")], "REDIS_KEY_PREFIX", "marks the library's", "and `!kv:`"),
    (&[("REDIS_MAX_CONNECTIONS", "0")], "REDIS_MAX_CONNECTIONS", "is out of range", "1 to 1024"),
    (&[("REDIS_TIMEOUT", "0")], "REDIS_TIMEOUT", "`0` is out of range", "from 0.001 to 3600"),
    (&[("REDIS_TIMEOUT", "1e3")], "REDIS_TIMEOUT", "`1e3` is no decimal number", "0.001 to 3600"),
    (&[("REDIS_TIMEOUT", "5s")], "REDIS_TIMEOUT", "`5s` is no decimal number", "0.001 to 3600"),
    (&[("REDIS_RETRY_ON_TIMEOUT", "maybe")], "REDIS_RETRY_ON_TIMEOUT", "no truth", "true or fal"),
    (&[("REDIS_TLS", "perhaps")], "REDIS_TLS", "is no truth value", "expected true or false"),
    (&[("REDIS_TLS_CA_FILE", "a")], "REDIS_TLS_CA_FILE", "has no effect", "REDIS_TLS to be true"),
    (&[("REDIS_MODE", "singel")], "REDIS_MODE", "did you mean `single`?", "expected single"),
    (&[("REDIS_NODES", "a:1,b:2")], "REDIS_NODES", "has no effect", "to be cluster or sentinel"),
    (&[("REDIS_NODES", "a:1,b")], "REDIS_NODES", "item without port", "host:port, separated by"),
    (&[("REDIS_NODES", "a:0")], "REDIS_NODES", "no host and port", "host:port, separated by"),
    (&[("REDIS_SENTINEL_MASTER", "m")], "REDIS_SENTINEL_MASTER", "no effect", "to be sentinel"),
    (
        &[("TYPE", "redis"), ("REDIS_MODE", "sentinel")],
        "REDIS_SENTINEL_MASTER",
        "is not set",
        "the name under which the sentinels know the primary",
    ),
    (
        &[("REDIS_TLS", "true"), ("REDIS_TLS_CERT_FILE", "c")],
        "REDIS_TLS_CERT_FILE",
        "is set alone",
        "OC_KV_STORE_REDIS_TLS_KEY_FILE too",
    ),
    (
        &[("REDIS_UNIX_SOCKET", "/s"), ("REDIS_TLS", "true")],
        "REDIS_UNIX_SOCKET",
        "is set together with OC_KV_STORE_REDIS_TLS",
        "only one of the two",
    ),
    (
        &[("REDIS_MODE", "cluster"), ("URL", "redis://h")],
        "REDIS_MODE",
        "is set together with OC_KV_STORE_URL",
        "only one of the two",
    ),
    (&[("REDIS_PROTOCOL", "4")], "REDIS_PROTOCOL", "is unknown", "expected 2 or 3"),
    (
        &[("REDIS_PASSWORD", "p"), ("REDIS_PASSWORD_FILE", "f")],
        "REDIS_PASSWORD_FILE",
        "is set together with OC_KV_STORE_REDIS_PASSWORD",
        "only one of the two",
    ),
    (
        &[("TYPE", "redis"), ("REDIS_PASSWORD_FILE", "there/is/none")],
        "REDIS_PASSWORD_FILE",
        "names a file that cannot be read (entity not found)",
        "the path of a text file",
    ),
    (
        &[("TYPE", "redis"), ("REDIS_PASSWORD_FILE", ".")],
        "REDIS_PASSWORD_FILE",
        "cannot be read (not a regular file)",
        "the path of a text file",
    ),
];

const LAYERS: &[Case] = &[
    (&[("LAYERS", "retyr")], "LAYERS", "did you mean `retry`?", "any of observe, statistics"),
    (&[("LAYERS", "cache")], "LAYERS", "`cache` is no layer", "retry, timeout, in this order"),
    (&[("LAYERS", "RETYR")], "LAYERS", "`retyr` is no layer", "did you mean `retry`?"),
    (&[("LAYERS", "retry,")], "LAYERS", "`` is no layer", "any of observe, statistics"),
    (&[("LAYERS", "retry, retry")], "LAYERS", "names `retry` twice", "in this order"),
    (
        &[("LAYERS", "timeout,retry")],
        "LAYERS",
        "names `retry` inside of `timeout`",
        "in this order",
    ),
    (
        &[("LAYERS", "retry,limit,timeout")],
        "LAYERS",
        "names `limit` inside of `retry`",
        "limit, re",
    ),
    (&[("LAYERS", "limit,observe")], "LAYERS", "inside of `limit`, which it has to", "any of obs"),
    (&[("LAYRES", "retry")], "LAYRES", "is unknown", "did you mean `OC_KV_STORE_LAYERS`?"),
    (&[("RETRY_ATTEMPTS", "5")], "RETRY_ATTEMPTS", "has no effect", "LAYERS to name `retry`"),
    (
        &[("LAYERS", "limit"), ("FALLBACK_PAUSE", "1")],
        "FALLBACK_PAUSE",
        "has no effect",
        "OC_KV_STORE_LAYERS to name `fallback`",
    ),
    (&[("LAYERS", "retry"), ("RETRY_ATTEMPTS", "0")], "RETRY_ATTEMPTS", "out of range", "1 to 100"),
    (&[("LAYERS", "retry"), ("RETRY_ATEMPTS", "3")], "RETRY_ATEMPTS", "is unknown", "did you mean"),
    (&[("LAYERS", "retry"), ("RETRY_WITHIN", "5s")], "RETRY_WITHIN", "no decimal", "seconds, also"),
    (&[("LAYERS", "limit"), ("LIMIT_QUEUE", "-1")], "LIMIT_QUEUE", "no whole", "0 to 1000000"),
    (&[("LAYERS", "timeout"), ("TIMEOUT_AFTER", "0")], "TIMEOUT_AFTER", "out of range", "0.001 to"),
    (
        &[("LAYERS", "fallback"), ("FALLBACK_TYPE", "redis")],
        "FALLBACK_TYPE",
        "is unknown",
        "memory",
    ),
];

fn error(variables: &[(&str, &str)]) -> String {
    let named = variables.iter().map(|(name, value)| (format!("OC_KV_STORE_{name}"), *value));
    let error = Config::from_vars(named).expect_err("a wrong configuration");
    assert_eq!(error.kind(), ErrorKind::Config);
    error.to_string()
}

fn check(cases: &[Case]) {
    for (variables, name, problem, expected) in cases {
        let text = error(variables);
        let name = format!("OC_KV_STORE_{name}: ");
        for part in [name.as_str(), problem, expected, "expected "] {
            assert!(text.contains(part), "{variables:?} gave {text:?}, without {part:?}");
        }
    }
}

#[test]
fn a_wrong_general_variable_is_named_with_what_was_expected() {
    check(GENERAL);
}

#[test]
fn a_wrong_url_is_named_with_what_was_expected() {
    check(URL);
}

#[test]
fn a_wrong_variable_of_a_backend_is_named_with_what_was_expected() {
    check(BACKENDS);
}

#[cfg(feature = "layers")]
#[test]
fn a_wrong_layer_is_named_with_what_was_expected() {
    check(LAYERS);
}

#[test]
fn one_wrong_variable_is_told_in_one_line() {
    let all = GENERAL.iter().chain(BACKENDS).chain(LAYERS);
    for (variables, ..) in all.filter(|case| case.0.len() == 1) {
        assert_eq!(error(variables).lines().count(), 1, "{variables:?}");
    }
}

#[test]
fn all_problems_are_told_together_each_in_its_line() {
    let text = error(&[
        ("TPYE", "redis"),
        ("DEFAULT_TTL", "soon"),
        ("REDIS_DB", "300"),
        ("REDIS_MODE", "clutser"),
        ("REDIS_NODES", "a:1"),
    ]);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.first(), Some(&"4 problems in the configuration"));
    for name in ["DEFAULT_TTL: ", "REDIS_DB: ", "REDIS_MODE: ", "TPYE: "] {
        assert!(
            lines.iter().any(|line| line.starts_with(&format!("OC_KV_STORE_{name}"))),
            "{text}"
        );
    }
    assert_eq!(lines.len(), 5);
}

#[cfg(unix)]
#[test]
fn a_value_that_is_not_utf_8_is_named_and_not_shown() {
    use std::ffi::OsString;
    use std::os::unix::ffi::OsStringExt;
    let value = OsString::from_vec(b"canary\xff".to_vec());
    for name in ["OC_KV_STORE_TYPE", "OC_KV_STORE_REDIS_PASSWORD"] {
        let text = Config::from_vars([(name, value.clone())]).unwrap_err().to_string();
        assert!(text.starts_with(&format!("{name}: is not UTF-8; expected ")), "{text}");
        assert!(!text.contains("canary"));
        assert_eq!(text.lines().count(), 1, "{text}");
    }
}

#[test]
fn a_name_in_lowercase_is_told_as_a_slip_and_not_ignored() {
    for name in ["oc_kv_store_type", "Oc_Kv_Store_TYPE"] {
        let text = Config::from_vars([(name, "redis")]).unwrap_err().to_string();
        let expected = format!("{name}: is unknown, did you mean `OC_KV_STORE_TYPE`?; expected ");
        assert!(text.starts_with(&expected), "{text}");
    }
}

#[test]
fn a_backend_whose_variables_are_set_is_never_passed_over_in_silence() {
    for (variables, named, choices) in [
        (&["REDIS_HOST"][..], "OC_KV_STORE_REDIS_HOST is", "OC_KV_STORE_TYPE=redis"),
        (
            &["REDIS_KEY_PREFIX", "REDIS_PASSWORD"],
            "OC_KV_STORE_REDIS_PASSWORD and OC_KV_STORE_REDIS_KEY_PREFIX are",
            "OC_KV_STORE_TYPE=redis",
        ),
        (
            &["REDIS_HOST", "REDIS_PASSWORD", "REDIS_KEY_PREFIX", "REDIS_USERNAME"],
            "OC_KV_STORE_REDIS_HOST, OC_KV_STORE_REDIS_USERNAME, OC_KV_STORE_REDIS_PASSWORD and 1 \
             more are",
            "OC_KV_STORE_TYPE=redis",
        ),
        (
            &["REDIS_HOST", "SQLITE_PATH"],
            "OC_KV_STORE_REDIS_HOST and OC_KV_STORE_SQLITE_PATH are",
            "OC_KV_STORE_TYPE=redis or OC_KV_STORE_TYPE=sqlite",
        ),
    ] {
        let set: Vec<(&str, &str)> = variables.iter().map(|name| (*name, "h")).collect();
        let text = error(&set);
        let expected = format!(
            "OC_KV_STORE_TYPE: is not set, but {named}; expected the backend to be named: set \
             {choices}, or OC_KV_STORE_TYPE=memory to leave aside what is set"
        );
        assert_eq!(text, expected);
    }
}

#[test]
fn a_url_chooses_the_backend_and_variables_of_another_one_are_told() {
    let text = error(&[("URL", "redis://h"), ("MEMORY_MAX_ENTRIES", "5"), ("REDIS_TIMEOUT", "1")]);
    let expected = "OC_KV_STORE_TYPE: is not set, but OC_KV_STORE_MEMORY_MAX_ENTRIES is; expected \
                    the backend to be named: set OC_KV_STORE_TYPE=memory, or \
                    OC_KV_STORE_TYPE=redis to leave aside what is set";
    assert_eq!(text, expected);
}

#[test]
fn an_unknown_name_is_answered_with_three_known_ones_the_nearest_first() {
    for (name, first) in [
        ("REDIS_HOTS", "expected OC_KV_STORE_REDIS_HOST, "),
        ("REDIS_PASWORD", "expected OC_KV_STORE_REDIS_PASSWORD, "),
        ("HOST", "expected OC_KV_STORE_REDIS_HOST, "),
        ("REDIS_COLOUR", "expected OC_KV_STORE_REDIS_"),
        ("COLOUR", "expected OC_KV_STORE_"),
    ] {
        let text = error(&[(name, "h")]);
        let (_, list) = text.split_once("; ").unwrap();
        assert!(list.starts_with(first), "{text}");
        assert_eq!(list.matches("OC_KV_STORE_").count(), 3, "{text}");
    }
}
