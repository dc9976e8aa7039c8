//! Backends of other crates: their variables, as strict as the library's own.
#![cfg(feature = "memory")]

use std::time::Duration;

use kv_config::{Config, Factory, Loader, Settings, Variable};
use kv_core::{Error, ErrorKind, KeyValueStore, Result};
use kv_memory::MemoryStore;

async fn open(settings: Settings) -> Result<Box<dyn KeyValueStore>> {
    match settings.get::<String>("PATH")?.as_str() {
        "broken.db" => Err(Error::new(ErrorKind::Connection, "the file is broken")),
        _ => Ok(Box::new(MemoryStore::new())),
    }
}

fn sqlite() -> Factory {
    Factory::new(open)
        .variable(Variable::path("PATH").required().help("The database file."))
        .variable(Variable::integer("PAGES", 1..=100).default("10"))
        .variable(Variable::secret("KEY").checked(|key| (key.len() < 4).then_some("is short"), "4"))
        .variable(Variable::choice("JOURNAL", &["wal", "delete"]).default("wal"))
        .variable(Variable::seconds("BUSY", Duration::ZERO, Duration::from_secs(9)).default("0.1"))
        .variable(Variable::list("PRAGMAS"))
        .variable(Variable::flag("SYNC").default("yes"))
}

fn loader() -> Loader {
    Config::with_backend("sqlite", sqlite())
}

fn load(variables: &[(&str, &str)]) -> Result<Config> {
    let named = variables.iter().map(|(name, value)| (format!("OC_KV_STORE_{name}"), *value));
    loader().from_vars(named)
}

#[tokio::test(flavor = "current_thread")]
async fn a_registered_backend_opens_with_its_own_variables() {
    let config = load(&[("TYPE", "sqlite"), ("SQLITE_PATH", "a.db"), ("SQLITE_PAGES", "20")]);
    let config = config.unwrap();
    assert_eq!(config.backend(), "sqlite");
    assert_eq!(config.settings().get::<u8>("PAGES").unwrap(), 20);
    let store = config.open().await.unwrap();
    store.set("k", &1).await.unwrap();
    assert_eq!(store.get::<i32>("k").await.unwrap(), Some(1));
}

#[test]
fn its_defaults_and_kinds_are_read() {
    let config = load(&[("TYPE", "sqlite"), ("SQLITE_PATH", "a"), ("SQLITE_PRAGMAS", "a, b")]);
    let config = config.unwrap();
    let settings = config.settings();
    assert_eq!(settings.get::<usize>("PAGES").unwrap(), 10);
    assert_eq!(settings.get::<String>("JOURNAL").unwrap(), "wal");
    assert_eq!(settings.get::<Duration>("BUSY").unwrap(), Duration::from_millis(100));
    assert_eq!(settings.get::<Vec<String>>("PRAGMAS").unwrap(), ["a", "b"]);
    assert!(settings.get::<bool>("SYNC").unwrap());
    assert_eq!(settings.get::<Option<String>>("KEY").unwrap(), None);
}

#[test]
fn its_variables_are_checked_like_all_others() {
    for (name, value, problem) in [
        ("SQLITE_PTAH", "a", "is unknown, did you mean `OC_KV_STORE_SQLITE_PATH`?"),
        ("SQLITE_PAGES", "0", "`0` is out of range; expected an integer from 1 to 100"),
        ("SQLITE_KEY", "abc", "is short; expected 4"),
        ("SQLITE_JOURNAL", "wla", "did you mean `wal`?; expected wal or delete"),
        ("SQLITE_BUSY", "10", "`10` is out of range; expected seconds, also decimal, from 0 to 9"),
        ("SQLITE_SYNC", "x", "`x` is no truth value; expected true or false"),
    ] {
        for selected in ["sqlite", "memory"] {
            let set = [("TYPE", selected), ("SQLITE_PATH", "a"), (name, value)];
            let text = load(&set).unwrap_err().to_string();
            assert!(text.starts_with(&format!("OC_KV_STORE_{name}: ")), "{text}");
            assert!(text.contains(problem), "{text}");
        }
    }
}

