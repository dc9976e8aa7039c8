//! From sources to a configuration: every check, and one error for all that is wrong.

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use kv_core::{Error, ErrorKind, Result, Store};

use crate::backends;
use crate::config::Config;
use crate::factory::{Connect, Factory};
use crate::formats;
use crate::layers;
use crate::problem::{Problems, compiled_out, either, quote};
use crate::selection::{refuse_silent, selected};
use crate::settings::Settings;
use crate::source::{Given, environment, file};
use crate::suggest::nearest;
use crate::values::Values;
use crate::variables::{Group, general, groups};

/// Opens the store that the process's environment describes.
///
/// Whoever wants more than the store keeps the configuration: [`Config::from_env`], then
/// [`Config::open`]. So the [metrics](Config::metrics) of the layer `observe` are reached.
///
/// # Errors
/// `Config`, naming everything that is wrong; otherwise those of the backend's connection.
///
/// # Cancel safety
/// Dropping the future opens nothing.
///
/// ```
/// # async fn open() -> kv_core::Result<()> {
/// let store = kv_config::from_env().await?;
/// store.set("greeting", "hello").await?;
/// # Ok(()) }
/// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
/// # if cfg!(feature = "memory") { runtime.block_on(open()).unwrap(); }
/// ```
pub async fn from_env() -> Result<Store> {
    Config::from_env()?.open().await
}

/// Reads configurations, with backends of other crates and with a file for what is unset.
///
/// [`Config::from_env`] and its siblings are this with nothing added.
///
/// ```
/// use kv_config::{Config, Factory, Variable};
/// # #[cfg(feature = "memory")] {
/// let sled = Factory::new(|settings| async move {
///     let path: std::path::PathBuf = settings.get("PATH")?;
///     // A real one would open the file.
///     # let _ = path;
///     Ok(Box::new(kv_memory::MemoryStore::new()) as Box<dyn kv_core::KeyValueStore>)
/// })
/// .variable(Variable::path("PATH").required().help("The database file."));
///
/// let loader = Config::with_backend("sled", sled);
/// let selected = ("OC_KV_STORE_TYPE", "sled");
/// assert!(loader.from_vars([selected, ("OC_KV_STORE_SLED_PATH", "jobs.db")]).is_ok());
/// let error = loader.from_vars([selected]).unwrap_err();
/// assert!(error.to_string().contains("OC_KV_STORE_SLED_PATH: is not set"));
/// # }
/// ```
#[derive(Clone, Debug, Default)]
pub struct Loader {
    factories: Vec<(String, Factory)>,
    files: Vec<PathBuf>,
}

impl Config {
    /// Reads the process's environment.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_env() -> Result<Self> {
        Self::loader().from_env()
    }

    /// Reads variables as an environment has them; those of other prefixes are left alone.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_vars<N, V>(variables: impl IntoIterator<Item = (N, V)>) -> Result<Self>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        Self::loader().from_vars(variables)
    }

    /// Reads a TOML file of at most 1 MiB, and not the environment;
    /// [`Loader::with_file`] reads both.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_file(path: impl AsRef<Path>) -> Result<Self> {
        Self::loader().from_file(path)
    }

    /// A loader that knows a backend of another crate; its name is that of the type, and begins
    /// its variables: `OC_KV_STORE_SQLITE_PATH` of `sqlite`.
    pub fn with_backend(name: &str, factory: Factory) -> Loader {
        Self::loader().with_backend(name, factory)
    }

    /// A loader, to which backends and files can be added.
    pub fn loader() -> Loader {
        Loader::default()
    }
}

impl Loader {
    /// Adds a backend under a name of lowercase letters and digits, as
    /// [`Config::with_backend`] does.
    #[must_use]
    pub fn with_backend(mut self, name: &str, factory: Factory) -> Self {
        self.factories.push((name.into(), factory));
        self
    }

    /// Adds a TOML file for what the environment, the variables or the builder leaves unset. Of
    /// several files, a later one goes before an earlier one.
    #[must_use]
    pub fn with_file(mut self, path: impl Into<PathBuf>) -> Self {
        self.files.push(path.into());
        self
    }

