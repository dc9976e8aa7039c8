//! What a run leaves behind: files of all samples, tables to read, and the page of both.

mod page;
mod table;

use std::fs;
use std::path::{Path, PathBuf};

use crate::Result;
use crate::model::{Contest, Run};

/// The top of the repository.
fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// Prints a contest.
pub(crate) fn show(contest: &Contest) {
    println!("{}", table::contest(contest, "##"));
}

/// Writes a run to a file. One that was quick or of a part does not replace a full one's.
pub(crate) fn keep(name: &str, run: &Run) -> Result<()> {
    let folder = root().join("target/bench");
    fs::create_dir_all(&folder)?;
    let is_full = !run.settings.quick && run.settings.only.is_empty();
    let file = if is_full { format!("{name}.json") } else { format!("{name}-trial.json") };
    fs::write(folder.join(&file), serde_json::to_string_pretty(run)?)?;
    for line in &run.skipped {
        println!("not run: {line}");
    }
    let targets: Vec<_> = run.contests.iter().flat_map(table::judge).collect();
    let met = targets.iter().filter(|target| target.is_met()).count();
    println!("{met} of {} targets met; all samples are in target/bench/{file}", targets.len());
    Ok(())
}

/// Writes the page from the files of the last full runs.
pub(crate) fn write() -> Result<()> {
    let page = page::page(&read("store")?, &read("queue")?);
    fs::write(root().join("docs/BENCHMARKS.md"), page)?;
    println!("docs/BENCHMARKS.md: written");
    Ok(())
}

fn read(name: &str) -> Result<Run> {
    let path = root().join(format!("target/bench/{name}.json"));
    let text = fs::read_to_string(path)
        .map_err(|why| format!("no full run of `cargo xtask bench {name}`: {why}"))?;
    Ok(serde_json::from_str(&text)?)
}
