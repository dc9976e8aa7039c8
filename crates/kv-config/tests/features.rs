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

#[test]
fn variables_are_checked_whatever_is_compiled_in() {
    let variables = [("OC_KV_STORE_REDIS_PORT", "x"), ("OC_KV_STORE_MEMORY_MAX_ENTRIES", "x")];
    let text = kv_config::Config::from_vars(variables).unwrap_err().to_string();
    assert!(text.contains("_REDIS_PORT: ") && text.contains("_MAX_ENTRIES: "), "{text}");
}
