//! `tasks`: what the pages tell newcomers to do works, from an empty folder.
//!
//! The commands, the manifests and the code are those of the pages themselves: a comment before a
//! fenced block says what the block is for. So a page and its check cannot differ.

mod page;
mod play;

use std::path::Path;

use crate::tree::Tree;
use crate::{Outcome, shell};

/// Each kind of newcomer, and the page that is followed.
const TASKS: &[(&str, &str)] = &[
    ("service", "docs/tour.md"),
    ("crawler", "docs/tasks/crawler.md"),
    ("plugin", "docs/tasks/backend.md"),
];

pub(crate) fn run() -> Outcome {
    let tree = Tree::load()?;
    // With the features and the profile of the tests, so that it is there if they have run.
    let line = ["build", "--workspace", "--all-features", "--profile", "test", "--bin", "oc-kv"];
    shell::cargo(&line)?;
    let top = shell::root().join("target/tasks");
    let mut failed = Vec::new();
    for (task, path) in TASKS {
        println!("{task}: {path}");
        if let Err(why) = follow(&tree, task, path, &top) {
            failed.push(why);
        }
    }
    shell::report(&failed)
}

/// Does what a page says for a task, in an empty folder beside the sources.
fn follow(tree: &Tree, task: &str, path: &str, top: &Path) -> Outcome {
    let text = tree.get(path).ok_or_else(|| format!("{path}: is missing"))?;
    let steps = page::steps(path, text)?;
    let steps: Vec<_> = steps.into_iter().filter(|step| step.task == task).collect();
    if steps.is_empty() {
        return Err(format!("{path}: has no block for the task `{task}`"));
    }
    play::play(&steps, &play::folder(top, task)?)
}

/// The text of a file that the tour has the reader write.
pub(crate) fn file_of_the_tour(path: &str) -> Result<String, String> {
    let (_, page) = TASKS[0];
    let tree = Tree::load()?;
    let wanted = page::Deed::File(path.to_owned());
    page::steps(page, tree.get(page).unwrap_or_default())?
        .into_iter()
        .find(|step| step.deed == wanted)
        .map(|step| step.text)
        .ok_or_else(|| format!("{page}: has no file {path}"))
}