    /// Reads the process's environment.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_env(&self) -> Result<Config> {
        self.load(environment::read(environment::of_process()))
    }

    /// Reads variables as an environment has them; those of other prefixes are left alone.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_vars<N, V>(&self, variables: impl IntoIterator<Item = (N, V)>) -> Result<Config>
    where
        N: Into<OsString>,
        V: Into<OsString>,
    {
        let variables = variables.into_iter().map(|(name, value)| (name.into(), value.into()));
        self.load(environment::read(variables))
    }

    /// Reads a TOML file of at most 1 MiB, and not the environment.
    ///
    /// # Errors
    /// `Config`, naming everything that is wrong.
    pub fn from_file(&self, path: impl AsRef<Path>) -> Result<Config> {
        self.clone().with_file(path.as_ref()).load(Vec::new())
    }

    pub(crate) fn load(&self, last: Vec<Given>) -> Result<Config> {
        let mut problems = Problems::default();
        let groups = self.groups(&mut problems);
        let mut given = Vec::new();
        for path in &self.files {
            given.extend(file::read(path, &mut problems));
        }
        given.extend(last);
        let values = Values::read(groups, given, &mut problems);
        let backend = selected(&values);
        let settings = values.settings(&backend, &mut problems);
        let connect = self.connect(&backend, &settings, &values, &mut problems);
        let serializer = formats::prepare(&values, &mut problems);
        let layers = layers::prepare(&values, &mut problems);
        refuse_silent(&values, &mut problems);
        problems.into_result()?;
        let connect = connect.ok_or_else(|| Error::new(ErrorKind::Config, "no backend"))?;
        let serializer = serializer.ok_or_else(|| Error::new(ErrorKind::Config, "no format"))?;
        let default_ttl = values.get(&general::DEFAULT_TTL);
        Ok(Config { backend, settings, serializer, default_ttl, connect, layers })
    }

    /// The table's groups and those of the registered backends.
    fn groups(&self, problems: &mut Problems) -> Vec<Group> {
        let (mut groups, mut registered) = (groups(), Vec::new());
        for (name, factory) in &self.factories {
            let mut characters = name.chars();
            let letter = characters.next().is_some_and(|first| first.is_ascii_lowercase());
            let plain = characters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit());
            let subject = format!("backend {name:?}");
            if !letter || !plain {
                problems.add(subject, "is misnamed", "lowercase letters and digits");
            } else if registered.contains(&name) || is_taken(&groups, name) {
                problems.add(subject, "is registered already", "another name");
            } else {
                registered.push(name);
                groups.retain(|group| group.name != *name);
                let variables = factory.variables.clone().into();
                groups.push(Group { name: name.clone().into(), variables });
            }
        }
        groups
    }

    /// How the selected backend is connected; nothing where a problem was told.
    fn connect(
        &self,
        name: &str,
        settings: &Settings,
        values: &Values,
        problems: &mut Problems,
    ) -> Option<Connect> {
        let registered = self.factories.iter().find(|(known, _)| known == name);
        let ours = if registered.is_none() { name } else { "" };
        let built_in = backends::prepare(ours, values, problems);
        if let Some((_, factory)) = registered {
            return Some(factory.connect(settings.clone()));
        }
        if !name.is_empty() && !backends::COMPILED.contains(&name) {
            self.refuse(name, values, problems);
        }
        built_in
    }

    fn refuse(&self, name: &str, values: &Values, problems: &mut Problems) {
        let registered = self.factories.iter().map(|(name, _)| name.clone());
        let mut usable: Vec<String> =
            backends::COMPILED.iter().map(ToString::to_string).chain(registered).collect();
        let problem = if let Some(feature) = backends::compiled_out(name) {
            compiled_out(feature)
        } else {
            let meant = nearest(name, &usable);
            let meant = meant.map(|name| format!(", did you mean `{name}`?")).unwrap_or_default();
            format!("{} is no known backend{meant}", quote(name))
        };
        usable.push("a registered name".into());
        problems.add(values.subject(&general::TYPE), problem, either(&usable));
    }
}

/// Whether a name is that of a group, and no backend of a program may take it over.
fn is_taken(groups: &[Group], name: &str) -> bool {
    groups.iter().any(|group| group.name == *name) && !backends::YIELDING.contains(&name)
}
