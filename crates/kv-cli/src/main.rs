//! `oc-kv`: look at a store and its queues, and change them.
//!
//! The command reads the same `OC_KV_STORE_*` variables as a service does, or `--config FILE`, or
//! `--url URL`. It works beside running services.

mod arguments;
mod ask;
mod config;
mod dashboard;
mod failure;
mod output;
mod queue;
mod shell;
mod store;
mod watch;

use std::process::ExitCode;

use clap::Parser as _;
use kv_core::Store;

use arguments::{Arguments, Verb};
use failure::{Failure, Result};
use output::Output;

fn main() -> ExitCode {
    // A wrong command line ends here, with exit code 2.
    let arguments = Arguments::parse();
    let output = Output::new(arguments.json);
    match run(arguments, &output) {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output.failure(&failure);
            failure.exit_code()
        }
    }
}

fn run(arguments: Arguments, output: &Output) -> Result<()> {
    let source = arguments.source;
    match arguments.verb {
        Verb::Config(verb) => config::run(&source, verb, output),
        Verb::Completions { shell } => shell::completions(shell),
        Verb::Man => shell::man(),
        Verb::Dashboard(options) => block_on(async {
            let store = open(&source).await?;
            finish(&store, dashboard::serve(&store, options, output).await).await
        }),
        Verb::Watch(options) => {
            watch::check(output)?;
            block_on(async {
                let store = open(&source).await?;
                watch::run(&store, options).await
            })
        }
        Verb::Metrics { groups } => block_on(async {
            let store = open(&source).await?;
            finish(&store, dashboard::metrics(&store, groups).await).await
        }),
        Verb::Store(verb) => block_on(async {
            let store = open(&source).await?;
            finish(&store, store::run(&store, verb, output).await).await
        }),
        Verb::Queue(verb) => block_on(async {
            let store = open(&source).await?;
            finish(&store, queue::run(&store, verb, output).await).await
        }),
    }
}

fn block_on(work: impl Future<Output = Result<()>>) -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Failure::Failed(format!("no runtime: {error}")))?;
    let done = runtime.block_on(work);
    // The work is done; a name server that still has to answer keeps nobody waiting.
    runtime.shutdown_background();
    done
}

async fn open(source: &arguments::Source) -> Result<Store> {
    let store = config::load(source)?.open().await?;
    Ok(match &source.namespace {
        Some(namespace) => store.namespace(namespace),
        None => store,
    })
}

/// Closes the store; what the verb says goes before what closing says.
async fn finish(store: &Store, done: Result<()>) -> Result<()> {
    let closed = store.close().await;
    done.and_then(|()| Ok(closed?))
}
