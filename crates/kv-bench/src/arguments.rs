//! The command line.

use std::path::PathBuf;

use crate::Result;
use crate::model::Settings;

/// Rounds unless told otherwise.
const ROUNDS: usize = 7;

/// What is to be done, and how.
#[derive(Debug)]
pub(crate) struct Arguments {
    pub(crate) verb: Verb,
    pub(crate) settings: Settings,
    pub(crate) peers: Peers,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Verb {
    Store,
    Queue,
    /// Writes the page from the files of the last runs.
    Report,
    /// Takes a job and holds it until killed; a part of the gate.
    HoldJob {
        url: String,
    },
    /// Writes to a SQLite file until killed; a part of the scenarios on one.
    WriteFile {
        path: String,
    },
    /// Opens a SQLite file and tells what that took.
    OpenFile {
        path: String,
    },
}

/// Where the peers' programs are, as far as they are there.
#[derive(Debug, Default)]
pub(crate) struct Peers {
    /// The program of the Rust peers.
    pub(crate) rust: Option<PathBuf>,
    /// The script of the Node peers, beside its packages.
    pub(crate) node: Option<PathBuf>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self> {
        let verb = match words.next().as_deref() {
            Some("store") => Verb::Store,
            Some("queue") => Verb::Queue,
            Some("report") => Verb::Report,
            Some("hold-job") => Verb::HoldJob { url: value("hold-job", words.next())? },
            Some("write-file") => Verb::WriteFile { path: value("write-file", words.next())? },
            Some("open-file") => Verb::OpenFile { path: value("open-file", words.next())? },
            Some(other) => {
                return Err(format!("no verb `{other}`; expected store, queue or report").into());
            }
            None => return Err("no verb; expected store, queue or report".into()),
        };
        let settings = Settings {
            rounds: ROUNDS,
            quick: false,
            only: Vec::new(),
            stored: Settings::default_stored(),
        };
        let mut parsed = Self { verb, settings, peers: Peers::default() };
        while let Some(word) = words.next() {
            parsed.option(&word, &mut words)?;
        }
        Ok(parsed)
    }

    fn option(&mut self, word: &str, words: &mut impl Iterator<Item = String>) -> Result<()> {
        match word {
            "--quick" => self.settings.quick = true,
            "--rounds" => self.settings.rounds = rounds(&value(word, words.next())?)?,
            "--stored" => self.settings.stored = stored(&value(word, words.next())?)?,
            "--only" => {
                let names = value(word, words.next())?;
                self.settings.only.extend(names.split(',').map(str::to_owned));
            }
            "--rust-peers" => self.peers.rust = Some(value(word, words.next())?.into()),
            "--node-peers" => self.peers.node = Some(value(word, words.next())?.into()),
            other => return Err(format!("no option `{other}`").into()),
        }
        Ok(())
    }
}

impl Settings {
    /// Whether a scenario is to be run.
    pub(crate) fn wants(&self, scenario: &str) -> bool {
        self.only.is_empty() || self.only.iter().any(|name| name == scenario)
    }

    /// Fails for a name that is no scenario.
    pub(crate) fn check(&self, scenarios: &[&str]) -> Result<()> {
        let unknown = self.only.iter().find(|name| !scenarios.contains(&name.as_str()));
        unknown.map_or(Ok(()), |name| {
            Err(format!("no scenario `{name}`; expected of: {}", scenarios.join(", ")).into())
        })
    }

    /// As many keys or jobs as take seconds to write.
    pub(crate) const fn default_stored() -> u64 {
        100_000
    }

    /// A number of jobs or operations: a tenth, where it has to be quick.
    pub(crate) const fn size(&self, full: u64) -> u64 {
        if self.quick { full / 10 } else { full }
    }
}

fn value(option: &str, value: Option<String>) -> Result<String> {
    value.ok_or_else(|| format!("{option} has no value").into())
}

fn rounds(text: &str) -> Result<usize> {
    let rounds = text.parse().ok().filter(|rounds| (1..=99).contains(rounds));
    rounds.ok_or_else(|| format!("--rounds `{text}`; expected 1 to 99").into())
}

fn stored(text: &str) -> Result<u64> {
    let stored = text.parse().ok().filter(|stored| (10_000..=10_000_000).contains(stored));
    stored.ok_or_else(|| format!("--stored `{text}`; expected 10000 to 10000000").into())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Arguments> {
        Arguments::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_run_has_seven_rounds_of_everything_unless_told_otherwise() {
        let settings = parse("queue").unwrap().settings;
        assert!(settings.rounds == 7 && !settings.quick && settings.wants("bulk"));
        let settings = parse("queue --only process,bulk --rounds 3 --quick").unwrap().settings;
        assert!(settings.rounds == 3 && settings.wants("bulk") && !settings.wants("idle"));
        assert_eq!(settings.size(1_000), 100);
        assert_eq!(
            (settings.stored, parse("store --stored 1000000").unwrap().settings.stored),
            (100_000, 1_000_000)
        );
    }

    #[test]
    fn nonsense_is_refused_by_its_name() {
        for (line, named) in [
            ("", "no verb"),
            ("qeue", "`qeue`"),
            ("queue --round 3", "`--round`"),
            ("queue --rounds none", "`none`"),
            ("queue --rounds", "--rounds has no value"),
            ("store --stored 7", "`7`"),
        ] {
            assert!(parse(line).unwrap_err().to_string().contains(named), "{line}");
        }
        let settings = parse("queue --only blk").unwrap().settings;
        assert!(settings.check(&["bulk"]).unwrap_err().to_string().contains("`blk`"));
    }
}
