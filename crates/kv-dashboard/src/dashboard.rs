//! The dashboard as whoever mounts it sees it.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::routing::{get, post};
use kv_core::{Clock, Error, ErrorKind, Result, Store, SystemClock};
use kv_layers::Statistics;

use crate::access::Access;
use crate::app::{App, Settings};
use crate::guard::{Hosts, guard};
use crate::sampler::Sampler;
use crate::visit::is_base;
use crate::{action, assets, live, metrics, page};

/// How often the queues are counted while somebody looks.
const EVERY: Duration = Duration::from_secs(2);

/// A dashboard on a store: read-only, without payloads and values, until the methods say otherwise.
///
/// It answers under the names of the loopback address only; [`host`](Self::host) adds others.
#[derive(Clone, Debug)]
pub struct Dashboard {
    store: Store,
    clock: Arc<dyn Clock>,
    every: Duration,
    settings: Settings,
}

impl Dashboard {
    /// A dashboard of the queues and keys of a store, or of a namespace of it.
    pub fn new(store: &Store, access: Access) -> Self {
        let settings = Settings {
            access,
            hosts: Hosts::default(),
            base: None,
            actions: false,
            payloads: false,
            values: false,
            secrets: Vec::new(),
            statistics: None,
        };
        let clock = Arc::new(SystemClock::new());
        Self { store: store.clone(), clock, every: EVERY, settings }
    }

    /// Answers under this host name too. The port does not matter.
    #[must_use]
    pub fn host(mut self, name: &str) -> Self {
        self.settings.hosts.add(name);
        self
    }

    /// What comes before every path, such as `/ops`, where a proxy removes it. Where a router nests
    /// the dashboard, the dashboard finds it out by itself.
    ///
    /// # Errors
    /// `Config` if it is no plain path that begins with one slash.
    pub fn base_path(mut self, base: &str) -> Result<Self> {
        let base = base.trim_end_matches('/');
        if !is_base(base) {
            let message = format!("{base:?} is no base path; expected one such as /ops");
            return Err(Error::new(ErrorKind::Config, message));
        }
        self.settings.base = Some(base.to_owned());
        Ok(self)
    }

    /// Lets viewers change queues, jobs, groups and schedules. Every change is logged under the
    /// target `kv_dashboard::action`.
    #[must_use]
    pub fn allow_actions(mut self) -> Self {
        self.settings.actions = true;
        self
    }

    /// Shows what jobs carry.
    #[must_use]
    pub fn show_payloads(mut self) -> Self {
        self.settings.payloads = true;
        self
    }

    /// Shows the values of keys.
    #[must_use]
    pub fn show_values(mut self) -> Self {
        self.settings.values = true;
        self
    }

    /// Never shows this namespace: neither its keys nor their values.
    #[must_use]
    pub fn secret_namespace(mut self, name: &str) -> Self {
        let colon = if name.ends_with(':') { "" } else { ":" };
        self.settings.secrets.push([name, colon].concat());
        self
    }

    /// Shows in the metrics what this layer has counted.
    #[must_use]
    pub fn statistics(mut self, statistics: &Statistics) -> Self {
        self.settings.statistics = Some(statistics.clone());
        self
    }

    /// How often the queues are counted while somebody looks: every 2 s by default, at least every
    /// 100 ms. A count that takes long is followed by a pause of four times its length.
    #[must_use]
    pub fn sample_every(mut self, time: Duration) -> Self {
        self.every = time.max(Duration::from_millis(100));
        self
    }

    /// The clock for rates and for what is shown beside dates; the machine's by default.
    #[must_use]
    pub fn clock(mut self, clock: impl Clock) -> Self {
        self.clock = Arc::new(clock);
        self
    }

    #[cfg(feature = "serve")]
    pub(crate) const fn access(&self) -> &Access {
        &self.settings.access
    }

    /// The router, to nest under any path. Nest each router once: routers do not share their counts.
    pub fn router(self) -> Router {
        let sampler = Sampler::new(self.store.clone(), Arc::clone(&self.clock), self.every);
        let app = Arc::new(App::new(self.store, self.clock, self.settings, sampler));
        Router::new()
            .route("/", get(page::queues))
            .route("/queue", get(page::queue))
            .route("/jobs", get(page::jobs))
            .route("/job", get(page::job))
            .route("/waiting", get(page::waiting))
            .route("/dead", get(page::dead))
            .route("/groups", get(page::groups))
            .route("/schedules", get(page::schedules))
            .route("/workers", get(page::workers))
            .route("/store", get(page::store))
            .route("/key", get(page::key))
            .route("/metrics", get(metrics::page))
            .route("/live", get(live::stream))
            .route("/act", post(action::act))
            .route("/style.css", get(assets::style))
            .route("/live.js", get(assets::script))
            .fallback(page::nothing)
            .layer(axum::middleware::from_fn_with_state(Arc::clone(&app), guard))
            .with_state(app)
    }
}
