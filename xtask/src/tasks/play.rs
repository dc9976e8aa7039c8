//! Doing the steps of a task as somebody at a terminal would.

use std::io::{BufRead, BufReader, ErrorKind, Lines, Read};
use std::os::unix::fs::symlink;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Stdio};

use super::page::{Deed, Step};
use crate::folder::{project, put};
use crate::{Outcome, shell};

/// Far longer than any step takes, a build of all crates too; in seconds.
const LIMIT: &str = "3600";

/// An empty folder of this name, with the sources beside it as `oc-kv`.
pub(super) fn folder(top: &Path, name: &str) -> Result<PathBuf, String> {
    let folder = top.join(name);
    project(&folder, &[])?;
    match symlink(shell::root(), top.join("oc-kv")) {
        Err(why) if why.kind() != ErrorKind::AlreadyExists => {
            Err(format!("{}: {why}", folder.display()))
        }
        _ => Ok(folder),
    }
}

/// Does the steps in order; the first that fails ends it, with its place in the page.
pub(super) fn play(steps: &[Step], folder: PathBuf) -> Outcome {
    let mut terminal = Terminal::new(folder);
    for step in steps {
        terminal.step(step).map_err(|why| format!("{}: {why}", step.place))?;
    }
    Ok(())
}

/// Commands that still run, as somebody has left them in a terminal.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    /// Read no further, but kept: without a reader, the program would fail at its next line.
    lines: Lines<BufReader<ChildStdout>>,
    /// The line that was waited for.
    pub(crate) told: String,
}

/// Kills the whole group of processes, as a terminal does, but with a signal that nobody handles.
impl Drop for Running {
    fn drop(&mut self) {
        let group = format!("kill -s KILL -- -{}", self.child.id());
        // If the commands have ended by themselves there is nothing to kill.
        let _ = Command::new("sh").args(["-c", &group]).stderr(Stdio::null()).status();
        let _ = self.child.wait();
    }
}

/// What lasts from one command to the next.
#[derive(Debug)]
pub(crate) struct Terminal {
    folder: PathBuf,
    exports: String,
    /// What the last command printed, on both streams.
    printed: String,
}

impl Terminal {
    /// In an empty folder.
    pub(super) fn new(folder: PathBuf) -> Self {
        Self { folder, exports: String::new(), printed: String::new() }
    }

    pub(super) fn step(&mut self, step: &Step) -> Outcome {
        match &step.deed {
            Deed::File(path) => self.write(path, &step.text),
            Deed::Run => self.run(&step.text),
            Deed::KillAfter(told) => self.until(&step.text, told).map(drop),
            Deed::Prints => self.expect(&step.text),
        }
    }

    pub(super) fn write(&self, path: &str, text: &str) -> Outcome {
        put(&self.folder, path, text).map_err(|why| why.to_string())
    }

    fn run(&mut self, commands: &str) -> Outcome {
        let mut child = self.start(commands)?;
        self.printed.clear();
        if let Some(output) = &mut child.stdout {
            output.read_to_string(&mut self.printed).map_err(|why| why.to_string())?;
        }
        let status = child.wait().map_err(|why| why.to_string())?;
        let warned = self.printed.lines().any(|line| line.starts_with("warning: "));
        let what = match (status.success(), warned) {
            (true, false) => return Ok(()),
            (true, true) => "shows a newcomer a warning".to_owned(),
            (false, _) => format!("failed ({status})"),
        };
        Err(format!("`{}` {what}:\n{}", commands.trim_end(), self.printed))
    }

    /// Starts commands, and returns once they have printed this; the drop of what is returned kills
    /// them.
    pub(crate) fn until(&mut self, commands: &str, told: &str) -> Result<Running, String> {
        let mut child = self.start(commands)?;
        let output = child.stdout.take().ok_or("the shell has no output")?;
        let lines = BufReader::new(output).lines();
        let mut running = Running { child, lines, told: String::new() };
        let line = running.lines.by_ref().map_while(Result::ok).find(|line| line.contains(told));
        let never = || format!("`{}` never said `{told}`", commands.trim_end());
        running.told = line.ok_or_else(never)?;
        Ok(running)
    }

