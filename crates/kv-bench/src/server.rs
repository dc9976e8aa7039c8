//! The server that all contestants of a run share, and what it says they cost it.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use kv_testbed::{Connection, RedisServer, Reply};

use crate::Result;
use crate::model::Sample;

/// One `redis-server`, started for this run.
pub(crate) struct Bed {
    server: RedisServer,
    control: Mutex<Connection>,
}

/// What the server has done so far.
pub(crate) struct Usage {
    pub(crate) cpu_seconds: f64,
    commands: f64,
    scripts: f64,
    network_bytes: f64,
    pub(crate) memory_bytes: f64,
}

impl Bed {
    /// A server that keeps nothing on disk.
    pub(crate) fn start() -> Result<Self> {
        Self::of(RedisServer::start()?)
    }

    /// A server with an append-only file, synced every second.
    pub(crate) fn start_durable() -> Result<Self> {
        let builder = RedisServer::builder().config("appendonly", "yes");
        let builder = builder.config("appendfsync", "everysec");
        // A rewrite would strike one contestant and spare another.
        let bed = Self::of(builder.config("auto-aof-rewrite-percentage", "0").start()?)?;
        match bed.info()?.get("aof_enabled").map(String::as_str) {
            Some("1") => Ok(bed),
            _ => Err("the server has no append-only file".into()),
        }
    }

    fn of(server: RedisServer) -> Result<Self> {
        let control = Mutex::new(server.connection()?);
        Ok(Self { server, control })
    }

    pub(crate) fn port(&self) -> u16 {
        self.server.port()
    }

    pub(crate) fn url(&self) -> String {
        self.server.url()
    }

    /// Forgets everything.
    pub(crate) fn clear(&self) -> Result<()> {
        self.command(&["FLUSHALL", "SYNC"]).map(drop)?;
        self.command(&["CONFIG", "RESETSTAT"]).map(drop)
    }

    /// Sends one command.
    pub(crate) fn command(&self, arguments: &[&str]) -> Result<Reply> {
        let mut control = self.control.lock().unwrap_or_else(PoisonError::into_inner);
        match control.command(arguments)? {
            Reply::Error(error) => Err(format!("{arguments:?}: {error}").into()),
            reply => Ok(reply),
        }
    }

    /// A number that a command answers.
    pub(crate) fn number(&self, arguments: &[&str]) -> Result<u64> {
        let number = self.command(arguments)?.integer().and_then(|it| u64::try_from(it).ok());
        number.ok_or_else(|| format!("{arguments:?} answers no number").into())
    }

    /// A connection of one's own.
    pub(crate) fn connection(&self) -> Result<Connection> {
        Ok(self.server.connection()?)
    }

    pub(crate) fn version(&self) -> Result<String> {
        let info = self.info()?;
        Ok(info.get("redis_version").cloned().unwrap_or_else(|| "unknown".to_owned()))
    }

    /// What the server has done since it began, and for commands since it was cleared.
    pub(crate) fn usage(&self) -> Result<Usage> {
        let info = self.info()?;
        let number = |name: &str| info.get(name).and_then(|text| text.parse::<f64>().ok());
        let needed = |name: &str| number(name).ok_or_else(|| format!("INFO tells no {name}"));
        let calls = info.iter().filter_map(|(name, text)| {
            Some((name.strip_prefix("cmdstat_")?, text.strip_prefix("calls=")?.split(',').next()?))
        });
        let calls: HashMap<&str, f64> =
            calls.filter_map(|(name, calls)| Some((name, calls.parse().ok()?))).collect();
        let of = |name: &str| calls.get(name).copied().unwrap_or_default();
        Ok(Usage {
            cpu_seconds: needed("used_cpu_user")? + needed("used_cpu_sys")?,
            commands: calls.values().sum::<f64>() - of("info"),
            scripts: of("eval") + of("evalsha") + of("fcall"),
            network_bytes: needed("total_net_input_bytes")? + needed("total_net_output_bytes")?,
            memory_bytes: needed("used_memory")?,
        })
    }

    /// INFO's lines, by name.
    fn info(&self) -> Result<HashMap<String, String>> {
        let text = self.command(&["INFO", "everything"])?.text().unwrap_or_default();
        let pairs = text.lines().filter_map(|line| line.trim().split_once(':'));
        Ok(pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect())
    }
}

impl Usage {
    /// What was used since an earlier look, for each job.
    pub(crate) fn since(&self, before: &Self, jobs: f64) -> Sample {
        let micros = 1e6 * (self.cpu_seconds - before.cpu_seconds);
        let figures = [
            ("server µs", micros),
            ("commands", self.commands - before.commands),
            ("script calls", self.scripts - before.scripts),
            ("bytes on the wire", self.network_bytes - before.network_bytes),
        ];
        figures.into_iter().map(|(name, value)| (name.to_owned(), value / jobs)).collect()
    }
}
