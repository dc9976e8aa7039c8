//! Right configurations, and what they mean.
#![cfg(all(feature = "memory", feature = "redis"))]
#![expect(clippy::expect_used, reason = "a helper fails like the test that calls it")]

use std::time::Duration;

use kv_config::Config;

fn config(variables: &[(&str, &str)]) -> Config {
    let named = variables.iter().map(|(name, value)| (format!("OC_KV_STORE_{name}"), *value));
    Config::from_vars(named).expect("a right configuration")
}

fn redis_setting(variables: &[(&str, &str)], name: &str) -> String {
    let config = config(&[&[("TYPE", "redis")], variables].concat());
    config.settings().get(name).expect("a text")
}

#[test]
fn nothing_set_is_memory_with_json_and_without_expiry() {
    let config = config(&[]);
    assert_eq!(config.backend(), "memory");
    assert_eq!(config.serializer().name(), "json");
    assert_eq!(config.default_ttl(), None);
    assert_eq!(config.settings().get::<Option<u64>>("MAX_ENTRIES").unwrap(), None);
}

#[test]
fn the_variables_of_the_python_original_mean_what_they_meant() {
    let config = config(&[
        ("TYPE", "redis"),
        ("REDIS_HOST", "localhost"),
        ("REDIS_PORT", "6379"),
        ("REDIS_DB", "0"),
        ("REDIS_PASSWORD", "secret"),
        ("REDIS_KEY_PREFIX", "data_fetcher:"),
        ("SERIALIZER", "json"),
        ("DEFAULT_TTL", "3600"),
    ]);
    assert_eq!((config.backend(), config.serializer().name()), ("redis", "json"));
    assert_eq!(config.default_ttl(), Some(Duration::from_secs(3_600)));
    let settings = config.settings();
    assert_eq!(settings.get::<String>("HOST").unwrap(), "localhost");
    assert_eq!(settings.get::<u16>("PORT").unwrap(), 6379);
    assert_eq!(settings.get::<u8>("DB").unwrap(), 0);
    assert_eq!(settings.get::<String>("PASSWORD").unwrap(), "secret");
    assert_eq!(settings.get::<String>("KEY_PREFIX").unwrap(), "data_fetcher:");
}

#[test]
fn redis_has_the_defaults_of_the_original() {
    let config = config(&[("TYPE", "redis")]);
    let settings = config.settings();
    assert_eq!(settings.get::<String>("HOST").unwrap(), "localhost");
    assert_eq!(settings.get::<u16>("PORT").unwrap(), 6379);
    assert_eq!(settings.get::<u8>("DB").unwrap(), 0);
    assert_eq!(settings.get::<Option<String>>("PASSWORD").unwrap(), None);
    assert_eq!(settings.get::<String>("KEY_PREFIX").unwrap(), "data_fetcher:");
    assert!(!settings.get::<bool>("RETRY_ON_TIMEOUT").unwrap());
}

#[test]
fn an_empty_value_counts_as_unset() {
    let empty = ["TYPE", "SERIALIZER", "DEFAULT_TTL", "URL", "REDIS_PORT", "REDIS_TLS"];
    let config = config(&empty.map(|name| (name, "")));
    assert_eq!(config.backend(), "memory");
    assert_eq!(config.default_ttl(), None);
    assert_eq!(redis_setting(&[("REDIS_KEY_PREFIX", "")], "KEY_PREFIX"), "data_fetcher:");
    assert_eq!(redis_setting(&[("REDIS_PASSWORD", "p"), ("URL", "")], "PASSWORD"), "p");
}

#[test]
fn a_number_is_zero_where_zero_is_set() {
    let config = config(&[("TYPE", "redis"), ("REDIS_DB", "0")]);
    assert_eq!(config.settings().get::<u8>("DB").unwrap(), 0);
}

