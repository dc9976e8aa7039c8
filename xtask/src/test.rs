//! `test`: a real redis-server and a Python first, then every test and doctest.

use crate::{Outcome, shell};

pub(crate) fn run() -> Outcome {
    provide_redis()?;
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

/// Finds or fetches the server that the tests start, and starts it once to see its version.
fn provide_redis() -> Outcome {
    let redis = kv_testbed::redis_binary().map_err(|why| why.to_string())?;
    let server = redis.server().display();
    let output = redis
        .command("redis-server")
        .arg("--version")
        .output()
        .map_err(|why| format!("{server} does not start: {why}"))?;
    if !output.status.success() {
        let errors = String::from_utf8_lossy(&output.stderr);
        return Err(format!("{server} does not start ({}): {}", output.status, errors.trim_end()));
    }
    println!("redis: {server}: {}", String::from_utf8_lossy(&output.stdout).trim_end());
    Ok(())
}

/// Finds a Python and gives it redis-py, for the tests that share a server with it.
fn provide_python() -> Outcome {
    let python = kv_testbed::python().map_err(|why| why.to_string())?;
    println!("python: {}: Python {}", python.interpreter().display(), python.version());
    Ok(())
}
