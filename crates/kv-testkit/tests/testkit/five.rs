//! A store of five methods passes the whole suite, whatever it declares.

mod gap;

use std::collections::BTreeMap;
use std::ops::Bound;
use std::process::Command;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kv_core::{
    BoxError, Bytes, Capabilities, Clock, Condition, Cursor, Entry, Error, ErrorKind,
    KeyValueStore, Lifetime, Outcome, Remaining, Result, ScanPage, ScanRequest, Version, Write,
    async_trait, refuse_conditions,
};
use kv_testkit::{Backend, ManualClock};

#[derive(Default)]
struct Contents {
    writes: u64,
    /// The time of the last sweep.
    swept: Duration,
    records: BTreeMap<String, Record>,
}

struct Record {
    value: Bytes,
    version: u64,
    /// By the clock's time.
    ends: Option<Duration>,
}

/// The five required methods and what they declare: all that a plugin has to bring.
pub(crate) struct FiveMethods {
    declared: Capabilities,
    clock: ManualClock,
    contents: Mutex<Contents>,
}

impl FiveMethods {
    /// The contents, without what has expired.
    fn contents(&self) -> MutexGuard<'_, Contents> {
        let mut contents = self.contents.lock().unwrap_or_else(PoisonError::into_inner);
        let now = self.clock.now();
        if contents.swept != now {
            contents.swept = now;
            contents.records.retain(|_, record| record.ends.is_none_or(|ends| ends > now));
        }
        contents
    }

    /// What is not declared is refused.
    fn check(&self, condition: &Condition) -> Result<()> {
        let declared = self.declared.contains(Capabilities::CONDITIONS);
        if declared { Ok(()) } else { refuse_conditions(condition) }
    }
}

fn meets(record: Option<&Record>, condition: &Condition) -> bool {
    match condition {
        Condition::Always => true,
        Condition::Absent => record.is_none(),
        Condition::Present => record.is_some(),
        Condition::Version(version) => {
            record.is_some_and(|record| Version::from_number(record.version) == *version)
        }
    }
}

#[async_trait]
impl KeyValueStore for FiveMethods {
    async fn get(&self, key: &str) -> Result<Option<Entry>> {
        Ok(self.contents().records.get(key).map(|record| Entry {
            value: record.value.clone(),
            version: Version::from_number(record.version),
        }))
    }

    async fn set(&self, key: &str, value: Bytes, write: Write) -> Result<Outcome> {
        self.check(&write.condition)?;
        let lifetime = write.lifetime.as_millis()?;
        if lifetime.is_some() && !self.declared.contains(Capabilities::TTL) {
            return Err(Error::unsupported("time to live"));
        }
        let mut contents = self.contents();
        let old = contents.records.get(key);
        if !meets(old, &write.condition) {
            return Ok(Outcome::ConditionFailed);
        }
        let kept = old.and_then(|record| record.ends);
        let ends = match write.lifetime {
            Lifetime::Keep => kept,
            _ => lifetime.map(|ms| self.clock.now() + Duration::from_millis(ms)),
        };
        contents.writes += 1;
        let version = contents.writes;
        contents.records.insert(key.to_owned(), Record { value, version, ends });
        Ok(Outcome::Written(Version::from_number(version)))
    }

    async fn delete(&self, key: &str, condition: Condition) -> Result<bool> {
        self.check(&condition)?;
        let mut contents = self.contents();
        let met = meets(contents.records.get(key), &condition);
        Ok(met && contents.records.remove(key).is_some())
    }

    async fn ttl(&self, key: &str) -> Result<Option<Remaining>> {
        let ends = self.contents().records.get(key).map(|record| record.ends);
        let left = |ends| {
            let left: Duration = ends - self.clock.now();
            let millis = left.as_nanos().div_ceil(1_000_000);
            Remaining::Expires(Duration::from_millis(u64::try_from(millis).unwrap()))
        };
        Ok(ends.map(|ends| ends.map_or(Remaining::Forever, left)))
    }

    async fn scan(&self, request: ScanRequest<'_>) -> Result<ScanPage> {
        let after = match request.cursor.map(|cursor| cursor.as_str().strip_prefix("after ")) {
            None => Bound::Unbounded,
            Some(Some(key)) => Bound::Excluded(key.to_owned()),
            Some(None) => return Err(Error::new(ErrorKind::InvalidKey, "a foreign cursor")),
        };
        let contents = self.contents();
        let mut rest = contents.records.range((after, Bound::Unbounded)).map(|(key, _)| key);
        let page: Vec<&String> = rest.by_ref().take(request.limit.max(1)).collect();
        let last = page.last().filter(|_| rest.next().is_some());
        let next = last.map(|key| Cursor::new(format!("after {key}")));
        let matching = page.into_iter().filter(|key| request.pattern.matches(key));
        Ok(ScanPage { keys: matching.cloned().collect(), next })
    }

    fn capabilities(&self) -> Capabilities {
        self.declared
    }
}

pub(crate) struct Five {
    declared: Capabilities,
    clock: ManualClock,
}

impl Five {
    fn declaring(declared: Capabilities) -> Self {
        Self { declared, clock: ManualClock::new() }
    }
}

impl Backend for Five {
    type Store = FiveMethods;

    async fn fresh(&self) -> Result<FiveMethods, BoxError> {
        let clock = self.clock.clone();
        Ok(FiveMethods { declared: self.declared, clock, contents: Mutex::default() })
    }

    fn advance(&self, by: Duration) {
        self.clock.advance(by);
    }

    fn closes(&self) -> bool {
        false
    }
}

/// A store that declares everything.
pub(crate) fn store() -> FiveMethods {
    let Five { declared, clock } = everything();
    FiveMethods { declared, clock, contents: Mutex::default() }
}

pub(crate) fn everything() -> Five {
    Five::declaring(Capabilities::TTL | Capabilities::CONDITIONS | Capabilities::COUNTERS)
}

/// Runs one test of this program by its whole name; what it printed to standard error.
pub(crate) fn stderr_of(test: &str) -> String {
    let program = std::env::current_exe().unwrap();
    let output = Command::new(program).args(["--exact", test]).output().unwrap();
    assert!(output.status.success());
    String::from_utf8_lossy(&output.stderr).into_owned()
}

#[test]
fn a_rule_that_does_not_concern_a_store_is_skipped_loudly() {
    let name = "keep_keeps_the_lifetime";
    let skipped = stderr_of(&format!("five::that_declare_nothing::{name}"));
    let line = format!("kv-testkit: {name}: skipped: time to live not declared; tried the refusal");
    assert!(skipped.contains(&line), "{skipped}");
    assert_eq!(stderr_of(&format!("five::that_declare_everything::{name}")), "");
}

mod that_declare_everything {
    kv_testkit::conformance!(super::everything());
}

mod that_declare_nothing {
    use kv_core::Capabilities;

    kv_testkit::conformance!(super::Five::declaring(Capabilities::NONE));
}

mod that_declare_lifetimes_alone {
    use kv_core::Capabilities;

    kv_testkit::conformance!(super::Five::declaring(Capabilities::TTL));
}

mod that_declare_conditions_alone {
    use kv_core::Capabilities;

    kv_testkit::conformance!(super::Five::declaring(Capabilities::CONDITIONS));
}
