//! What a process waits for beside another one that writes without a pause.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use kv_core::{Clock, KeyValueStore, SystemClock, Write};
use kv_sqlite::SqliteStore;

use super::{Files, SCENARIO, name, value};
use crate::Result;
use crate::contest::{Contestant, Plan};
use crate::model::{Sample, Settings, Target, Tier};
use crate::statistics::percentile;
use crate::tasks::at_once;

const P99: &str = "ms, 99th percentile";
const MOST: &str = "ms, longest";
const WRITE: &str = "set";
const READ: &str = "get";

/// How long between two calls: a process that has something else to do, too.
const PAUSE: Duration = Duration::from_millis(5);

/// How many callers of the busy process write at a time.
const BUSY: u64 = 64;

/// Far longer than any turn takes: how long a busy process lives that nobody ends.
const LIMIT: Duration = Duration::from_secs(120);

pub(super) fn plan(files: &Arc<Files>, settings: &Settings) -> Plan {
    let calls = settings.size(1_000);
    let beside = |writes| Beside { files: files.clone(), writes, calls };
    let about = format!(
        "{BUSY} callers of another process write without a pause; here, {calls} calls, {} ms \
         apart.",
        PAUSE.as_millis()
    );
    Plan::new(SCENARIO, "beside a busy process", &about, P99)
        .enter(WRITE, Tier::Plain, "boxed trait, `set`, normal", beside(true))
        .enter(READ, Tier::Plain, "boxed trait, `get`", beside(false))
        .target(Target::at_most(100.0, WRITE, P99))
        .target(Target::at_most(5.0, READ, P99))
}

struct Beside {
    files: Arc<Files>,
    writes: bool,
    calls: u64,
}

#[async_trait]
impl Contestant for Beside {
    async fn turn(&mut self) -> Result<Sample> {
        let filled = self.files.filled().await?;
        let path = filled.folder.join("ours.db");
        let _busy = tokio::task::spawn_blocking(move || Busy::start(&path)).await??;
        let mut times = Vec::new();
        for _ in 0..self.calls {
            let key = self.files.key();
            let clock = SystemClock::new();
            if self.writes {
                filled.normal.set(&key, value(1), Write::ALWAYS).await?;
            } else {
                filled.normal.get(&key).await?.ok_or("no value")?;
            }
            times.push(1e3 * clock.now().as_secs_f64());
            tokio::time::sleep(PAUSE).await;
        }
        let figures = [(P99, percentile(&times, 0.99)), (MOST, percentile(&times, 1.0))];
        let known = |(name, figure): (&str, Option<f64>)| Some((name.to_owned(), figure?));
        Ok(figures.into_iter().filter_map(known).collect())
    }

    async fn prove(&mut self) -> Result<()> {
        self.files.filled().await.map(drop)
    }
}

/// Another process that writes; killed when dropped.
pub(super) struct Busy(Child);

impl Busy {
    /// Returns when it has begun.
    pub(super) fn start(path: &Path) -> Result<Self> {
        let path = path.to_str().ok_or("the path is no text")?;
        let mut child = Command::new(std::env::current_exe()?)
            .args(["write-file", path])
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .spawn()?;
        let mut line = String::new();
        let output = child.stdout.take();
        let busy = Self(child);
        BufReader::new(output.ok_or("it has no output")?).read_line(&mut line)?;
        if line.is_empty() { Err("the other process does not write".into()) } else { Ok(busy) }
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        // Where it has ended by itself there is nothing to end.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Writes without a pause, until killed or long past any use, and says when it has begun.
pub(crate) async fn write_file(path: &str) -> Result<()> {
    let store: Arc<dyn KeyValueStore> = Arc::new(SqliteStore::open(path).await?);
    store.set(&name(0), value(0), Write::ALWAYS).await?;
    println!("writing");
    let clock = SystemClock::new();
    at_once(0..BUSY, |caller| {
        let store = store.clone();
        async move {
            while clock.now() < LIMIT {
                store.set(&name(caller), value(caller), Write::ALWAYS).await?;
            }
            Ok(())
        }
    })
    .await
}
