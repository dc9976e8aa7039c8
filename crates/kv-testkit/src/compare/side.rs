//! One of the two stores, as one sequence uses it.

use std::collections::BTreeSet;
use std::sync::Arc;

use kv_core::{
    Bytes, Command, Condition, Cursor, Error, ErrorKind, KeyValueStore, Outcome, Pattern, Reply,
    Result, ScanRequest, Version, Write,
};

use super::operation::{KEYS, Key, Operation, Text, Verb, When};
use crate::{Trial, answer};

/// How many versions of a key are remembered.
const REMEMBERED: usize = 4;
/// The most pages of one scan.
const MAX_PAGES: usize = 10_000;

/// The handles of a store, and the versions that were seen through them.
pub(super) struct Side {
    /// Used by turns.
    stores: Vec<Arc<dyn KeyValueStore>>,
    turn: usize,
    /// Whether the exact time left is told: not between whole milliseconds, where backends may
    /// differ by one.
    exact: bool,
    prefix: String,
    keys: Vec<String>,
    seen: [Vec<Version>; KEYS.len()],
}

/// What an operation was answered, and the replies to its commands.
pub(super) struct Answer {
    pub(super) text: String,
    pub(super) replies: Vec<Result<Reply>>,
}

impl Side {
    pub(super) fn new(trial: &Trial<'_>, prefix: &str, exact: bool) -> Self {
        let keys = KEYS.iter().map(|key| [prefix, key].concat()).collect();
        let prefix = prefix.to_owned();
        let mut side =
            Self { stores: Vec::new(), turn: 0, exact, prefix, keys, seen: Default::default() };
        side.take_hold(trial);
        side
    }

    /// Gives up the handles.
    pub(super) fn let_go(&mut self) {
        self.stores.clear();
    }

    /// Takes the handles of this store. The versions that were seen stay: they outlive a reopen.
    pub(super) fn take_hold(&mut self, trial: &Trial<'_>) {
        let handles = [Some(trial.store()), trial.another()];
        self.stores = handles.into_iter().flatten().map(Arc::clone).collect();
    }

    fn store(&self) -> Result<&Arc<dyn KeyValueStore>> {
        let turn = self.turn.checked_rem(self.stores.len()).unwrap_or(0);
        self.stores.get(turn).ok_or_else(|| Error::new(ErrorKind::Backend, "no handle"))
    }

    /// Removes what the sequence left.
    pub(super) async fn clean_up(&self) -> Result<()> {
        let keys: Vec<&str> = self.keys.iter().map(String::as_str).collect();
        self.store()?.delete_many(&keys).await.map(drop)
    }

    pub(super) async fn apply(&mut self, operation: &Operation) -> Answer {
        self.turn = self.turn.wrapping_add(1);
        match self.ask(operation).await {
            Ok(answer) => answer,
            Err(error) => Answer { text: format!("{:?}", error.kind()), replies: Vec::new() },
        }
    }

    async fn ask(&mut self, operation: &Operation) -> Result<Answer> {
        let text = match operation {
            Operation::One(key, verb) => {
                let reply = one(self.store()?, self.command(*key, verb)).await;
                return Ok(self.learn(&[(*key, verb.clone())], vec![reply]));
            }
            Operation::Batch(commands) => {
                let replies = self.store()?.execute(self.batch(commands)).await?;
                return Ok(self.learn(commands, replies));
            }
            Operation::GetMany(keys) => {
                let entries = self.store()?.get_many(&self.names(&keys.0)).await?;
                let entries = entries.iter().map(|entry| answer::value(entry.as_ref()));
                entries.collect::<Vec<_>>().join(", ")
            }
            Operation::SetMany(pairs, lifetime) => {
                let named = |(key, value): &(Key, Text)| (self.name(*key), value.0.clone().into());
                let pairs: Vec<(String, Bytes)> = pairs.0.iter().map(named).collect();
                self.store()?.set_many(pairs, *lifetime).await?;
                "done".to_owned()
            }
            Operation::DeleteMany(keys) => {
                self.store()?.delete_many(&self.names(&keys.0)).await?.to_string()
            }
            Operation::Scan(rest) => format!("{:?}", self.scan(rest).await?),
        };
        Ok(Answer { text, replies: Vec::new() })
    }

    fn name(&self, key: Key) -> String {
        self.keys.get(key).cloned().unwrap_or_default()
    }

