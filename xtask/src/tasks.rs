//! `tasks`: what the pages tell newcomers to do works, from an empty folder.
//!
//! The commands, the manifests and the code are those of the pages themselves: a comment before a
//! fenced block says what the block is for. So a page and its check cannot differ.

mod page;
mod play;

use std::path::PathBuf;

use crate::tree::Tree;
use crate::{Outcome, shell};

use page::{Deed, Step};
use play::Terminal;

/// Each kind of newcomer, and the page that is followed.
const TASKS: &[(&str, &str)] = &[
    ("service", "docs/tour.md"),
    ("crawler", "docs/tasks/crawler.md"),
    ("plugin", "docs/tasks/backend.md"),
];

pub(crate) fn run() -> Outcome {
    build_command()?;
    let mut failed = Vec::new();
    for (task, path) in TASKS {
        println!("{task}: {path}");
        if let Err(why) = follow(task, path) {
            failed.push(why);
        }
    }
    shell::report(&failed)
}

/// Builds `oc-kv`, with the features and the profile of the tests, so that it is there if they have
/// run.
pub(crate) fn build_command() -> Outcome {
    let line = ["build", "--workspace", "--all-features", "--profile", "test", "--bin", "oc-kv"];
    shell::cargo(&line)
}

/// Does what a page says for a task, in an empty folder beside the sources.
fn follow(task: &str, path: &str) -> Outcome {
    play::play(&steps(task, path)?, folder(task)?)
}

fn folder(name: &str) -> Result<PathBuf, String> {
    play::folder(&shell::root().join("target/tasks"), name)
}

/// The steps of a task; none is an error.
fn steps(task: &str, path: &str) -> Result<Vec<Step>, String> {
    let tree = Tree::load()?;
    let text = tree.get(path).ok_or_else(|| format!("{path}: is missing"))?;
    let mut steps = page::steps(path, text)?;
    steps.retain(|step| step.task == task);
    if steps.is_empty() {
        return Err(format!("{path}: has no block for the task `{task}`"));
    }
    Ok(steps)
}

/// The files that a task has the reader write, with their text.
pub(crate) fn files(task: &str) -> Result<Vec<(String, String)>, String> {
    let known = TASKS.iter().find(|(name, _)| *name == task);
    let (_, path) = known.ok_or_else(|| format!("there is no task `{task}`"))?;
    let file = |step: Step| match step.deed {
        Deed::File(path) => Some((path, step.text)),
        _ => None,
    };
    Ok(steps(task, path)?.into_iter().filter_map(file).collect())
}

/// A terminal in a folder with the files of a task.
pub(crate) fn begun(task: &str) -> Result<Terminal, String> {
    let terminal = Terminal::new(folder(&format!("{task}-begun"))?);
    for (path, text) in files(task)? {
        terminal.write(&path, &text)?;
    }
    Ok(terminal)
}
