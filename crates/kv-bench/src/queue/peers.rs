//! Other queues on Redis at the same jobs, each in a process of its own.

use std::ffi::OsString;
use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdout, Command};
use tokio::time::timeout;

use super::ours::{Add, How, Kind, Process};
use crate::Result;
use crate::arguments::Peers;
use crate::contest::Plan;
use crate::model::{Settings, Target, Tier};
use crate::payload::{BATCH, SMALL, Tally};
use crate::server::Bed;
use crate::work::{JOBS_A_SECOND, Turns, Work};

pub(crate) const SCENARIO: &str = "peers";
const OURS: &str = "kv-queue";

/// Far longer than any turn takes.
const LIMIT: Duration = Duration::from_secs(120);

/// One of the other queues.
struct Peer {
    /// As it is called on the page: first what its program is told, then a version.
    name: &'static str,
    runs_on_node: bool,
    tier: Tier,
    process: Part,
    add: Option<Part>,
}

/// One thing that a peer does.
struct Part {
    /// How.
    about: &'static str,
    /// Its jobs a turn: about as many as it does in a second.
    jobs: u64,
    /// How many times as fast the library is to be.
    target: Option<f64>,
}

const fn part(about: &'static str, jobs: u64) -> Part {
    Part { about, jobs, target: None }
}

impl Part {
    const fn target(self, times: f64) -> Self {
        Self { target: Some(times), ..self }
    }
}

const PEERS: [Peer; 6] = [
    Peer {
        name: "bullmq-official 1.4.4",
        runs_on_node: false,
        tier: Tier::Fenced,
        process: part("`Worker`, which removes done jobs", 5_000),
        add: Some(part("`Queue::add_bulk`", 10_000)),
    },
    Peer {
        name: "bullmq 6.7.0",
        runs_on_node: true,
        tier: Tier::Fenced,
        process: part("on Node: `Worker`, which removes done jobs", 8_000).target(8.0),
        add: Some(part("on Node: `Queue.addBulk`", 15_000).target(10.0)),
    },
    Peer {
        name: "apalis-redis 1.0.0",
        runs_on_node: false,
        tier: Tier::CrashSafe,
        process: part("`lock_tasks`; above about 8,000 due jobs it stops for good", 7_000)
            .target(8.0),
        add: Some(part("`push_bulk`", 7_000)),
    },
    Peer {
        name: "rsmq_async 18.0.0",
        runs_on_node: false,
        tier: Tier::CrashSafe,
        process: part("`receive_message`, `delete_message`", 20_000).target(2.5),
        add: Some(part("`send_message_batch`", 50_000)),
    },
    Peer {
        name: "rsmq_async-batch 18.0.0",
        runs_on_node: false,
        tier: Tier::CrashSafe,
        process: part(
            "two loops that share the tasks: `receive_message_batch`, `delete_message` for all at once",
            20_000,
        ),
        add: None,
    },
    Peer {
        name: "bee-queue 2.0.0",
        runs_on_node: true,
        tier: Tier::CrashSafe,
        process: part("on Node: `Queue.process`, which removes done jobs", 15_000),
        add: Some(part("on Node: `Queue.saveAll`", 40_000)),
    },
];

/// All contests of the scenario.
pub(crate) fn plans(bed: &Arc<Bed>, settings: &Settings, programs: &Peers) -> Vec<Plan> {
    let mut plans: Vec<Plan> =
        [100, 10, 1].map(|tasks| processing(bed, settings, programs, tasks)).into();
    plans.push(adding(bed, settings, programs));
    plans
}

/// What is not there, and why.
pub(crate) fn missing(programs: &Peers) -> Vec<String> {
    let gone = PEERS.iter().filter(|peer| program(peer, programs).is_none());
    gone.map(|peer| format!("{}: its program is not there", peer.name)).collect()
}

fn processing(bed: &Arc<Bed>, settings: &Settings, programs: &Peers, tasks: usize) -> Plan {
    // One at a time is about five times slower.
    let share = |jobs: u64| settings.size(if tasks == 1 { jobs / 5 } else { jobs });
    let ours = Process { how: How::Worker, kind: Kind::Plain, tasks, bytes: SMALL };
    let ours = Turns::new(bed, ours, share(100_000));
    let name = format!("process beside peers, {tasks} at a time");
    let about = format!("Handlers that do nothing, {tasks} at a time, {SMALL} B a job.");
    let how = format!("`Worker::concurrency({tasks})`");
    let mut plan =
        Plan::new(SCENARIO, &name, &about, JOBS_A_SECOND).enter(OURS, Tier::Fenced, &how, ours);
    for peer in &PEERS {
        let jobs = share(peer.process.jobs);
        plan =
            enter(plan, bed, programs, peer, &peer.process, Doing { verb: "process", tasks, jobs });
    }
    plan
}

