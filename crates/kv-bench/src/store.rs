//! `kv-bench store`: the backends through the store's contract, beside what they stand on.

mod memory;
mod redis;
mod sqlite;

use std::sync::Arc;

use crate::Result;
use crate::arguments::Arguments;
use crate::contest::{hold_all, prove_all};
use crate::machine::Machine;
use crate::model::Run;
use crate::server::Bed;

pub(crate) use sqlite::{open_file, write_file};

/// What can be asked for by `--only`.
const SCENARIOS: [&str; 3] = [memory::SCENARIO, redis::SCENARIO, sqlite::SCENARIO];

/// Runs what is asked for.
pub(crate) async fn run(arguments: &Arguments) -> Result<Run> {
    let settings = &arguments.settings;
    settings.check(&SCENARIOS)?;
    let mut machine = Machine::look();
    let mut plans = Vec::new();
    if settings.wants(memory::SCENARIO) {
        plans.extend(memory::plans(settings));
    }
    if settings.wants(redis::SCENARIO) {
        let bed = Arc::new(Bed::start()?);
        machine.redis = Some(bed.version()?);
        plans.extend(redis::plans(&bed, settings));
    }
    if settings.wants(sqlite::SCENARIO) {
        plans.extend(sqlite::plans(settings));
    }
    prove_all(&mut plans).await?;
    let gate = vec!["every contestant: each read found its value, in each turn".to_owned()];
    let contests = hold_all(plans, settings.rounds).await?;
    Ok(Run { machine, settings: settings.clone(), gate, skipped: Vec::new(), contests })
}