    fn names(&self, keys: &[Key]) -> Vec<&str> {
        keys.iter().filter_map(|key| self.keys.get(*key)).map(String::as_str).collect()
    }

    fn condition(&self, key: Key, when: When) -> Condition {
        match when {
            When::Always => Condition::Always,
            When::Absent => Condition::Absent,
            When::Present => Condition::Present,
            When::Seen(ago) => {
                let seen = self.seen.get(key).and_then(|seen| seen.iter().rev().nth(ago));
                seen.map_or(Condition::Absent, |version| Condition::Version(version.clone()))
            }
        }
    }

    fn command(&self, number: Key, verb: &Verb) -> Command {
        let key = self.name(number);
        match verb.clone() {
            Verb::Get => Command::Get { key },
            Verb::Set { value, lifetime, when } => {
                let write = Write { lifetime, condition: self.condition(number, when) };
                Command::Set { key, value: value.0.into(), write }
            }
            Verb::Delete { when } => {
                Command::Delete { key, condition: self.condition(number, when) }
            }
            Verb::Exists => Command::Exists { key },
            Verb::Ttl => Command::Ttl { key },
            Verb::Touch { lifetime } => Command::Touch { key, lifetime },
            Verb::Take => Command::Take { key },
            Verb::Increment { by, lifetime } => Command::Increment { key, by, lifetime },
        }
    }

    fn batch(&self, commands: &[(Key, Verb)]) -> Vec<Command> {
        let command = |(number, (key, verb)): (usize, &(Key, Verb))| {
            let mut earlier = commands.iter().take(number);
            let touched = earlier.any(|(k, verb)| k == key && matches!(verb, Verb::Touch { .. }));
            self.command(*key, &if touched { verb.without_version() } else { verb.clone() })
        };
        commands.iter().enumerate().map(command).collect()
    }

    /// Remembers the versions in the replies.
    fn learn(&mut self, commands: &[(Key, Verb)], replies: Vec<Result<Reply>>) -> Answer {
        for ((key, verb), reply) in commands.iter().zip(&replies) {
            let Some(seen) = self.seen.get_mut(*key) else { continue };
            match reply {
                Ok(Reply::Entry(Some(entry))) => seen.push(entry.version.clone()),
                Ok(Reply::Outcome(Outcome::Written(version))) => seen.push(version.clone()),
                _ => {}
            }
            if matches!(verb, Verb::Touch { .. }) {
                seen.clear();
            }
            seen.drain(..seen.len().saturating_sub(REMEMBERED));
        }
        let told = if self.exact { answer::told } else { answer::told_roughly };
        let texts: Vec<String> = replies.iter().map(told).collect();
        Answer { text: texts.join(", "), replies }
    }

    async fn scan(&self, rest: &str) -> Result<BTreeSet<String>> {
        let pattern = Pattern::within(&self.prefix, rest)?;
        let (mut keys, mut cursor) = (BTreeSet::new(), None::<Cursor>);
        for _ in 0..MAX_PAGES {
            let request = ScanRequest { pattern: &pattern, cursor: cursor.as_ref(), limit: 1_000 };
            let page = self.store()?.scan(request).await?;
            keys.extend(page.keys);
            cursor = page.next;
            if cursor.is_none() {
                return Ok(keys);
            }
        }
        Err(Error::new(ErrorKind::Backend, "the scan has no end"))
    }
}

/// A command by the method of the same name.
async fn one(store: &Arc<dyn KeyValueStore>, command: Command) -> Result<Reply> {
    Ok(match command {
        Command::Get { key } => Reply::Entry(store.get(&key).await?),
        Command::Set { key, value, write } => Reply::Outcome(store.set(&key, value, write).await?),
        Command::Delete { key, condition } => Reply::Flag(store.delete(&key, condition).await?),
        Command::Exists { key } => Reply::Flag(store.exists(&key).await?),
        Command::Ttl { key } => Reply::Remaining(store.ttl(&key).await?),
        Command::Touch { key, lifetime } => Reply::Flag(store.touch(&key, lifetime).await?),
        Command::Take { key } => Reply::Entry(store.take(&key).await?),
        Command::Increment { key, by, lifetime } => {
            Reply::Number(store.increment(&key, by, lifetime).await?)
        }
        _ => return Err(Error::unsupported("a command that the comparison does not know")),
    })
}