fn adding(bed: &Arc<Bed>, settings: &Settings, programs: &Peers) -> Plan {
    let tasks = 4;
    let ours = Add { kind: Kind::Plain, batch: BATCH, tasks, bytes: SMALL };
    let ours = Turns::new(bed, ours, settings.size(100_000));
    let about = format!("{tasks} tasks, {BATCH} jobs a call, {SMALL} B a job.");
    let mut plan = Plan::new(SCENARIO, "add beside peers", &about, JOBS_A_SECOND).enter(
        OURS,
        Tier::Fenced,
        "`enqueue_many`",
        ours,
    );
    for peer in &PEERS {
        let Some(part) = &peer.add else { continue };
        let jobs = settings.size(part.jobs);
        plan = enter(plan, bed, programs, peer, part, Doing { verb: "add", tasks, jobs });
    }
    plan
}

/// Adds a peer to a contest, if its program is there.
fn enter(
    plan: Plan,
    bed: &Arc<Bed>,
    programs: &Peers,
    peer: &Peer,
    part: &Part,
    doing: Doing,
) -> Plan {
    let Some(command) = program(peer, programs) else { return plan };
    let jobs = doing.jobs;
    let turns = Turns::new(bed, Other { command, name: peer.name, doing }, jobs);
    let plan = plan.enter(peer.name, peer.tier, part.about, turns);
    // The targets are for many at a time.
    match part.target {
        Some(times) if doing.tasks != 10 && doing.tasks != 1 => {
            plan.target(Target::at_least(times, OURS, peer.name, JOBS_A_SECOND))
        }
        _ => plan,
    }
}

/// The command that starts a peer, if it is there.
fn program(peer: &Peer, programs: &Peers) -> Option<Vec<OsString>> {
    if peer.runs_on_node {
        programs.node.as_ref().map(|script| vec!["node".into(), script.into()])
    } else {
        programs.rust.as_ref().map(|program| vec![program.into()])
    }
}

/// A peer's work, done by its program: it is told the name, the port, the verb, how many jobs, how
/// many at a time, and the size of a payload; says `ready`; begins at a line; and says `done`, the
/// seconds, and the tally's three numbers, the last two of which are zero where jobs were added.
struct Other {
    command: Vec<OsString>,
    name: &'static str,
    doing: Doing,
}

/// What a peer is told to do.
#[derive(Clone, Copy)]
struct Doing {
    verb: &'static str,
    tasks: usize,
    jobs: u64,
}

/// A peer's process.
struct Running {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    tally: [u64; 3],
}

#[async_trait]
impl Work for Other {
    type Ready = Running;

    fn takes_memory(&self) -> bool {
        self.doing.verb == "add"
    }

    async fn prepare(&self, bed: &Bed, jobs: u64) -> Result<Running> {
        let (program, rest) = self.command.split_first().ok_or("no program")?;
        let peer = self.name.split(' ').next().unwrap_or_default();
        let numbers = [u64::from(bed.port()), jobs, self.doing.tasks as u64, SMALL as u64];
        let [port, jobs, tasks, bytes] = numbers.map(|number| number.to_string());
        let mut child = Command::new(program)
            .args(rest)
            .args([peer, &port, self.doing.verb, &jobs, &tasks, &bytes])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()?;
        let output = child.stdout.take().ok_or("the peer has no output")?;
        let lines = BufReader::new(output).lines();
        let mut running = Running { child, lines, tally: [0; 3] };
        running.hear("ready").await?;
        Ok(running)
    }

    async fn run(&self, running: &mut Running) -> Result<Option<Duration>> {
        let input = running.child.stdin.as_mut().ok_or("the peer has no input")?;
        input.write_all(b"go\n").await?;
        let said = running.hear("done").await?;
        let mut words = said.split(' ');
        let seconds: f64 = words.next().unwrap_or_default().parse()?;
        for number in &mut running.tally {
            *number = words.next().unwrap_or_default().parse()?;
        }
        Ok(Some(Duration::from_secs_f64(seconds)))
    }

    async fn check(&self, _: &Bed, mut running: Running, jobs: u64) -> Result<()> {
        let ended = timeout(LIMIT, running.child.wait()).await??;
        if !ended.success() {
            return Err(format!("the peer ended with {ended}").into());
        }
        let [count, sum, squares] = running.tally;
        if self.doing.verb == "add" {
            return if count == jobs { Ok(()) } else { Err(format!("{count} of {jobs}").into()) };
        }
        let tally = Tally::default();
        tally.add(count, sum, squares);
        tally.check(jobs)
    }
}

impl Running {
    /// Waits for a line that begins with this word; the rest of it.
    async fn hear(&mut self, word: &str) -> Result<String> {
        let heard = async {
            while let Some(line) = self.lines.next_line().await? {
                if let Some(rest) = line.strip_prefix(word) {
                    return Ok(rest.trim_start().to_owned());
                }
            }
            Err(format!("the peer ended without saying `{word}`").into())
        };
        timeout(LIMIT, heard).await.map_err(|_| format!("the peer does not say `{word}`"))?
    }
}