#[test]
fn words_are_read_in_any_case_and_with_space_around() {
    for (kind, serializer) in [("REDIS", "JSON"), ("Redis", "MsgPack"), (" redis\r", " msgpack ")] {
        let variables = [("TYPE", kind), ("SERIALIZER", serializer), ("REDIS_MODE", "Single")];
        let config = config(&variables);
        assert_eq!(config.backend(), "redis");
        assert_eq!(config.serializer().name(), serializer.trim().to_ascii_lowercase());
        assert_eq!(config.settings().get::<String>("MODE").unwrap(), "single");
    }
    let variables =
        [("REDIS_MODE", "SENTINEL"), ("REDIS_SENTINEL_MASTER", "m"), ("REDIS_TLS", " True ")];
    assert_eq!(redis_setting(&variables, "MODE"), "sentinel");
}

#[test]
fn a_number_may_be_written_as_python_reads_it() {
    for text in [" 42", "42\r\n", "+42", "4_2", "042", " +0_4_2 "] {
        let config = config(&[("TYPE", "redis"), ("REDIS_DB", text), ("DEFAULT_TTL", text)]);
        assert_eq!(config.settings().get::<u8>("DB").unwrap(), 42, "{text:?}");
        assert_eq!(config.default_ttl(), Some(Duration::from_secs(42)), "{text:?}");
    }
    let config = config(&[("TYPE", "redis"), ("REDIS_TIMEOUT", " +1_0.5 ")]);
    let timeout: Duration = config.settings().get("TIMEOUT").unwrap();
    assert_eq!(timeout, Duration::from_millis(10_500));
}

#[test]
fn a_url_has_its_scheme_in_any_case() {
    for url in ["REDIS://h", "Redis://:P@h:1/2", "REDIS-CLUSTER://h", "Redis-Sentinel://h?master=m"]
    {
        assert_eq!(config(&[("URL", url)]).backend(), "redis", "{url}");
    }
}

#[test]
fn every_word_for_true_and_false_is_understood() {
    for (words, expected) in
        [(["true", "True", "1", "yes", "ON"], true), (["false", "FALSE", "0", "no", "off"], false)]
    {
        for word in words {
            let config = config(&[("TYPE", "redis"), ("REDIS_RETRY_ON_TIMEOUT", word)]);
            assert_eq!(config.settings().get::<bool>("RETRY_ON_TIMEOUT").unwrap(), expected);
        }
    }
}

#[test]
fn seconds_may_have_a_fraction() {
    for (text, millis) in
        [("0.5", 500), ("2", 2_000), (".25", 250), ("0.001", 1), ("3600", 3_600_000)]
    {
        let config = config(&[("TYPE", "redis"), ("REDIS_TIMEOUT", text)]);
        let timeout: Duration = config.settings().get("TIMEOUT").unwrap();
        assert_eq!(timeout, Duration::from_millis(millis), "{text}");
    }
}

#[test]
fn a_host_may_be_a_name_or_an_address() {
    for host in ["localhost", "redis.internal", "redis_1", "127.0.0.1", "::1", "fe80::1"] {
        assert_eq!(redis_setting(&[("REDIS_HOST", host)], "HOST"), host);
    }
}

#[test]
fn variables_of_other_prefixes_are_left_alone() {
    let others = ["PATH", "OC_KV_STOREFRONT", "OC_KV_STORE", "OC_OTHER", "É_OC_KV_STORE_X"];
    let config = Config::from_vars(others.map(|name| (name, "x"))).unwrap();
    assert_eq!(config.backend(), "memory");
}

#[test]
fn variables_of_a_backend_that_is_not_selected_are_ignored() {
    let config = config(&[
        ("TYPE", "memory"),
        ("URL", "redis://:p@h/1"),
        ("REDIS_TIMEOUT", "9"),
        ("SQLITE_PATH", "jobs.db"),
    ]);
    assert_eq!(config.backend(), "memory");
    let file = ("OC_KV_STORE_REDIS_PASSWORD_FILE", "there/is/none");
    let config = Config::from_vars([("OC_KV_STORE_TYPE", "memory"), file]);
    assert!(config.is_ok(), "the file is not read");
}

