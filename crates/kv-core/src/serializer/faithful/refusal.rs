//! What was refused, and where.

use std::error::Error;
use std::fmt;

pub(super) const NULL: &str = "`Some` of a null, such as `Some(())`, `Some(None)` or \
     `Some(Value::Null)`, reads back as `None`; use an enum that says which of the two it is";
pub(super) const WIDE: &str = "a 128-bit integer in a type of the program's own, which may be \
     tagged, untagged or flattened and is never read then; use a 64-bit integer or text";
pub(super) const TWICE: &str = "a key stands twice in a tagged or flattened map; rename the tag, \
     the field or the key";
pub(super) const NUMBER_AS_KEY: &str = "a key of a map in a tagged or flattened type is a number \
     or a boolean, which is read as text here; use text keys";
pub(super) const COMPACT: &str = "a tagged or flattened type holds one that is written in another \
     form than in JSON, such as an `IpAddr`, and is not read back there; use its text";
pub(super) const NOT_FINITE: &str = "a float is NaN or infinite, which the format cannot say; use \
     an option or text";
pub(super) const RAW: &str = "a raw JSON text, which is read back only as JSON, and in no option, \
     tagged or flattened type; use `serde_json::Value`";

/// The most steps of a path that are told.
const LONGEST_PATH: usize = 16;

/// One step from a value to a part of it. The text of a key is the program's and is not told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Step {
    /// A field or a variant.
    Name(&'static str),
    Item(usize),
    Entry(usize),
}

#[derive(Debug)]
pub(super) struct Refusal {
    why: &'static str,
    /// From the inside to the outside.
    path: Vec<Step>,
}

impl Refusal {
    pub(super) fn new(why: &'static str) -> Self {
        Self { why, path: Vec::new() }
    }

    pub(super) fn within(&mut self, step: Step) {
        self.path.push(step);
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.path.is_empty() {
            return f.write_str(self.why);
        }
        f.write_str("`")?;
        for (place, step) in self.path.iter().rev().take(LONGEST_PATH).enumerate() {
            match step {
                Step::Name(name) if place == 0 => f.write_str(name)?,
                Step::Name(name) => write!(f, ".{name}")?,
                Step::Item(at) => write!(f, "[{at}]")?,
                Step::Entry(at) => write!(f, "[entry {at}]")?,
            }
        }
        let more = if self.path.len() > LONGEST_PATH { "…" } else { "" };
        write!(f, "{more}`: {}", self.why)
    }
}

impl Error for Refusal {}