#[test]
fn a_required_variable_is_required_only_where_its_backend_is_selected() {
    let text = load(&[("TYPE", "sqlite")]).unwrap_err().to_string();
    assert_eq!(text, "OC_KV_STORE_SQLITE_PATH: is not set; expected a path");
    let config = load(&[("TYPE", "memory"), ("SQLITE_PAGES", "5")]).unwrap();
    assert_eq!(config.backend(), "memory");
}

#[test]
fn it_is_not_passed_over_where_its_variables_are_set_and_no_type_is() {
    for variables in [&[("SQLITE_PAGES", "5")][..], &[("SQLITE_PATH", "a"), ("TYPE", "")]] {
        let text = load(variables).unwrap_err().to_string();
        assert!(
            text.starts_with("OC_KV_STORE_TYPE: is not set, but OC_KV_STORE_SQLITE_P"),
            "{text}"
        );
        assert!(text.contains("set OC_KV_STORE_TYPE=sqlite, or OC_KV_STORE_TYPE=memory"), "{text}");
    }
    assert_eq!(load(&[("TYPE", "SQLite"), ("SQLITE_PATH", "a")]).unwrap().backend(), "sqlite");
}

#[tokio::test(flavor = "current_thread")]
async fn an_error_of_the_factory_reaches_the_caller() {
    let config = load(&[("TYPE", "sqlite"), ("SQLITE_PATH", "broken.db")]).unwrap();
    let error = config.connect().await.err().unwrap();
    assert_eq!(error.kind(), ErrorKind::Connection);
}

#[test]
fn what_was_not_declared_so_is_an_error_to_the_factory() {
    let config = load(&[("TYPE", "sqlite"), ("SQLITE_PATH", "a")]).unwrap();
    let settings = config.settings();
    let text = settings.get::<String>("PAHT").unwrap_err().to_string();
    assert_eq!(text, "OC_KV_STORE_SQLITE_PAHT: was not declared as a variable");
    let text = settings.get::<bool>("PATH").unwrap_err().to_string();
    assert_eq!(text, "OC_KV_STORE_SQLITE_PATH: was not declared as a flag");
    assert!(settings.get::<String>("KEY").unwrap_err().to_string().contains("is not set"));
}

#[test]
fn a_name_is_lowercase_and_free() {
    for (name, problem) in [
        ("redis", "is registered already; expected another name"),
        ("sqlite", "is registered already; expected another name"),
        ("", "is misnamed; expected lowercase letters and digits"),
        ("My_Store", "is misnamed; expected lowercase letters and digits"),
    ] {
        let loader = loader().with_backend(name, sqlite());
        let text = loader.builder().build().unwrap_err().to_string();
        assert_eq!(text, format!("backend {name:?}: {problem}"));
    }
}

#[test]
fn a_wrong_default_is_told_and_so_is_a_wrong_type_beside_registered_names() {
    let factory = Factory::new(open).variable(Variable::flag("F").default("perhaps"));
    let loader = loader().with_backend("odd", factory);
    let text = loader.builder().store_type("odd").build().unwrap_err().to_string();
    assert!(text.starts_with("OC_KV_STORE_ODD_F: `perhaps` is no truth value"), "{text}");
    let text = loader.builder().store_type("sqlit").build().unwrap_err().to_string();
    assert!(text.contains("did you mean `sqlite`?") && text.contains("sqlite, odd or"), "{text}");
}

#[test]
fn a_builder_and_a_file_reach_a_registered_backend() {
    let builder = loader().builder().store_type("sqlite");
    let config = builder.variable("OC_KV_STORE_SQLITE_PATH", "a.db").build().unwrap();
    assert_eq!(config.settings().get::<String>("PATH").unwrap(), "a.db");

    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "type = 'sqlite'\nsqlite = { path = 'b.db', sync = false }")
        .unwrap();
    let config = loader().from_file(file.path()).unwrap();
    assert_eq!(config.settings().get::<String>("PATH").unwrap(), "b.db");
    assert!(!config.settings().get::<bool>("SYNC").unwrap());
}
