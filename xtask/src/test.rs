//! `test`: real servers and a Python first, then every test and doctest.

use kv_testbed::ServerBinary;

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    provide("redis-server", kv_testbed::redis_binary())?;
    provide("valkey-server", kv_testbed::valkey_binary())?;
    provide("chromium-headless-shell", kv_testbed::browser_binary())?;
    provide_python()?;
    if !shell::has_cargo("nextest") {
        println!("runner: cargo test, since cargo-nextest is not installed");
        return shell::cargo(&["test", "--workspace", "--all-features", "--no-fail-fast"]);
    }
    println!("runner: cargo nextest, then cargo test for the doctests");
    let tests =
        shell::cargo(&["nextest", "run", "--workspace", "--all-features", "--no-fail-fast"]);
    let doctests = shell::cargo(&["test", "--doc", "--workspace", "--all-features"]);
    tests.and(doctests)
}

/// Finds or fetches a server that the tests start, and starts it once to see its version.
fn provide(program: &str, found: kv_testbed::Result<ServerBinary>) -> Outcome {
    let binary = found.map_err(|why| why.to_string())?;
    let server = binary.server().display();
    let output = binary
        .command(program)
        .arg("--version")
        .output()
        .map_err(|why| format!("{server} does not start: {why}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{server} does not start ({}): {}", output.status, errors.trim_end()));
    }
    println!("{program}: {server}: {}", String::from_utf8_lossy(&output.stdout).trim_end());
    Ok(())
}

/// Finds a Python and gives it redis-py, for the tests that share a server with it.
fn provide_python() -> Outcome {
    let python = kv_testbed::python().map_err(|why| why.to_string())?;
    println!("python: {}: Python {}", python.interpreter().display(), python.version());
    Ok(())
}
