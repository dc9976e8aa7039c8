//! How a backend of somebody else's comes into a configuration.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;

use kv_core::{KeyValueStore, Result};

use crate::settings::Settings;
use crate::variable::Variable;

/// A backend, connected.
pub(crate) type Backend = Box<dyn KeyValueStore>;

/// Connects a backend, as often as it is called.
pub(crate) type Connect =
    Arc<dyn Fn() -> Pin<Box<dyn Future<Output = Result<Backend>> + Send>> + Send + Sync>;

type Open =
    Arc<dyn Fn(Settings) -> Pin<Box<dyn Future<Output = Result<Backend>> + Send>> + Send + Sync>;

/// What opens a backend, and the variables that it has.
///
/// The variables are read as strictly as the library's own: an unknown or malformed one is an
/// error before the factory is ever called. See [`Config::with_backend`](crate::Config::with_backend).
#[derive(Clone)]
pub struct Factory {
    pub(crate) variables: Vec<Variable>,
    open: Open,
}

impl Factory {
    /// A factory without variables.
    pub fn new<F, Fut>(open: F) -> Self
    where
        F: Fn(Settings) -> Fut + Send + Sync + 'static,
        Fut: Future<Output = Result<Box<dyn KeyValueStore>>> + Send + 'static,
    {
        Self { variables: Vec::new(), open: Arc::new(move |settings| Box::pin(open(settings))) }
    }

    /// Declares a variable: `PATH` of a backend `sqlite` is `OC_KV_STORE_SQLITE_PATH`, and
    /// `sqlite.path` in a file.
    #[must_use]
    pub fn variable(mut self, variable: Variable) -> Self {
        self.variables.push(variable);
        self
    }

    pub(crate) fn connect(&self, settings: Settings) -> Connect {
        let open = Arc::clone(&self.open);
        Arc::new(move || open(settings.clone()))
    }
}

impl fmt::Debug for Factory {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Factory").field("variables", &self.variables).finish_non_exhaustive()
    }
}
