//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};
use clap_complete::Shell;
use kv_queue::State;

const EXIT_CODES: &str = "\
Exit codes: 0 done; 1 the store or the machine failed; 2 the command line or the configuration is
wrong; 3 the key, queue or job is not there; 4 nobody agreed to the change.

The store is that of the OC_KV_STORE_* variables, unless --config or --url names another.";

/// Look at a store and its queues, and change them.
#[derive(Debug, Parser)]
#[command(name = "oc-kv", version, after_help = EXIT_CODES)]
pub(crate) struct Arguments {
    #[command(flatten)]
    pub(crate) source: Source,

    /// Print JSON: one value, or one object a line.
    #[arg(long, global = true)]
    pub(crate) json: bool,

    #[command(subcommand)]
    pub(crate) verb: Verb,
}

/// Which store, and which part of it.
#[derive(Args, Debug)]
pub(crate) struct Source {
    /// A TOML file with the configuration, in place of the environment.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,

    /// Where the store is, such as redis://host:6379 or sqlite:///path. Others on this machine can
    /// see a password in it; a variable is safer.
    #[arg(long, global = true, value_name = "URL", conflicts_with = "config")]
    pub(crate) url: Option<String>,

    /// What every key on the server begins with, beside --url.
    #[arg(long, global = true, value_name = "PREFIX", requires = "url")]
    pub(crate) prefix: Option<String>,

