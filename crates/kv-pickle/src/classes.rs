//! The values that Python would make with the classes known by name.

use std::borrow::Cow;

use crate::bounds::Budget;
use crate::class::Class;
use crate::error::Result;
use crate::nodes::{Id, Node, Nodes};
use crate::times;

impl Class {
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
