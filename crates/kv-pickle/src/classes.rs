//! The classes known by name, and the values that Python would make with them.

use std::borrow::Cow;

use crate::bounds::Budget;
use crate::error::{Error, Result};
use crate::nodes::{Id, Node, Nodes};
use crate::times;

/// The longest part of a class's name that an error shows, in bytes.
const MAX_TOLD: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Class {
    Set,
    FrozenSet,
    Bytes,
    ByteArray,
    /// `_codecs.encode`, by which protocols 0 to 2 write bytes.
    Encode,
    DateTime,
    Date,
    Time,
    TimeDelta,
    TimeZone,
    Decimal,
}

impl Class {
    /// The class of exactly this name. Python 3 writes the names of Python 2 in protocols 0 to 2.
    pub(crate) fn find(module: &str, name: &str) -> Result<Self> {
        match (module, name) {
            ("builtins" | "__builtin__", "set") => Ok(Self::Set),
            ("builtins" | "__builtin__", "frozenset") => Ok(Self::FrozenSet),
            ("builtins" | "__builtin__", "bytes") => Ok(Self::Bytes),
            ("builtins" | "__builtin__", "bytearray") => Ok(Self::ByteArray),
            ("_codecs", "encode") => Ok(Self::Encode),
            ("datetime", "datetime") => Ok(Self::DateTime),
            ("datetime", "date") => Ok(Self::Date),
            ("datetime", "time") => Ok(Self::Time),
            ("datetime", "timedelta") => Ok(Self::TimeDelta),
            ("datetime", "timezone") => Ok(Self::TimeZone),
            ("decimal", "Decimal") => Ok(Self::Decimal),
            _ => Err(unknown(module, name)),
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Set => "builtins.set",
            Self::FrozenSet => "builtins.frozenset",
            Self::Bytes => "builtins.bytes",
            Self::ByteArray => "builtins.bytearray",
            Self::Encode => "_codecs.encode",
            Self::DateTime => "datetime.datetime",
            Self::Date => "datetime.date",
            Self::Time => "datetime.time",
            Self::TimeDelta => "datetime.timedelta",
            Self::TimeZone => "datetime.timezone",
            Self::Decimal => "decimal.Decimal",
        }
    }

    /// The value that Python's class makes of the arguments in Python's pickles; nothing is called.
    /// The budget pays for copies, since a pickle can use the same arguments again and again.
    pub(crate) fn make<'a>(
        self,
        arguments: &[Id],
        nodes: &Nodes<'a>,
        budget: &mut Budget,
    ) -> Result<Node<'a>> {
        budget.references(arguments.len())?;
        let arguments: Vec<&Node<'a>> = arguments.iter().map(|id| &nodes[*id]).collect();
        let made = match (self, arguments.as_slice()) {
            (Self::Set | Self::FrozenSet, [] | [_]) => set(&arguments, budget)?,
            (Self::Encode, [Node::Text(text), Node::Text(encoding)])
            | (Self::ByteArray, [Node::Text(text), Node::Text(encoding)]) => {
                latin_1(text, encoding, budget)?
            }
            (Self::Bytes | Self::ByteArray, []) => Some(Node::Bytes(Cow::Borrowed(&[]))),
            (Self::ByteArray, [Node::Bytes(bytes)]) => {
                budget.bytes(bytes.len())?;
                Some(Node::Bytes(bytes.clone()))
            }
            (Self::Decimal, [Node::Text(text)]) => {
                budget.bytes(text.len())?;
                Some(Node::Text(text.clone()))
            }
            _ => self.moment(&arguments),
        };
        made.ok_or_else(|| {
            format!("the class `{}` is given what Python never gives it", self.name()).into()
        })
    }

    /// What the classes of `datetime` make.
    fn moment<'a>(self, arguments: &[&Node<'_>]) -> Option<Node<'a>> {
        let text = |text: String| Node::Text(Cow::Owned(text));
        match (self, arguments) {
            (Self::DateTime, [Node::Bytes(state)]) => times::date_time(state, None).map(text),
            (Self::DateTime, [Node::Bytes(state), Node::Offset(offset)]) => {
                times::date_time(state, Some(*offset)).map(text)
            }
            (Self::Date, [Node::Bytes(state)]) => times::date(state).map(text),
            (Self::Time, [Node::Bytes(state)]) => times::time(state, None).map(text),
            (Self::Time, [Node::Bytes(state), Node::Offset(offset)]) => {
                times::time(state, Some(*offset)).map(text)
            }
            (
                Self::TimeDelta,
                [Node::Integer(days), Node::Integer(seconds), Node::Integer(microseconds)],
            ) => times::duration(*days, *seconds, *microseconds).map(Node::Duration),
            (Self::TimeZone, [Node::Duration(offset)])
            | (Self::TimeZone, [Node::Duration(offset), Node::Text(_)]) => {
                times::offset(*offset).map(Node::Offset)
            }
            _ => None,
        }
    }
}

fn set<'a>(arguments: &[&Node<'a>], budget: &mut Budget) -> Result<Option<Node<'a>>> {
    let items = match arguments {
        [] => &[],
        [items @ (Node::List(_) | Node::Tuple(_) | Node::Set(_))] => items.children(),
        _ => return Ok(None),
    };
    budget.references(items.len())?;
    Ok(Some(Node::Set(items.to_vec())))
}

fn latin_1<'a>(text: &str, encoding: &str, budget: &mut Budget) -> Result<Option<Node<'a>>> {
    if !matches!(encoding, "latin1" | "latin-1") {
        return Ok(None);
    }
    budget.bytes(text.len())?;
    let bytes: Option<Vec<u8>> = text.chars().map(|c| u8::try_from(c).ok()).collect();
    Ok(bytes.map(|bytes| Node::Bytes(Cow::Owned(bytes))))
}

/// Refuses a class, and shows its name if that is a valid name: a pickle may have any text there.
pub(crate) fn unknown(module: &str, name: &str) -> Error {
    let plain = |part: &str| {
        let ordinary = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '.');
        !part.is_empty() && part.len() <= MAX_TOLD && part.chars().all(ordinary)
    };
    if plain(module) && plain(name) {
        return format!("the class `{module}.{name}` is not data").into();
    }
    "a class, with a name too strange to tell, is not data".into()
}
