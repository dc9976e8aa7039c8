//! Benchmarks of the store and the queue, beside bare floors and peers.
//!
//! `cargo xtask bench` builds and runs this; docs/BENCHMARKS.md is written from what it leaves in
//! `target/bench`.

mod arguments;
mod contest;
mod fault_check;
mod file;
mod machine;
mod model;
mod payload;
mod queue;
mod raw;
mod report;
mod server;
mod statistics;
mod store;
mod tasks;
mod work;

use std::error::Error;
use std::process::ExitCode;

use arguments::{Arguments, Verb};

/// Any error ends the run without a figure.
type Failure = Box<dyn Error + Send + Sync>;

/// What a part of a benchmark comes to.
type Result<T> = std::result::Result<T, Failure>;

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv-bench: {}", chain(&*error));
            ExitCode::FAILURE
        }
    }
}

/// An error with its causes.
fn chain(error: &(dyn Error + Send + Sync + 'static)) -> String {
    let error: &(dyn Error + 'static) = error;
    let causes = std::iter::successors(Some(error), |&error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}

async fn run() -> Result<()> {
    let arguments = Arguments::parse(std::env::args().skip(1))?;
    match &arguments.verb {
        Verb::Store => report::keep("store", &store::run(&arguments).await?),
        Verb::Queue => report::keep("queue", &queue::run(&arguments).await?),
        Verb::Report => report::write(),
        Verb::HoldJob { url } => fault_check::hold_job(url).await,
        Verb::WriteFile { path } => store::write_file(path).await,
        Verb::OpenFile { path } => store::open_file(path).await,
    }
}
