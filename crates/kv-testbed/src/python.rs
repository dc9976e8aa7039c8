//! A `python3` with redis-py, in a virtual environment under `target/python`.

use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::error::{Error, Result};
use crate::workdir;

/// Names the Python to test against; it wins over `python3` on `PATH`.
pub const PYTHON_VARIABLE: &str = "OC_KV_TEST_PYTHON";

/// The packages that the environment gets, with their versions and hashes.
const REQUIREMENTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/python/requirements.txt");

/// The oldest Python that redis-py of that version runs on.
const OLDEST: (u32, u32) = (3, 9);

const VERSION: &str = "import sys; print('%d.%d.%d' % sys.version_info[:3])";

/// A Python 3 that can be started, with redis-py.
#[derive(Debug, Clone)]
pub struct Python {
    interpreter: PathBuf,
    version: String,
}

impl Python {
    /// The path of the interpreter.
    pub fn interpreter(&self) -> &Path {
        &self.interpreter
    }

    /// The interpreter's version, such as `3.11.7`.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// A command that runs the interpreter: its output is UTF-8, it leaves no compiled files
    /// behind, and it sees no packages but its own.
    pub fn command(&self) -> Command {
        let mut command = Command::new(&self.interpreter);
        command.env("PYTHONUTF8", "1").env("PYTHONDONTWRITEBYTECODE", "1");
        command.env_remove("PYTHONPATH").env_remove("PYTHONHOME");
        command
    }
}

/// Finds a Python 3 and gives it redis-py, without touching the system.
///
/// The Python is the one that [`PYTHON_VARIABLE`] names, or else `python3` on `PATH`. A virtual
/// environment of it is made in `target/python`, once; pip fetches into it what
/// `crates/kv-testbed/python/requirements.txt` pins. Any number of processes may call this at
/// once: one makes it, the others wait for it.
///
/// # Errors
/// Says what was tried and what to do.
pub fn python() -> Result<Python> {
    let named = std::env::var_os(PYTHON_VARIABLE).filter(|value| !value.is_empty());
    let base = named.unwrap_or_else(|| "python3".into());
    let version = version(&base)?;
    let made = workdir::once_in("python", &format!("python-{version}"), |staging| {
        eprintln!("kv-testbed: making an environment of Python {version} in target/python");
        make(&base, staging)
    });
    let root = made.map_err(|error| {
        Error::new(format!(
            "Python {version} got no redis-py: no virtual environment could be made in \
             target/python ({error}); the Python needs its modules `venv` and `ensurepip` \
             (Debian: apt-get install python3-venv), and pip an index to reach (PIP_INDEX_URL) or \
             the files (PIP_FIND_LINKS); {PYTHON_VARIABLE} names another Python"
        ))
    })?;
    let interpreter = interpreter_in(&root);
    if !interpreter.exists() {
        let gone = format!(
            "{} leads nowhere: the Python that it was made of is gone; delete {}",
            interpreter.display(),
            root.display()
        );
        return Err(Error::new(gone));
    }
    Ok(Python { interpreter, version })
}

/// The version of an interpreter that is new enough.
fn version(base: &OsString) -> Result<String> {
    let found = run(Command::new(base).args(["-I", "-c", VERSION]));
    let text = found.map_err(|error| {
        Error::new(format!(
            "no Python 3 ({error}); install python3 with its module venv (Debian: apt-get install \
             python3 python3-venv), or set {PYTHON_VARIABLE} to the path of one"
        ))
    })?;
    checked(base, text.trim())
}

fn checked(base: &OsString, version: &str) -> Result<String> {
    let mut numbers = version.split('.').map(|number| number.parse::<u32>().unwrap_or(0));
    let found = (numbers.next().unwrap_or(0), numbers.next().unwrap_or(0));
    if found >= OLDEST {
        return Ok(version.to_owned());
    }
    Err(Error::new(format!(
        "{} is Python {version}; redis-py needs {}.{} or newer: set {PYTHON_VARIABLE} to the path \
         of one",
        base.display(),
        OLDEST.0,
        OLDEST.1
    )))
}

/// Makes the environment. It is moved afterwards, which an interpreter does not mind; the
/// programs beside it would, and are not used.
fn make(base: &OsString, staging: &Path) -> Result<PathBuf> {
    let root = staging.join("environment");
    run(Command::new(base).args(["-I", "-m", "venv"]).arg(&root))?;
    let mut pip = Command::new(interpreter_in(&root));
    pip.args([
        "-I",
        "-m",
        "pip",
        "install",
        "--quiet",
        "--no-input",
        "--disable-pip-version-check",
    ]);
    pip.args(["--require-hashes", "--only-binary", ":all:", "--requirement", REQUIREMENTS]);
    run(&mut pip)?;
    run(Command::new(interpreter_in(&root)).args(["-I", "-c", "import redis.asyncio"]))?;
    Ok(root)
}

fn interpreter_in(root: &Path) -> PathBuf {
    root.join("bin/python")
}

/// Runs a command to its end and returns what it printed. An error has all of its output: `venv`
/// says on the standard output what it lacks.
fn run(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_os_string();
    let output = command.output().map_err(Error::context(format!("cannot run {program:?}")))?;
    let printed = String::from_utf8_lossy(&output.stdout).into_owned();
    if output.status.success() {
        return Ok(printed);
    }
    let errors = String::from_utf8_lossy(&output.stderr);
    let told = [printed.trim(), errors.trim()].join(" ");
    Err(Error::new(format!("{command:?} ended with {}: {}", output.status, told.trim())))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{checked, python, run, version};

    #[test]
    fn the_environment_has_redis_py_of_the_pinned_version() {
        let python = python().unwrap();
        let program = "import sys, redis; print(redis.__version__, sys.version.split()[0])";
        let printed = run(python.command().args(["-c", program])).unwrap();
        assert_eq!(printed.trim(), format!("6.4.0 {}", python.version()));
    }

    #[test]
    fn without_a_python_the_error_says_what_to_install_and_what_to_set() {
        let error = version(&"/nowhere/python3".into()).unwrap_err().to_string();
        for part in ["no Python 3", "/nowhere/python3", "python3-venv", "OC_KV_TEST_PYTHON"] {
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_python_that_is_too_old_is_told_with_its_version() {
        for good in ["3.9.0", "3.13.2", "4.0.0"] {
            assert_eq!(checked(&"python3".into(), good).unwrap(), good);
        }
        for old in ["3.8.18", "2.7.18", "", "what"] {
            let error = checked(&"python3".into(), old).unwrap_err().to_string();
            assert!(error.contains(&format!("python3 is Python {old};")), "{error}");
        }
    }

    #[test]
    fn what_a_failing_command_says_on_either_output_is_in_the_error() {
        let program = "echo ensurepip is not available; echo no pip >&2; exit 1";
        let error = run(Command::new("sh").args(["-c", program])).unwrap_err().to_string();
        assert!(error.contains("ensurepip is not available no pip"), "{error}");
    }
}
