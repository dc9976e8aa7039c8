//! What a variable is: a name, a kind, a default, a meaning.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What every variable begins with.
pub(crate) const PREFIX: &str = "OC_KV_STORE_";

/// One variable of a backend: its name, what it may hold, its default and its meaning.
///
/// The variables of the library's own backends are made of the same type, in one table that
/// gives the parser, the defaults and the reference.
///
/// ```
/// use kv_config::Variable;
/// const PATH: Variable = Variable::path("PATH").required().help("The database file.");
/// const PAGES: Variable = Variable::integer("CACHE_PAGES", 1..=65_536).default("1024");
/// assert_eq!(PATH.name(), "PATH");
/// assert_eq!(PAGES.name(), "CACHE_PAGES");
/// ```
#[derive(Clone, Debug)]
pub struct Variable {
    pub(crate) name: &'static str,
    pub(crate) kind: Kind,
    pub(crate) default: Option<&'static str>,
    pub(crate) help: &'static str,
    pub(crate) required: bool,
    pub(crate) check: Option<Check>,
    /// Another variable, and the values of it without which this one has no effect.
    pub(crate) needs: Option<(&'static str, &'static [&'static str])>,
    /// Other variables that must not be set together with this one.
    pub(crate) excludes: &'static [&'static str],
}

/// What a variable may hold.
#[derive(Clone, Debug)]
pub(crate) enum Kind {
    Text,
    Secret,
    Path,
    Integer { min: u64, max: u64 },
    Seconds { min: Duration, max: Duration, whole: bool },
    Flag,
    Choice(&'static [&'static str]),
    List,
}

/// What a text must be beyond text.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Check {
    /// What is wrong with the text, as in "has a space".
    pub(crate) complaint: fn(&str) -> Option<&'static str>,
    pub(crate) expected: &'static str,
}

impl Variable {
    const fn new(name: &'static str, kind: Kind) -> Self {
        Self {
            name,
            kind,
            default: None,
            help: "",
            required: false,
            check: None,
            needs: None,
            excludes: &[],
        }
    }

    /// A text.
    pub const fn text(name: &'static str) -> Self {
        Self::new(name, Kind::Text)
    }

    /// A text that no error, log or `Debug` ever shows.
    pub const fn secret(name: &'static str) -> Self {
        Self::new(name, Kind::Secret)
    }

    /// A path.
    pub const fn path(name: &'static str) -> Self {
        Self::new(name, Kind::Path)
    }

    /// A whole number within bounds.
    pub const fn integer(name: &'static str, range: RangeInclusive<u64>) -> Self {
        Self::new(name, Kind::Integer { min: *range.start(), max: *range.end() })
    }

    /// A duration within bounds, written in seconds as a decimal number such as `0.5`.
    pub const fn seconds(name: &'static str, min: Duration, max: Duration) -> Self {
        Self::new(name, Kind::Seconds { min, max, whole: false })
    }

    pub(crate) const fn whole_seconds(name: &'static str, min: Duration, max: Duration) -> Self {
        Self::new(name, Kind::Seconds { min, max, whole: true })
    }

    /// True or false.
    pub const fn flag(name: &'static str) -> Self {
        Self::new(name, Kind::Flag)
    }

    /// One of several words.
    pub const fn choice(name: &'static str, words: &'static [&'static str]) -> Self {
        Self::new(name, Kind::Choice(words))
    }

    /// Texts, separated by commas; in a file, an array.
    pub const fn list(name: &'static str) -> Self {
        Self::new(name, Kind::List)
    }

    /// The value where none is set, written as in the environment.
    #[must_use]
    pub const fn default(self, value: &'static str) -> Self {
        Self { default: Some(value), ..self }
    }

    /// What it means, in a sentence.
    #[must_use]
    pub const fn help(self, help: &'static str) -> Self {
        Self { help, ..self }
    }

    /// Makes it an error to leave the variable unset where its backend is selected.
    #[must_use]
    pub const fn required(self) -> Self {
        Self { required: true, ..self }
    }

    /// Demands more of a text, a path or each item of a list: `complaint` tells what is wrong,
    /// as in "has a space", and `expected` what would be right, as in "a file name".
    #[must_use]
    pub const fn checked(
        self,
        complaint: fn(&str) -> Option<&'static str>,
        expected: &'static str,
    ) -> Self {
        Self { check: Some(Check { complaint, expected }), ..self }
    }

    pub(crate) const fn needs(self, other: &'static str, values: &'static [&'static str]) -> Self {
        Self { needs: Some((other, values)), ..self }
    }

    pub(crate) const fn excludes(self, others: &'static [&'static str]) -> Self {
        Self { excludes: others, ..self }
    }

    /// The name behind the backend's prefix, such as `PATH`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// The name in the environment, as a variable of a group; the general ones have none.
    pub(crate) fn name_in(&self, group: &str) -> String {
        match group {
            "" => format!("{PREFIX}{}", self.name),
            group => format!("{PREFIX}{}_{}", group.to_ascii_uppercase(), self.name),
        }
    }

    pub(crate) const fn is_secret(&self) -> bool {
        matches!(self.kind, Kind::Secret)
    }
}
