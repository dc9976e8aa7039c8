//! What is stored of a partition fits together.
//!
//! It is read as it lies on the server; `head.lua` describes it.

use std::collections::{BTreeMap, BTreeSet};

#[path = "stored_groups.rs"]
mod groups;

use groups::Groups;
use kv_core::queue::{JobKey, Partition};
use kv_testbed::{Connection, Reply};

/// The prefix of stores that are made without one of their own.
const PREFIX: &str = "data_fetcher:";

/// What a partition consists of.
pub(crate) const PARTS: [&str; 14] = [
    "control", "jobs", "records", "ready", "timed", "leases", "dead", "unique", "windows", "lanes",
    "grouped", "groups", "wake", "done",
];

/// The field of RECORDS that is no job's.
const NO_JOB: &str = "-";

/// The member that is no lease.
const FILLER: &str = "-----------------------------------------------------------------";

/// The counters of CONTROL.
const COUNTERS: [&str; 9] = [
    "paused",
    "token",
    "sequence",
    "done",
    "cancelled",
    "evicted",
    "largest",
    "turn",
    "plain_turn",
];

/// For each record its job, its number of fields, the unique key, whether there is progress, what
/// stands before the key in READY, and its group.
const RECORDS: &str = "
    local found = {}
    local records = redis.call('HGETALL', KEYS[1])
    for i = 1, #records, 2 do
      if #records[i] == 14 then
        local fields = cmsgpack.unpack(records[i + 1])
        found[#found + 1] = records[i]
        found[#found + 1] = #fields
        found[#found + 1] = fields[1] or ''
        found[#found + 1] = fields[7] and 1 or 0
        local at = string.sub(records[i], 1, 1)
        local place = fields[10] and string.format('%s%013xr%014x', at, fields[10], fields[11])
        found[#found + 1] = place or ''
        found[#found + 1] = fields[12] or ''
      end
    end
    return found";

/// How long the longest body is.
const LONGEST: &str = "
    local longest = 0
    for _, body in ipairs(redis.call('HVALS', KEYS[1])) do
      longest = math.max(longest, #body)
    end
    return longest";

/// A key of a partition.
pub(crate) fn key(partition: &Partition, part: &str) -> String {
    let (prefix, rest) = split(&partition.queue);
    format!("{prefix}!kv:{{{rest}:{}}}:{part}", partition.number)
}

/// The key of a queue's description.
pub(crate) fn description(queue: &str) -> String {
    let (prefix, rest) = split(queue);
    format!("{prefix}!kv:{{{rest}}}:queue")
}

fn split(queue: &str) -> (&str, &str) {
    queue.strip_prefix(PREFIX).map_or(("", queue), |rest| (PREFIX, rest))
}

/// Checks that every index agrees with every body, key and session, and that nothing else is there.
pub(crate) fn check(connection: &mut Connection, partition: &Partition) -> Result<(), String> {
    nothing_else(connection, partition)?;
    check_wake(connection, partition)?;
    let groups = Groups::read(connection, partition)?;
    let stored = Stored::read(connection, partition)?;
    let checks = [
        Stored::check_control,
        Stored::check_sessions,
        Stored::check_jobs,
        Stored::check_leases,
        Stored::check_unique,
    ];
    checks.iter().try_for_each(|check| check(&stored))?;
    groups.check(&stored)
}

/// All keys are those of the queue's partitions, and their types are what they should be.
fn nothing_else(connection: &mut Connection, partition: &Partition) -> Result<(), String> {
    let own = |number| Partition { number, ..partition.clone() };
    let known: BTreeSet<String> = (0..=partition.number.max(1))
        .flat_map(|number| PARTS.map(|part| key(&own(number), part)))
        .chain([description(&partition.queue)])
        .collect();
    let all = texts(&ask(connection, &["KEYS", "*"])?);
    let odd: Vec<_> = all.iter().filter(|key| !known.contains(*key)).collect();
    if odd.is_empty() { Ok(()) } else { Err(format!("keys that nobody declared: {odd:?}")) }
}

/// Members with their scores, in order.
type Members = Vec<(String, String)>;

pub(crate) struct Record {
    fields: String,
    unique: String,
    has_progress: bool,
    /// What stands before the key in READY.
    place: String,
    group: String,
}

struct Stored {
    control: BTreeMap<String, String>,
    jobs: BTreeSet<String>,
    longest: u64,
    /// How many milliseconds CONTROL lives, or -1 for ever.
    lifetime: i64,
    records: BTreeMap<String, Record>,
    checkpoints: BTreeSet<String>,
    pasts: BTreeSet<String>,
    done: Members,
    ready: Members,
    timed: Members,
    leases: Members,
    dead: Members,
    unique: BTreeMap<String, String>,
    windows: Members,
    sessions: Members,
    /// Ready jobs with a group: the group, and the member as READY would have it.
    queued: Vec<(String, String)>,
}

impl Stored {
    fn read(connection: &mut Connection, partition: &Partition) -> Result<Self, String> {
        let key = |part| key(partition, part);
        let mut pairs = |command: &[&str]| ask(connection, command).map(|reply| pairs(&reply));
        let mut members = |part| pairs(&["ZRANGE", &key(part), "0", "-1", "WITHSCORES"]);
        let (ready, timed, leases) = (members("ready")?, members("timed")?, members("leases")?);
        let (dead, windows, sessions) = (members("dead")?, members("windows")?, members("lanes")?);
        let done = members("done")?;
        let control: BTreeMap<_, _> = pairs(&["HGETALL", &key("control")])?.into_iter().collect();
        let unique = pairs(&["HGETALL", &key("unique")])?.into_iter().collect();
        let jobs = texts(&ask(connection, &["HKEYS", &key("jobs")])?).into_iter().collect();
        let lifetime = ask(connection, &["PTTL", &key("control")])?.integer().unwrap_or_default();
        let longest = ask(connection, &["EVAL_RO", LONGEST, "1", &key("jobs")])?.integer();
        let longest = longest.and_then(|it| u64::try_from(it).ok()).ok_or("no longest body")?;
        let found = texts(&ask(connection, &["EVAL_RO", RECORDS, "1", &key("records")])?);
        let fields = texts(&ask(connection, &["HKEYS", &key("records")])?);
        let record = |found: &[String]| {
            let [job, fields, unique, progress, place, group] = found else { return None };
            let (fields, unique, place) = (fields.clone(), unique.clone(), place.clone());
            let (has_progress, group) = (progress == "1", group.clone());
            Some((job.clone(), Record { fields, unique, has_progress, place, group }))
        };
        let queued = Groups::read(connection, partition)?.queued();
        let records: BTreeMap<_, _> = found.chunks(6).filter_map(record).collect();
        let others = fields.into_iter().filter(|field| !records.contains_key(field));
        let others: BTreeSet<_> = others.collect();
        if control.contains_key("format") && !others.contains(NO_JOB) {
            return Err("RECORDS has lost the field that is no job's".into());
        }
        let others = others.into_iter().filter(|field| field != NO_JOB);
        let (pasts, checkpoints) = others.partition(|field| field.ends_with('h'));
        Ok(Self {
            control,
            jobs,
            longest,
            lifetime,
            records,
            checkpoints,
            pasts,
            done,
            ready,
            timed,
            leases,
            dead,
            unique,
            windows,
            sessions,
            queued,
        })
    }

    /// Whether there is nothing but counters.
    fn is_purged(&self) -> bool {
        let sets = [&self.ready, &self.timed, &self.leases, &self.dead, &self.done];
        let sets = sets.into_iter().chain([&self.windows, &self.sessions]);
        let hashes = self.jobs.len() + self.records.len() + self.pasts.len() + self.unique.len();
        let counters = self.control.keys().all(|field| COUNTERS.contains(&field.as_str()));
        counters && hashes + self.queued.len() == 0 && sets.into_iter().all(Vec::is_empty)
    }

    fn number(&self, counter: &str) -> Result<u64, String> {
        let Some(text) = self.control.get(counter) else { return Ok(0) };
        decimal(text).ok_or_else(|| format!("{counter} is {text:?}"))
    }

    /// The format is known, the counters are numbers, and there is nothing else but sessions.
    fn check_control(&self) -> Result<(), String> {
        if self.control.is_empty() {
            return Ok(());
        }
        COUNTERS.iter().try_for_each(|counter| self.number(counter).map(drop))?;
        if self.longest > self.number("largest")? {
            return Err(format!("a body has {} bytes", self.longest));
        }
        let is_known = match self.control.get("format") {
            Some(format) => ["3", "4"].contains(&format.as_str()) && self.lifetime == -1,
            None => self.lifetime > 0 && self.is_purged(),
        };
        if !is_known {
            return Err(format!("{:?} for {} ms", self.control, self.lifetime));
        }
        let known = |field: &str| {
            ["format", "marks"].contains(&field)
                || COUNTERS.contains(&field)
                || field.starts_with("lane:")
        };
        match self.control.keys().find(|field| !known(field)) {
            Some(odd) => Err(format!("CONTROL has {odd:?}")),
            None => Ok(()),
        }
    }

    /// Each session is readable and is forgotten at the time that it says.
    fn check_sessions(&self) -> Result<(), String> {
        let sessions = self.control.iter().filter(|(field, _)| field.starts_with("lane:"));
        let mut until: Vec<(String, String)> = Vec::new();
        for (session, record) in sessions {
            let mut words = record.splitn(3, ' ');
            let mut next = || words.next().unwrap_or_default();
            let (request, kept, reply) = (next(), next(), next());
            if decimal(request).is_none() || decimal(kept).is_none() || !is_reply(reply) {
                return Err(format!("{session} remembers {record:?}"));
            }
            until.push((session.clone(), kept.to_owned()));
        }
        let mut sessions = self.sessions.clone();
        sessions.sort();
        if sessions == until {
            Ok(())
        } else {
            Err(format!("SESSIONS is {sessions:?} for {until:?}"))
        }
    }

    /// Each job is in one set and has a body; what else is stored of jobs is of these.
    fn check_jobs(&self) -> Result<(), String> {
        let mut placed = BTreeSet::new();
        let leased = self.leases.iter().filter(|(member, _)| member != FILLER);
        let leased = leased.map(|(member, _)| member.split(':').next().unwrap_or_default());
        let others = [&self.timed, &self.dead].into_iter().flatten();
        let others = others.map(|(member, _)| member.as_str()).chain(leased);
        let ready = self.ready.iter().map(|(member, _)| job_of(member));
        let ready = ready.chain(self.queued.iter().map(|(_, member)| job_of(member)));
        for job in ready.chain(others) {
            let parsed: JobKey = job.parse().map_err(|_| format!("{job:?} is no job"))?;
            if parsed.sequence() > self.number("sequence")? {
                return Err(format!("{job} was never given"));
            }
            if !placed.insert(job.to_owned()) {
                return Err(format!("{job} is in two places"));
            }
        }
        if let Some((job, score)) = self.ready.iter().find(|(_, score)| score != "0") {
            return Err(format!("{job} is ready at {score}"));
        }
        self.check_places()?;
        if placed != self.jobs {
            let odd: Vec<_> = placed.symmetric_difference(&self.jobs).take(5).collect();
            return Err(format!("jobs in the sets and bodies do not fit: {odd:?}"));
        }
        self.check_records()
    }

    /// Each ready job is at the place that its record says.
    fn check_places(&self) -> Result<(), String> {
        let ready = self.ready.iter().map(|(member, _)| ("", member));
        let queued = self.queued.iter().map(|(group, member)| (group.as_str(), member));
        for (own, member) in ready.chain(queued) {
            let job = job_of(member);
            let record = self.records.get(job);
            let place = record.map_or("", |record| &record.place);
            let group = record.map_or("", |record| &record.group);
            if *member != format!("{place}{job}") || own != group {
                return Err(format!("{member} is not at its place, {place:?}"));
            }
        }
        Ok(())
    }

    fn is_done(&self, job: &str) -> bool {
        self.done.iter().any(|(done, _)| done == job)
    }

    /// Each record, checkpoint and past is of a job, and who has progress has a checkpoint. A done
    /// job has neither a body nor a unique key, and may have a value in place of its checkpoint.
    fn check_records(&self) -> Result<(), String> {
        if let Some((job, _)) = self.done.iter().find(|(job, _)| self.jobs.contains(job)) {
            return Err(format!("{job} is done and has a body"));
        }
        let without_record =
            |past: &&String| !self.records.contains_key(past.trim_end_matches('h'));
        if let Some(past) = self.pasts.iter().find(without_record) {
            return Err(format!("{past} is of no job with a record"));
        }
        for (job, record) in &self.records {
            let fields = match (record.group.is_empty(), record.place.is_empty()) {
                (false, _) => "12",
                (true, false) => "11",
                (true, true) => "9",
            };
            let is_there = self.jobs.contains(job) || self.is_done(job) && record.unique.is_empty();
            if record.fields != fields || !is_there {
                return Err(format!("{job} has a record of {} fields", record.fields));
            }
        }
        let with_progress = self.records.iter().filter(|(_, record)| record.has_progress);
        let live = with_progress.filter(|(job, _)| !self.is_done(job));
        let expected: BTreeSet<_> = live.map(|(job, _)| format!("{job}c")).collect();
        let found =
            self.checkpoints.iter().filter(|it| !self.is_done(it.get(..14).unwrap_or_default()));
        let found: BTreeSet<_> = found.cloned().collect();
        if expected == found {
            return Ok(());
        }
        let odd: Vec<_> = expected.symmetric_difference(&found).take(5).collect();
        Err(format!("RECORDS has checkpoints for nothing, or lost some: {odd:?}"))
    }

    /// Each lease is under a token that was given, and one long member keeps the set large.
    fn check_leases(&self) -> Result<(), String> {
        let last = self.number("token")?;
        let (fillers, leases): (Vec<_>, Vec<_>) =
            self.leases.iter().partition(|(member, _)| member == FILLER);
        let tokens = leases.iter().map(|(member, _)| member.split_once(':'));
        let is_good =
            |token: Option<(&str, &str)>| decimal(token?.1).filter(|token| *token <= last);
        if let Some(odd) = tokens.clone().position(|token| is_good(token).is_none()) {
            return Err(format!("{:?} is no lease up to {last}", leases.get(odd)));
        }
        let scores: Vec<_> = fillers.iter().map(|(_, score)| score.as_str()).collect();
        if scores == ["inf"] || !self.control.contains_key("format") && self.leases.is_empty() {
            return Ok(());
        }
        Err(format!("the long member of LEASES is there at {scores:?}"))
    }

    /// Each window is of a unique key, each unique key of a job, and who holds one while it lives
    /// does hold it.
    fn check_unique(&self) -> Result<(), String> {
        if let Some((window, _)) = self.windows.iter().find(|(it, _)| !self.unique.contains_key(it))
        {
            return Err(format!("a window for {window:?}, which nobody holds"));
        }
        if let Some(holder) = self.unique.values().find(|it| it.parse::<JobKey>().is_err()) {
            return Err(format!("{holder:?} holds a unique key"));
        }
        let holders = self.records.iter().filter(|(_, record)| !record.unique.is_empty());
        for (job, record) in holders {
            if self.unique.get(&record.unique) != Some(job) {
                return Err(format!("{job} lost its unique key {}", record.unique));
            }
        }
        Ok(())
    }
}

/// Where something is claimable a wake-up is on its way, and never more than one.
pub(crate) fn check_wake(connection: &mut Connection, partition: &Partition) -> Result<(), String> {
    let key = |part| key(partition, part);
    let mut number = |command: &[&str]| {
        let reply = ask(connection, command)?.text().unwrap_or_default();
        Ok::<_, String>(reply.parse().unwrap_or(0))
    };
    let ready: u64 = number(&["ZCARD", &key("ready")])?;
    let ring: u64 = number(&["ZLEXCOUNT", &key("grouped"), "[r", "(s"])?;
    let ready = ready + ring;
    let paused = number(&["HGET", &key("control"), "paused"])?;
    let wake = number(&["LLEN", &key("wake")])?;
    if wake > 1 || ready > 0 && paused == 0 && wake == 0 {
        return Err(format!("{wake} wake-ups for {ready} jobs"));
    }
    Ok(())
}

/// Whether it is what a session remembers of a submit or an exchange.
fn is_reply(reply: &str) -> bool {
    let keys = |text: &str| text.len().is_multiple_of(14) && text.bytes().all(is_hex);
    if let Some(replies) = reply.strip_prefix('S') {
        let is_job = |one: &[u8]| matches!(one, [b'a' | b'd', key @ ..] if key.len() == 14);
        return replies.as_bytes().chunks(15).all(is_job);
    }
    let Some(exchanged) = reply.strip_prefix('E') else { return false };
    let parts: Vec<_> = exchanged.split(' ').collect();
    let [acks, operations, token, due, claimed] = parts[..] else { return false };
    let letters = |text: &str| text.bytes().all(|letter| b"abcs".contains(&letter));
    let is_due = ["-1", "-2"].contains(&due) || decimal(due).is_some();
    letters(acks) && letters(operations) && decimal(token).is_some() && is_due && keys(claimed)
}

/// The job of a member of READY.
fn job_of(member: &str) -> &str {
    member.get(member.len().saturating_sub(14)..).unwrap_or_default()
}

fn is_hex(digit: u8) -> bool {
    digit.is_ascii_hexdigit() && !digit.is_ascii_uppercase()
}

/// A number in its one spelling.
fn decimal(text: &str) -> Option<u64> {
    text.parse().ok().filter(|number: &u64| number.to_string() == text)
}

pub(crate) fn ask(connection: &mut Connection, command: &[&str]) -> Result<Reply, String> {
    match connection.command(command).map_err(|error| error.to_string())? {
        Reply::Error(error) => Err(format!("{}: {error}", command[0])),
        reply => Ok(reply),
    }
}

fn texts(reply: &Reply) -> Vec<String> {
    let Reply::Array(parts) = reply else { return Vec::new() };
    parts.iter().filter_map(Reply::text).collect()
}

fn pairs(reply: &Reply) -> Vec<(String, String)> {
    let texts = texts(reply);
    let pair = |pair: &[String]| Some((pair.first()?.clone(), pair.get(1)?.clone()));
    texts.chunks(2).filter_map(pair).collect()
}
