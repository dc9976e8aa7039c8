//! A Python service and a Rust store on the same variables.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use kv_config::Config;
use kv_core::Store;
use kv_testbed::RedisServer;
use serde::Serialize;
use serde::de::DeserializeOwned;

/// A Python process that evaluates what it is asked; killed when it is dropped.
pub(crate) struct Python {
    child: Child,
    input: ChildStdin,
    output: BufReader<ChildStdout>,
}

impl Python {
    fn start(variables: &[(String, String)]) -> Self {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/python/service.py");
        let mut command: Command = kv_testbed::python().unwrap().command();
        command.arg(script).envs(variables.iter().cloned());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let (input, output) = (child.stdin.take().unwrap(), child.stdout.take().unwrap());
        Self { child, input, output: BufReader::new(output) }
    }

    /// What an expression comes to: `=` and its `repr`, or `!` and the error.
    fn line(&mut self, expression: &str) -> String {
        writeln!(self.input, "{}", serde_json::to_string(expression).unwrap()).unwrap();
        let mut line = String::new();
        self.output.read_line(&mut line).unwrap();
        assert!(line.ends_with('\n'), "Python ended at {expression}");
        line.trim_end_matches('\n').to_owned()
    }

    /// The `repr` of what an expression comes to.
    pub(crate) fn ask(&mut self, expression: &str) -> String {
        let line = self.line(expression);
        line.strip_prefix('=').unwrap_or_else(|| panic!("{expression}: {line}")).to_owned()
    }

    /// The error that an expression ends with.
    pub(crate) fn fails(&mut self, expression: &str) -> String {
        let line = self.line(expression);
        line.strip_prefix('!').unwrap_or_else(|| panic!("{expression}: {line}")).to_owned()
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        // Both fail when it has ended and was waited for.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A server with a service in each language.
pub(crate) struct Both {
    pub(crate) python: Python,
    pub(crate) rust: Store,
    // Last, so that its clients are gone before it.
    pub(crate) server: RedisServer,
}

/// Starts both with these variables, named without `OC_KV_STORE_`, on a fresh server.
pub(crate) async fn both(variables: &[(&str, &str)]) -> Both {
    on(RedisServer::start().unwrap(), variables).await
}

/// As [`both`], on this server.
pub(crate) async fn on(server: RedisServer, variables: &[(&str, &str)]) -> Both {
    let variables = all_variables(&server, variables);
    let config = Config::from_vars(variables.iter().cloned()).unwrap();
    Both { python: Python::start(&variables), rust: config.open().await.unwrap(), server }
}

/// The variables that lead to the server, and these.
pub(crate) fn all_variables(server: &RedisServer, more: &[(&str, &str)]) -> Vec<(String, String)> {
    let port = server.port().to_string();
    let address = [("TYPE", "redis"), ("REDIS_HOST", "127.0.0.1"), ("REDIS_PORT", &port)];
    let all = address.iter().chain(more);
    all.map(|(name, value)| (format!("OC_KV_STORE_{name}"), (*value).to_owned())).collect()
}

impl Both {
    /// Writes a value in Python, reads it in Rust.
    pub(crate) async fn python_writes<T: DeserializeOwned>(&mut self, value: &str) -> T {
        self.python.ask(&format!("await store.put('from python', {value})"));
        let read = self.rust.get("from python").await;
        read.unwrap_or_else(|error| panic!("{value}: {error:?}")).unwrap()
    }

    /// Writes a value in Python; why Rust does not read it. The value stays as it is.
    pub(crate) async fn refused<T: DeserializeOwned + std::fmt::Debug>(
        &mut self,
        value: &str,
    ) -> String {
        self.python.ask(&format!("await store.put('refused', {value})"));
        let before = self.python.ask("await client.get(full('refused'))");
        let error = self.rust.get::<T>("refused").await.unwrap_err();
        assert_eq!(error.kind(), kv_core::ErrorKind::Serialization, "{value}");
        let after = self.python.ask("await client.get(full('refused'))");
        assert_eq!(before, after, "{value}");
        let cause = std::error::Error::source(&error);
        format!("{error}: {}", cause.map(ToString::to_string).unwrap_or_default())
    }

    /// Writes a value in Rust; its `repr` in Python.
    pub(crate) async fn rust_writes<T: Serialize + ?Sized>(&mut self, value: &T) -> String {
        self.rust.set("from rust", value).await.unwrap();
        self.python.ask("await store.get('from rust')")
    }
}
