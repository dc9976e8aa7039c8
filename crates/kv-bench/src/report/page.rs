//! docs/BENCHMARKS.md, from the files of a run of each kind.

use std::fmt::Write;

use super::table::{contest, judge};
use crate::model::{Contest, Run};

const HEAD: &str = "\
# Benchmarks

This page is written by `cargo xtask bench report` from the samples of the last full runs of
`cargo xtask bench store` and `cargo xtask bench queue`, which need nothing but a Rust toolchain;
the peers on Node run where there is one. `--only` with the name of a scenario runs a part,
`--rounds` sets how often, and `--quick` shows in seconds that all of it works.

## How it is measured

- The contestants of a table take turns, in each round another one first, on one server that was
  started for the run and is emptied before each turn. A figure is the median over all rounds; a
  ratio is the median of the rounds' own ratios. The spread is the largest less the smallest figure,
  as a part of the median. Figures of different tables, and more so of different runs, do not
  compare.
- The floor is the least that does the job, written for it, without the library: for the queue the
  driver with four small scripts, a sorted set of what is ready, a hash of bodies, a sorted set of
  leases that end by the server's clock. It counts no attempts and knows no retry, delay, duplicate
  or dead letter; a repeated request is a new one, and whoever's lease has ended can still settle
  the job of its next holder.
- A tier says what a contestant guarantees. Crash-safe: a crash loses no job. Fenced: who lost a
  job's lease cannot settle it. Compare within a tier, since a lower one does less for each job.
- Client and server share the machine. `server µs` is the processor time of `redis-server` for each
  job, `script calls` and `commands` are per job, the latter with those inside of scripts, as are
  the bytes.
- In every turn it is checked that each job was done once, or each value was found. A peer's clock
  stops when its last handler is called, the library's when its queue is drained.
";

/// The load average below which a machine counts as idle.
const IDLE_LOAD: f64 = 0.5;

const TEST: &str = "
## What a test holds

| Bound | Test | Command |
| --- | --- | --- |
| 100 operations in one batch take one round trip: the server executes the last before a reply to \
any has come | `a_hundred_operations_take_one_round_trip` | \
`cargo test -p kv-redis --test it round_trip` |
";

/// The whole page.
pub(super) fn page(store: &Run, queue: &Run) -> String {
    let runs = [("store", store), ("queue", queue)];
    let mut text = HEAD.to_owned();
    text += &machines(&runs);
    text += &targets(&runs);
    for (name, run) in runs {
        _ = write!(text, "\n## {name}\n\n");
        for line in &run.skipped {
            _ = writeln!(text, "- not run: {line}");
        }
        text += "Before anything was measured, this held:\n\n";
        for line in &run.gate {
            _ = writeln!(text, "- {line}");
        }
        for one in &run.contests {
            _ = write!(text, "\n{}\n`{}`\n", contest(one, "###"), command(name, one));
        }
    }
    text + TEST
}

fn command(run: &str, contest: &Contest) -> String {
    format!("cargo xtask bench {run} --only {}", contest.scenario)
}

fn machines(runs: &[(&str, &Run)]) -> String {
    let mut text = "\n## Where and when\n\n| | store | queue |\n| --- | --- | --- |\n".to_owned();
    let mut row = |name: &str, of: fn(&Run) -> String| {
        let cells: Vec<String> = runs.iter().map(|(_, run)| of(run)).collect();
        _ = writeln!(text, "| {name} | {} |", cells.join(" | "));
    };
    row("date", |run| run.machine.date.clone());
    row("processor", |run| run.machine.processor.clone());
    row("cores", |run| run.machine.cores.to_string());
    row("memory", |run| run.machine.memory.clone());
    row("kernel", |run| run.machine.kernel.clone());
    row("load before", |run| run.machine.load.clone());
    row("compiler", |run| run.machine.rustc.clone());
    row("Redis", |run| run.machine.redis.clone().unwrap_or_default());
    row("Node", |run| run.machine.node.clone().unwrap_or_else(|| "not used".to_owned()));
    row("stored in files", |run| run.settings.stored.to_string());
    row("rounds", |run| run.settings.rounds.to_string());
    if runs.iter().any(|(_, run)| is_busy(run)) {
        text += "\n**The machine had other work when a run began. Its figures say little.**\n";
    }
    text
}

/// Whether the machine had something to do before.
fn is_busy(run: &Run) -> bool {
    run.machine.load.parse::<f64>().is_ok_and(|load| load > IDLE_LOAD)
}

fn targets(runs: &[(&str, &Run)]) -> String {
    let head =
        "\n## Targets\n\n| | target | measured | | command |\n| --- | --- | ---: | --- | --- |\n";
    let mut text = head.to_owned();
    for (name, run) in runs {
        for contest in &run.contests {
            for one in judge(contest) {
                let (measured, verdict) = (one.measured(), one.verdict());
                let (what, command) = (&one.what, command(name, contest));
                let title = &contest.name;
                _ = writeln!(text, "| {title} | {what} | {measured} | {verdict} | `{command}` |");
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::Machine;
    use crate::model::{Entry, Sample, Settings, Target, Tier};

    fn run() -> Run {
        let entry = |name: &str, figure| Entry {
            name: name.to_owned(),
            tier: Tier::CrashSafe,
            about: "how".to_owned(),
            samples: vec![Sample::from([("jobs/s".to_owned(), figure)])],
        };
        let contest = Contest {
            scenario: "bulk".to_owned(),
            name: "add".to_owned(),
            about: "About.".to_owned(),
            figure: "jobs/s".to_owned(),
            floor: Some("floor".to_owned()),
            entries: vec![entry("floor", 1_000.0), entry("ours", 700.0)],
            targets: vec![Target::at_least(0.8, "ours", "floor", "jobs/s")],
        };
        Run {
            machine: Machine::look(),
            settings: Settings { rounds: 1, quick: false, only: Vec::new(), stored: 100_000 },
            gate: vec!["nothing was lost".to_owned()],
            skipped: vec!["a peer: no Node".to_owned()],
            contests: vec![contest],
        }
    }

    #[test]
    fn the_page_tells_each_target_that_is_missed_with_its_command() {
        let text = page(&run(), &run());
        let row = "| add | ours: at least 0.8 times the jobs/s of floor | 0.70 | **not met** | \
                   `cargo xtask bench queue --only bulk` |";
        assert!(text.contains(row), "{text}");
    }

    #[test]
    fn a_machine_that_was_busy_is_told_of() {
        let with_load = |load: &str| {
            let mut run = run();
            run.machine.load = load.to_owned();
            page(&run, &run).contains("had other work")
        };
        assert_eq!([with_load("0.10"), with_load("2.00")], [false, true]);
    }

    #[test]
    fn the_page_tells_what_held_and_what_was_not_run() {
        let text = page(&run(), &run());
        for expected in ["- nothing was lost\n", "- not run: a peer: no Node\n", "### add\n"] {
            assert_eq!(text.matches(expected).count(), 2, "{expected:?} in {text}");
        }
    }
}
