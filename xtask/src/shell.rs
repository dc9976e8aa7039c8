//! Running other programs from the top of the repository, visibly.

use std::path::Path;
use std::process::{Command, Stdio};

use crate::Outcome;

/// The top of the repository.
pub(crate) fn root() -> &'static Path {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.parent().unwrap_or(here)
}

/// Runs cargo with its output shown; fails when cargo does.
pub(crate) fn cargo(arguments: &[&str]) -> Outcome {
    cargo_with(arguments, &[])
}

/// As [`cargo`], with environment variables added.
pub(crate) fn cargo_with(arguments: &[&str], variables: &[(&str, &str)]) -> Outcome {
    let shown: Vec<String> =
        variables.iter().map(|(name, value)| format!("{name}={value:?} ")).collect();
    let line = format!("cargo {}", arguments.join(" "));
    println!("$ {}{line}", shown.concat());
    run(command(arguments).envs(variables.iter().copied()), &line)
}

/// Runs a program with its output shown; fails when the program does. The line is what it is called.
pub(crate) fn run(command: &mut Command, line: &str) -> Outcome {
    let status = command.status().map_err(|why| format!("cannot start `{line}`: {why}"))?;
    if status.success() { Ok(()) } else { Err(format!("`{line}` failed ({status})")) }
}

/// Runs cargo silently and returns its standard output.
pub(crate) fn cargo_output(arguments: &[&str]) -> Result<String, String> {
    let line = format!("cargo {}", arguments.join(" "));
    let output = command(arguments)
        .stdin(Stdio::null())
        .output()
        .map_err(|why| format!("cannot start `{line}`: {why}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("`{line}` failed ({}):\n{}", output.status, errors.trim_end()));
    }
    String::from_utf8(output.stdout).map_err(|why| format!("`{line}` did not print UTF-8: {why}"))
}

/// Whether cargo has this subcommand here.
pub(crate) fn has_cargo(subcommand: &str) -> bool {
    cargo_output(&[subcommand, "--version"]).is_ok()
}

/// Fails unless cargo has this subcommand, which the rustup component brings.
pub(crate) fn need_component(subcommand: &str, component: &str) -> Outcome {
    if has_cargo(subcommand) {
        return Ok(());
    }
    Err(format!("{component} is not installed; `rustup component add {component}` installs it"))
}

/// Prints each finding on a line of its own; any finding is a failure.
pub(crate) fn report(findings: &[String]) -> Outcome {
    for finding in findings {
        println!("{finding}");
    }
    match findings.len() {
        0 => Ok(()),
        1 => Err("1 finding".to_owned()),
        many => Err(format!("{many} findings")),
    }
}

fn command(arguments: &[&str]) -> Command {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(root()).args(arguments);
    command
}