#[test]
fn a_url_selects_redis_where_no_type_is_set() {
    for url in ["redis://h", "redis://user:p@h:7000/3", "redis://[::1]:6379"] {
        assert_eq!(config(&[("URL", url)]).backend(), "redis", "{url}");
        assert_eq!(config(&[("URL", url), ("REDIS_TIMEOUT", "1")]).backend(), "redis");
    }
}

#[test]
fn the_builder_has_the_same_names_and_checks() {
    let config = Config::builder()
        .store_type("redis")
        .redis_host("h")
        .redis_port(1)
        .redis_db(0)
        .redis_timeout(Duration::from_millis(250))
        .redis_retry_on_timeout(true)
        .serializer("msgpack")
        .default_ttl(Duration::from_millis(1_500))
        .build()
        .unwrap();
    assert_eq!((config.backend(), config.serializer().name()), ("redis", "msgpack"));
    assert_eq!(config.default_ttl(), Some(Duration::from_millis(1_500)));
    assert_eq!(config.settings().get::<u16>("PORT").unwrap(), 1);

    let wrong = Config::builder().default_ttl(Duration::ZERO).redis_db(300).redis_mode("x");
    let text = wrong.build().unwrap_err().to_string();
    for name in ["DEFAULT_TTL: `0ns` is out", "REDIS_DB: `300` is out", "REDIS_MODE: `x` is"] {
        assert!(text.contains(&format!("OC_KV_STORE_{name}")), "{text}");
    }
}

#[test]
fn every_arrangement_of_servers_is_accepted() {
    let tls = [("REDIS_TLS", "true"), ("REDIS_TLS_CERT_FILE", "/c"), ("REDIS_TLS_KEY_FILE", "/k")];
    let arrangements = [
        vec![("REDIS_MODE", "cluster"), ("REDIS_NODES", "a:1, [::1]:2"), ("REDIS_PROTOCOL", "3")],
        vec![("REDIS_MODE", "cluster"), ("REDIS_HOST", "::1")],
        vec![("REDIS_MODE", "sentinel"), ("REDIS_SENTINEL_MASTER", "m"), ("REDIS_NODES", "a:1")],
        vec![("REDIS_UNIX_SOCKET", "/run/redis.sock"), ("REDIS_DB", "3")],
        vec![("URL", "rediss://u:p@h:1/2"), ("REDIS_TLS", "true"), ("REDIS_TLS_CA_FILE", "/ca")],
        vec![("URL", "redis-cluster://h?node=i:2")],
        vec![("URL", "redis-sentinel://h/1?master=m")],
        vec![("URL", "redis+unix:///run/redis.sock")],
        tls.to_vec(),
    ];
    for mut variables in arrangements {
        variables.push(("TYPE", "redis"));
        let named = variables.iter().map(|(name, value)| (format!("OC_KV_STORE_{name}"), *value));
        let config = Config::from_vars(named).unwrap_or_else(|why| panic!("{variables:?}: {why}"));
        assert_eq!(config.backend(), "redis");
    }
}

#[test]
fn the_environment_of_a_process_is_read() {
    let listed = "OC_KV_STORE_DEFAULT_TTL";
    let Ok(name) = std::env::var("KV_CONFIG_TEST_CHILD") else {
        let status = std::process::Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "the_environment_of_a_process_is_read"])
            .envs([("KV_CONFIG_TEST_CHILD", "yes"), (listed, "77")])
            .output()
            .unwrap();
        assert!(status.status.success(), "{}", String::from_utf8_lossy(&status.stdout));
        return;
    };
    assert_eq!(name, "yes");
    let config = Config::from_env().unwrap();
    assert_eq!(config.default_ttl(), Some(Duration::from_secs(77)));
}
