//! A configuration that was checked, and the store that it opens.

use std::fmt;
use std::time::Duration;

use kv_core::{KeyValueStore, Result, Serializer, Store};
use tracing::{info, warn};

use crate::factory::Connect;
use crate::layers::Chosen;
use crate::settings::Settings;

/// A configuration that was checked as a whole.
///
/// `Debug` shows no secret.
///
/// ```
/// use kv_config::Config;
/// # #[cfg(feature = "redis")] {
/// let config = Config::from_vars([
///     ("OC_KV_STORE_TYPE", "redis"),
///     ("OC_KV_STORE_REDIS_PASSWORD", "hunter2"),
/// ])?;
/// assert!(!format!("{config:?}").contains("hunter2"));
/// # }
/// # Ok::<(), kv_core::Error>(())
/// ```
#[derive(Clone)]
pub struct Config {
    pub(crate) backend: String,
    pub(crate) settings: Settings,
    pub(crate) serializer: Serializer,
    pub(crate) default_ttl: Option<Duration>,
    pub(crate) connect: Connect,
    pub(crate) layers: Chosen,
}

impl Config {
    /// The selected backend's name.
    pub fn backend(&self) -> &str {
        &self.backend
    }

    /// The selected backend's values.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// The serializer that the store gets.
    pub fn serializer(&self) -> &Serializer {
        &self.serializer
    }

    /// The lifetime of what is written without one; `None` where that never expires.
    pub fn default_ttl(&self) -> Option<Duration> {
        self.default_ttl
    }

    /// The layers around the store, outermost first.
    pub fn layers(&self) -> &[String] {
        self.layers.names()
    }

    /// What the stores of this configuration refuse because of a layer: a sentence for each layer
    /// that refuses anything, the outermost first. [`open`](Self::open) logs them.
    ///
    /// ```
    /// # #[cfg(all(feature = "layers", feature = "memory"))] {
    /// let config = kv_config::Config::builder().layers(["fallback"]).build()?;
    /// assert!(config.refusals()[0].contains("update"));
    /// assert!(config.without_layers().refusals().is_empty());
    /// # }
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    #[must_use]
    pub fn refusals(&self) -> Vec<&'static str> {
        self.layers.refusals()
    }

    /// The same configuration without layers: for what a [fallback](kv_layers::Fallback) refuses,
    /// such as queues.
    ///
    /// ```
    /// # #[cfg(all(feature = "layers", feature = "memory"))] {
    /// let config = kv_config::Config::builder().layers(["fallback"]).build()?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let cache = config.open().await?;
    /// let state = config.without_layers().open().await?;
    /// let minute = std::time::Duration::from_secs(60);
    /// assert!(cache.increment("visits", 1, minute).await.is_err());
    /// assert_eq!(state.increment("visits", 1, minute).await?, 1);
    /// # Ok::<(), kv_core::Error>(()) }).unwrap();
    /// # }
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    #[must_use]
    pub fn without_layers(&self) -> Self {
        Self { layers: Chosen::default(), ..self.clone() }
    }

    /// What the layer `observe` counts, of all stores that this configuration and its clones open.
    ///
    /// It is nothing where the layers do not name `observe`. The figures may be kept by a clone of
    /// them and told from anywhere, such as a page of a service.
    ///
    /// ```
    /// # #[cfg(feature = "memory")] {
    /// use kv_config::Config;
    /// use kv_layers::Operation;
    ///
    /// let config = Config::from_vars([("OC_KV_STORE_LAYERS", "observe")])?;
    /// # let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
    /// # runtime.block_on(async {
    /// let store = config.open().await?;
    /// store.set("greeting", "hello").await?;
    /// assert_eq!(config.metrics().snapshot(Operation::Set).done, 1);
    /// # Ok::<(), kv_core::Error>(()) })?;
    /// # }
    /// # Ok::<(), kv_core::Error>(())
    /// ```
    #[cfg(feature = "layers")]
    pub fn metrics(&self) -> &kv_layers::Metrics {
        self.layers.metrics()
    }

    /// What the layer `statistics` has counted by namespace, of every store that this configuration
    /// opened.
    #[cfg(feature = "layers")]
    pub fn statistics(&self) -> &kv_layers::Statistics {
        self.layers.statistics()
    }

    /// The layer `near-cache`, which tells its figures, of every store that this configuration opened.
    #[cfg(feature = "layers")]
    pub fn near_cache(&self) -> &kv_layers::NearCache {
        self.layers.near_cache()
    }

    /// Connects the backend, with the layers around it: bytes, without serializer and default
    /// lifetime.
    ///
    /// # Errors
    /// Those of the backend's connection; `Config` where the layers cannot stand around it.
    ///
    /// # Cancel safety
    /// Dropping the future opens nothing.
    pub async fn connect(&self) -> Result<Box<dyn KeyValueStore>> {
        self.layers.around((self.connect)().await?)
    }

    /// Opens the store: connected, with serializer and default lifetime.
    ///
    /// # Errors
    /// Those of the backend's connection.
    ///
    /// # Cancel safety
    /// Dropping the future opens nothing.
    pub async fn open(&self) -> Result<Store> {
        let backend = self.connect().await?;
        info!(
            backend = self.backend,
            serializer = self.serializer.name(),
            prefix = backend.key_prefix(),
            layers = self.layers().join(","),
            "store opened"
        );
        for refused in self.refusals() {
            warn!(backend = self.backend, "{refused}");
        }
        let store = Store::from(backend).with_serializer(self.serializer.clone());
        Ok(match self.default_ttl {
            Some(ttl) => store.with_default_ttl(ttl),
            None => store,
        })
    }
}

impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("backend", &self.backend)
            .field("serializer", &self.serializer)
            .field("default_ttl", &self.default_ttl)
            .field("settings", &self.settings)
            .field("layers", &self.layers())
            .finish_non_exhaustive()
    }
}