    /// Columns may be wider or narrower than in the page.
    fn expect(&self, lines: &str) -> Outcome {
        let printed: Vec<String> = self.printed.lines().map(one_space).collect();
        let seen = |wanted: &str| printed.iter().any(|line| line.contains(&one_space(wanted)));
        match lines.lines().find(|line| !seen(line)) {
            None => Ok(()),
            Some(line) => {
                Err(format!("`{line}` is missing in what was printed:\n{}", self.printed))
            }
        }
    }

    /// Starts commands in a shell that has the variables of the shells before.
    fn start(&mut self, commands: &str) -> Result<Child, String> {
        for line in commands.lines().filter(|line| line.starts_with("export ")) {
            self.exports.push_str(line);
            self.exports.push('\n');
        }
        let script = format!("exec 2>&1\nset -eu\n{}{commands}", self.exports);
        let target = shell::root().join("target");
        let old = std::env::var("PATH").unwrap_or_default();
        let mut command = Command::new("timeout");
        command.args([LIMIT, "sh", "-c", &script]).current_dir(&self.folder).process_group(0);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("OC_KV_STORE_") {
                command.env_remove(name);
            }
        }
        command
            .env("PATH", format!("{}:{old}", target.join("debug").display()))
            .env("CARGO_TARGET_DIR", &target)
            // The profile of the tests, so that crates that are built already serve here.
            .env("CARGO_PROFILE_DEV_OPT_LEVEL", "1")
            .env("CARGO_PROFILE_DEV_DEBUG", "line-tables-only")
            .env("CARGO_PROFILE_TEST_OPT_LEVEL", "1")
            .stdin(Stdio::null())
            .stdout(Stdio::piped());
        command.spawn().map_err(|why| format!("cannot start `timeout` and a shell: {why}"))
    }
}

/// A line with one space between its words.
fn one_space(line: &str) -> String {
    line.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::super::page::steps;
    use super::*;

    /// Plays a page of one task in a folder of its own, without cargo.
    fn played(name: &str, page: &str) -> Outcome {
        let top = shell::root().join("target/tasks-tests");
        let folder = folder(&top, name)?;
        play(&steps("p.md", page)?, folder)
    }

    #[test]
    fn files_variables_and_output_last_from_step_to_step() {
        let page = "<!-- task: a, file x/y -->\n```text\nhello\n```\n\
            <!-- task: a, run -->\n```text\nexport NAME=Ada\n```\n\
            <!-- task: a, run -->\n```text\ncat x/y; echo $NAME '|' 0 >&2\n```\n\
            <!-- task: a, prints -->\n```text\nhello\nAda  | 0\n```\n";
        assert_eq!(played("lasts", page), Ok(()));
    }

    #[test]
    fn a_command_that_fails_or_prints_something_else_is_a_failure_at_its_place() {
        let error = played("fails", "<!-- task: a, run -->\n```text\necho why; false\n```\n");
        let error = error.unwrap_err();
        assert!(error.starts_with("p.md:1: ") && error.contains("why"), "{error}");
        let error = played("warns", "<!-- task: a, run -->\n```text\necho warning: old\n```\n");
        assert!(error.unwrap_err().contains("warning: old"));
        let page = "<!-- task: a, run -->\n```text\necho one\n```\n\
            <!-- task: a, prints -->\n```text\ntwo\n```\n";
        let error = played("prints", page).unwrap_err();
        assert!(error.starts_with("p.md:5: `two` is missing"), "{error}");
    }

    #[test]
    fn a_program_is_killed_once_it_has_told_what_was_waited_for() {
        let page = "<!-- task: a, kill after two -->\n```text\necho one; echo two; tail -f /dev/null\n```\n";
        assert_eq!(played("killed", page), Ok(()));
        let page = "<!-- task: a, kill after two -->\n```text\necho one\n```\n";
        let error = played("silent", page).unwrap_err();
        assert!(error.contains("never said `two`"), "{error}");
    }
}