    /// Only this namespace of the store.
    #[arg(long, global = true, value_name = "NAME")]
    pub(crate) namespace: Option<String>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Verb {
    #[command(flatten)]
    Store(StoreVerb),
    #[command(flatten)]
    Queue(QueueVerb),
    /// Serve a live page of the queues and keys, to this machine only unless --token-file is given.
    Dashboard(DashboardOptions),
    /// Watch the queues on this terminal, live: their jobs, rates and dead letters. Changes nothing.
    Watch(WatchOptions),
    /// Print the figures of the store and its queues as Prometheus reads them.
    Metrics {
        /// Tell the groups of the first 100 queues too.
        #[arg(long)]
        groups: bool,
    },
    /// Check, show and explain the configuration.
    #[command(subcommand)]
    Config(ConfigVerb),
    /// Print completions for a shell.
    Completions { shell: Shell },
    /// Print the manual page.
    Man,
}

/// How the live page is served, and what it shows.
#[derive(Args, Debug)]
pub(crate) struct DashboardOptions {
    /// Where to listen.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:8420")]
    pub(crate) listen: SocketAddr,
    /// A file with a token of at least 16 bytes, which every request must send.
    #[arg(long, value_name = "FILE")]
    pub(crate) token_file: Option<PathBuf>,
    /// A host name under which the page is asked for, beside those of this machine.
    #[arg(long = "host", value_name = "NAME")]
    pub(crate) hosts: Vec<String>,
    /// What comes before every path, such as /ops, where a proxy removes it.
    #[arg(long, value_name = "PATH", default_value = "", hide_default_value = true)]
    pub(crate) base_path: String,
    /// Let viewers change queues, jobs, groups and schedules.
    #[arg(long)]
    pub(crate) allow_actions: bool,
    /// Show what jobs carry, which may be secret.
    #[arg(long)]
    pub(crate) payloads: bool,
    /// Show the values of keys, which may be secret.
    #[arg(long)]
    pub(crate) values: bool,
    /// A namespace that is never shown.
    #[arg(long = "secret", value_name = "NAMESPACE")]
    pub(crate) secrets: Vec<String>,
}

/// What is watched, and how often.
#[derive(Args, Debug)]
pub(crate) struct WatchOptions {
    /// Begin with the page of this queue.
    pub(crate) queue: Option<String>,
    /// The least time between two counts of the queues.
    #[arg(long, value_parser = period, value_name = "TIME", default_value = "2s")]
    pub(crate) every: Duration,
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigVerb {
    /// Tell all that is wrong with the configuration; connect to nothing.
    Check,
    /// Show what the configuration comes to, without secrets.
    Show,
    /// Explain a variable.
    Explain { variable: String },
}

/// Verbs on keys.
#[derive(Debug, Subcommand)]
pub(crate) enum StoreVerb {
    /// Print the value of a key.
    Get {
        key: String,
        /// Print the stored bytes as they are, undecoded.
        #[arg(long)]
        raw: bool,
    },
    /// Write a value.
    Set {
        key: String,
        /// The value as JSON; `-` reads it from standard input.
        #[arg(allow_negative_numbers = true)]
        value: String,
        /// The value is a text, not JSON.
        #[arg(long)]
        text: bool,
        /// How long the entry lives, such as 90s, 15m, 12h or 7d.
        #[arg(long, value_parser = duration)]
        ttl: Option<Duration>,
        /// Write only if the key does not exist.
        #[arg(long)]
        if_absent: bool,
    },
    /// Delete keys, or all keys of a pattern.
    Del {
        #[arg(required_unless_present = "pattern")]
        keys: Vec<String>,
        /// A Redis glob, such as 'user:*'.
        #[arg(long, conflicts_with = "keys")]
        pattern: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Print the keys of a pattern, in no order.
    Keys {
        /// A Redis glob.
        #[arg(default_value = "*")]
        pattern: String,
        /// Print no more than so many.
        #[arg(long)]
        limit: Option<usize>,
    },
    /// Print the keys of a pattern with the time that they have left.
    Scan {
        /// A Redis glob.
        #[arg(default_value = "*")]
        pattern: String,
        /// Print no more than so many.
        #[arg(long, default_value_t = 100)]
        limit: usize,
    },
    /// Print how long a key has left; change it with --set.
    Ttl {
        key: String,
        /// The new time, such as 90s, 15m, 12h or 7d.
        #[arg(long, value_parser = duration, value_name = "TIME")]
        set: Option<Duration>,
    },
    /// Add to a counter, and print the sum.
    Incr {
        key: String,
        #[arg(default_value_t = 1, allow_negative_numbers = true)]
        by: i64,
        /// How long the counter lives, if it is new.
        #[arg(long, value_parser = duration)]
        ttl: Option<Duration>,
    },
    /// Print a counter.
    Counter { key: String },
    /// Print the store's figures.
    Stats,
    /// Check that the store answers.
    Ping,
    /// Write all keys of a pattern to standard output, a line of JSON each.
    Export {
        /// A Redis glob.
        #[arg(default_value = "*")]
        pattern: String,
    },
    /// Copy values, counters and queues into another store. It can be repeated after an
    /// interruption. Stop the programs that write to either store first.
    Copy {
        /// Where to copy to, such as sqlite:///path.
        #[arg(long, value_name = "URL", required_unless_present = "to_config")]
        to_url: Option<String>,
        /// A TOML file with the configuration of the store to copy to.
        #[arg(long, value_name = "FILE", conflicts_with = "to_url")]
        to_config: Option<PathBuf>,
        /// What every key on the server begins with, beside --to-url.
        #[arg(long, value_name = "PREFIX", requires = "to_url")]
        to_prefix: Option<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Read what `export` wrote from standard input. It can be repeated after an interruption.
    Import {
        /// Leave keys alone that exist.
        #[arg(long)]
        keep: bool,
    },
    /// Look for what will cause trouble: rights, persistence, what queues need.
    Doctor,
}

/// Verbs on queues.
#[derive(Debug, Subcommand)]
pub(crate) enum QueueVerb {
    #[command(flatten)]
    Show(ShowVerb),
    #[command(flatten)]
    Change(ChangeVerb),
}

/// Verbs that change no queue.
#[derive(Debug, Subcommand)]
pub(crate) enum ShowVerb {
    /// List the queues of the store with their jobs.
    Queues,
    /// Print the figures of a queue.
    Queue { queue: String },
    /// List the jobs in a state, a page at a time.
    Jobs {
        queue: String,
        /// One of ready, delayed, running, dead, done.
        #[arg(long, default_value_t = State::Ready)]
        state: State,
        /// Only jobs of this group.
        #[arg(long)]
        group: Option<String>,
        /// Begin where the last page ended.
        #[arg(long)]
        after: Option<String>,
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Show what the next ready jobs carry, which may be secret.
        #[arg(long, conflicts_with_all = ["state", "group", "after"])]
        payloads: bool,
    },
    /// Print everything about a job: where it is, why, and its last failures.
    Job {
        queue: String,
        #[arg(required_unless_present = "unique")]
        id: Option<String>,
        /// The job that holds this unique key, in place of an id.
        #[arg(long, conflicts_with = "id")]
        unique: Option<String>,
        /// The group within which the key is unique.
        #[arg(long, requires = "unique")]
        group: Option<String>,
        /// Show what the job carries or returned, which may be secret.
        #[arg(long)]
        payloads: bool,
    },
    /// List the workers of a queue in all processes.
    Workers { queue: String },
    /// Print dead letters, the oldest first.
    Dead {
        queue: String,
        #[arg(long, default_value_t = 20)]
        limit: usize,
        /// Count them by reason, of up to 10,000.
        #[arg(long, conflicts_with = "payloads")]
        by_reason: bool,
        /// Show what the jobs carry, which may be secret.
        #[arg(long)]
        payloads: bool,
    },
    /// List the groups of a queue: what waits, what runs, what limits them.
    Groups { queue: String },
    /// List the schedules of a queue with their next and last times.
    Schedules { queue: String },
}

/// Verbs that change a queue.
#[derive(Debug, Subcommand)]
pub(crate) enum ChangeVerb {
    /// Add a job.
    Enqueue {
        queue: String,
        /// The payload as JSON; `-` reads it from standard input.
        #[arg(allow_negative_numbers = true)]
        payload: String,
        /// Admit one job with this key.
        #[arg(long)]
        unique: Option<String>,
        /// When the job may run first, such as 90s or 2h from now.
        #[arg(long, value_parser = duration)]
        delay: Option<Duration>,
        /// From 0, the most urgent, to 15.
        #[arg(long)]
        priority: Option<u8>,
        /// Make the queue if it does not exist, with so many partitions.
        #[arg(long, value_name = "PARTITIONS")]
        create: Option<u32>,
    },
    /// Stop deliveries in all processes.
    Pause { queue: String },
    /// End a pause.
    Resume { queue: String },
    /// Pause a group of a queue, or end its pause.
    PauseGroup {
        queue: String,
        group: String,
        /// How long, such as 90s, 15m, 12h or 7d; 0s ends the pause.
        #[arg(value_parser = pause)]
        time: Duration,
    },
    /// Pause a schedule.
    PauseSchedule { queue: String, schedule: String },
    /// End the pause of a schedule.
    ResumeSchedule { queue: String, schedule: String },
    /// Enqueue the job of a schedule now, beside its times.
    RunSchedule { queue: String, schedule: String },
    /// Make dead letters ready again: those with these ids, or the oldest.
    Redrive {
        queue: String,
        ids: Vec<String>,
        /// Without ids: how many at most.
        #[arg(long, conflicts_with = "ids")]
        limit: Option<usize>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Let delayed jobs run now.
    RunNow {
        queue: String,
        #[arg(required = true)]
        ids: Vec<String>,
    },
    /// Remove dead letters, and done jobs that are kept.
    Discard {
        queue: String,
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Cancel jobs in any state.
    Cancel {
        queue: String,
        #[arg(required = true)]
        ids: Vec<String>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove all jobs of a queue.
    Clear {
        queue: String,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove a queue with everything in it.
    Delete {
        queue: String,
        #[command(flatten)]
        consent: Consent,
    },
}

/// Whether many things may change.
#[derive(Args, Clone, Copy, Debug)]
pub(crate) struct Consent {
    /// Do not ask.
    #[arg(long, short)]
    pub(crate) yes: bool,
    /// Say what would be done, and do nothing.
    #[arg(long, conflicts_with = "yes")]
    pub(crate) dry_run: bool,
}

/// A time that may be none.
fn pause(text: &str) -> Result<Duration, String> {
    if text == "0s" { Ok(Duration::ZERO) } else { duration(text) }
}

/// A time between two counts: shorter ones would load the store for nothing.
fn period(text: &str) -> Result<Duration, String> {
    let period = duration(text)?;
    let (least, most) = (Duration::from_millis(500), Duration::from_secs(3_600));
    match (least..=most).contains(&period) {
        true => Ok(period),
        false => Err(format!("{text} is out of range; expected 500ms to 1h")),
    }
}

/// A whole number and a unit: ms, s, m, h or d.
fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || format!("{text:?} is no time; expected one such as 500ms, 90s, 15m, 12h or 7d");
    let end = text.find(|c: char| !c.is_ascii_digit()).ok_or_else(wrong)?;
    let number: u64 = text[..end].parse().map_err(|_| wrong())?;
    let milliseconds = match &text[end..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        "d" => 86_400_000,
        _ => return Err(wrong()),
    };
    match number.checked_mul(milliseconds) {
        Some(milliseconds) if milliseconds > 0 => Ok(Duration::from_millis(milliseconds)),
        _ => Err(wrong()),
    }
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_contradicts_itself_nowhere() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn a_time_has_a_number_and_a_unit() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("2h"), Ok(Duration::from_secs(7_200)));
        for wrong in ["", "5", "h", "0s", "-1s", "1.5s", "5 s", "5w", "99999999999999999d"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }
}
