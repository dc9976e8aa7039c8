//! What is compiled out is told.

#[cfg(not(feature = "redis"))]
#[test]
fn redis_compiled_out_names_the_feature() {
    for variable in [("OC_KV_STORE_TYPE", "redis"), ("OC_KV_STORE_URL", "redis://h")] {
        let text = kv_config::Config::from_vars([variable]).unwrap_err().to_string();
        assert!(text.starts_with("OC_KV_STORE_TYPE: `redis` is compiled out"), "{text}");
        assert!(text.contains("feature `redis`") && text.contains("expected "), "{text}");
    }
}

#[cfg(not(feature = "memory"))]
#[test]
fn memory_compiled_out_names_the_feature() {
    let text = kv_config::Config::builder().build().unwrap_err().to_string();
    assert!(text.starts_with("OC_KV_STORE_TYPE: `memory` is compiled out"), "{text}");
    assert!(text.contains("feature `memory`"), "{text}");
}

#[cfg(not(feature = "pickle"))]
#[test]
fn pickle_compiled_out_names_the_feature_beside_all_else_that_is_wrong() {
    let variables = [("OC_KV_STORE_SERIALIZER", "pickle"), ("OC_KV_STORE_DEFAULT_TTL", "0")];
    let text = kv_config::Config::from_vars(variables).unwrap_err().to_string();
    assert!(text.contains("OC_KV_STORE_SERIALIZER: `pickle` is compiled out"), "{text}");
    assert!(text.contains("feature `pickle`") && text.contains("expected json or"), "{text}");
    assert!(text.contains("OC_KV_STORE_DEFAULT_TTL: `0`"), "{text}");
}

#[cfg(all(feature = "pickle", feature = "memory"))]
#[test]
fn pickle_compiled_in_is_the_format_of_the_store() {
    let config = kv_config::Config::from_vars([("OC_KV_STORE_SERIALIZER", "pickle")]).unwrap();
    let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    let store = runtime.block_on(config.open()).unwrap();
    assert_eq!(store.serializer().name(), "pickle");
    assert_eq!(store.serializer().encode(&1).unwrap().as_ref(), b"80044b012e");
}

#[cfg(not(feature = "layers"))]
#[test]
fn layers_compiled_out_name_the_feature() {
    let text = kv_config::Config::from_vars([("OC_KV_STORE_LAYERS", "retry")]).unwrap_err();
    let text = text.to_string();
    assert!(text.contains("OC_KV_STORE_LAYERS: needs what is compiled out"), "{text}");
    assert!(text.contains("feature `layers`") && text.contains("expected no layers"), "{text}");
    let text = kv_config::Config::from_vars([("OC_KV_STORE_LAYERS", "retyr")]).unwrap_err();
    assert!(text.to_string().contains("did you mean `retry`?"), "{text}");
}

#[cfg(all(feature = "layers", not(feature = "memory")))]
#[test]
fn a_fallback_to_memory_that_is_compiled_out_names_the_feature() {
    let text = kv_config::Config::from_vars([("OC_KV_STORE_LAYERS", "fallback")]).unwrap_err();
    let text = text.to_string();
    assert!(text.contains("OC_KV_STORE_FALLBACK_TYPE: `memory` is compiled out"), "{text}");
    assert!(text.contains("feature `memory`"), "{text}");
}

#[test]
fn variables_are_checked_whatever_is_compiled_in() {
    let variables = [
        ("OC_KV_STORE_REDIS_PORT", "x"),
        ("OC_KV_STORE_MEMORY_MAX_ENTRIES", "x"),
        ("OC_KV_STORE_RETRY_ATTEMPTS", "x"),
    ];
    let text = kv_config::Config::from_vars(variables).unwrap_err().to_string();
    for name in ["_REDIS_PORT: ", "_MAX_ENTRIES: ", "_RETRY_ATTEMPTS: `x` is no whole"] {
        assert!(text.contains(name), "{text}");
    }
}

#[cfg(not(feature = "sqlite"))]
#[test]
fn sqlite_compiled_out_names_the_feature() {
    for variable in [("OC_KV_STORE_TYPE", "sqlite"), ("OC_KV_STORE_URL", "sqlite:///a.db")] {
        let text = kv_config::Config::from_vars([variable]).unwrap_err().to_string();
        assert!(text.starts_with("OC_KV_STORE_TYPE: `sqlite` is compiled out"), "{text}");
        assert!(text.contains("feature `sqlite`") && text.contains("expected "), "{text}");
    }
}

#[cfg(all(feature = "redis", not(feature = "redis-tls")))]
#[test]
fn tls_compiled_out_names_the_feature() {
    let part = [("OC_KV_STORE_TYPE", "redis"), ("OC_KV_STORE_REDIS_TLS", "true")];
    for variables in [&part[..], &[("OC_KV_STORE_URL", "rediss://h")]] {
        let text = kv_config::Config::from_vars(variables.to_vec()).unwrap_err().to_string();
        assert!(text.contains("tls is compiled out") && text.contains("`redis-tls`"), "{text}");
    }
}

#[cfg(all(feature = "redis", not(feature = "redis-cluster"), not(feature = "redis-sentinel")))]
#[test]
fn cluster_and_sentinel_compiled_out_name_the_features() {
    for (url, feature) in
        [("redis-cluster://h", "cluster"), ("redis-sentinel://h?master=m", "sentinel")]
    {
        let text =
            kv_config::Config::from_vars([("OC_KV_STORE_URL", url)]).unwrap_err().to_string();
        assert!(text.contains(&format!("{feature} is compiled out")), "{text}");
        assert!(text.contains(&format!("`redis-{feature}`")), "{text}");
    }
}
