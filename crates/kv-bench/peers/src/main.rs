//! Other queues on Redis, at the jobs of `kv-bench`, which starts this program for each turn.
//!
//! It is told a peer, a port, a verb (`process` or `add`), how many jobs, how many at a time and
//! the size of a payload. It gets ready and says `ready`, begins at a line on its standard input,
//! and says `done`, the seconds it took, and how many jobs there were. Where it processed them, the
//! sum of their numbers and of the squares of these follow; where it added them, two zeros.

mod apalis_redis;
mod bullmq;
mod rsmq;
mod task;

use std::process::ExitCode;

use task::{Result, Task, Verb};

#[tokio::main]
async fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words).await {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kv-bench-peers: {}: {error}", words.join(" "));
            ExitCode::FAILURE
        }
    }
}

async fn run(words: &[String]) -> Result<()> {
    let [peer, rest @ ..] = words else { return Err("no peer is named".into()) };
    let task = Task::parse(rest)?;
    match (peer.as_str(), task.verb) {
        ("apalis-redis", Verb::Process) => apalis_redis::process(&task).await,
        ("apalis-redis", Verb::Add) => apalis_redis::add(&task).await,
        ("bullmq-official", Verb::Process) => bullmq::process(&task).await,
        ("bullmq-official", Verb::Add) => bullmq::add(&task).await,
        ("rsmq_async", Verb::Process) => rsmq::process(&task, false).await,
        ("rsmq_async-batch", Verb::Process) => rsmq::process(&task, true).await,
        ("rsmq_async" | "rsmq_async-batch", Verb::Add) => rsmq::add(&task).await,
        (other, _) => Err(format!("no peer `{other}`").into()),
    }
}
