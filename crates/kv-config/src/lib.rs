//! `OC_KV_STORE_*` variables, TOML files and builders to an open store.
//!
//! [`from_env`] is all that most programs need. [`Config`] also reads other variables, a file or
//! what a program sets, and [`Config::with_backend`] adds backends of other crates. All of them
//! are made of one table, and equally strict: everything that is unknown, malformed or
//! contradictory is told, all together, in one error of kind `Config`. No error, log or `Debug`
//! shows a secret.
//!
//! The variables are listed in `docs/CONFIGURATION.md`, which [`reference_markdown`] prints.
//!
//! # Features
//! `memory` and `redis`, both on by default, and `sqlite`, off by default since it builds SQLite
//! with a C compiler, each bring the backend of that name. `redis-tls`, `redis-cluster` and
//! `redis-sentinel`, on by default, bring these to the backend `redis`. `layers`, on by default too,
//! brings the layers of `kv-layers`. `pickle`, off by default, brings that format, for stores that
//! are shared with the Python original.
//!
//! ```
//! use kv_config::Config;
//! # if cfg!(not(feature = "memory")) { return Ok(()); }
//! let config = Config::from_vars([
//!     ("OC_KV_STORE_TYPE", "memory"),
//!     ("OC_KV_STORE_DEFAULT_TTL", "3600"),
//! ])?;
//! assert_eq!(config.backend(), "memory");
//!
//! let error = Config::from_vars([("OC_KV_STORE_TPYE", "memory")]).unwrap_err();
//! assert!(error.to_string().contains("did you mean `OC_KV_STORE_TYPE`?"));
//! # Ok::<(), kv_core::Error>(())
//! ```

mod backends;
mod builder;
mod check;
mod config;
mod copy;
mod factory;
mod formats;
mod key;
mod layers;
mod loader;
mod problem;
mod reference;
#[cfg(any(feature = "encrypt", feature = "redis"))]
mod secret;
mod selection;
mod settings;
mod source;
mod suggest;
mod value;
mod values;
mod variable;
mod variables;

pub use builder::Builder;
pub use config::Config;
pub use copy::{Copied, Position, StoreCopy};
pub use factory::Factory;
pub use loader::{Loader, from_env};
pub use reference::reference_markdown;
pub use settings::{FromSetting, Settings};
pub use variable::Variable;

/// The Rust of the guide for those who come from Python is a test.
#[cfg(all(doctest, feature = "memory", feature = "pickle"))]
#[doc = include_str!("../../../docs/MIGRATING-FROM-PYTHON.md")]
struct Guide;
