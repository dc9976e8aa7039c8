//! A pickle's values, as a table of nodes that refer to each other.
//!
//! A node with many references exists once, so the table is never larger than the pickle requires,
//! and dropping it does not recurse.

use std::borrow::Cow;
use std::ops::{Index, IndexMut};

use crate::class::Class;

/// Names a node; only [`Nodes::push`] makes one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Id(usize);

impl Id {
    pub(crate) fn number(self) -> usize {
        self.0
    }
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Node<'a> {
    None,
    Bool(bool),
    Integer(i128),
    /// Above the largest `i128`.
    Large(u128),
    Float(f64),
    Text(Cow<'a, str>),
    /// `bytes` or `bytearray`.
    Bytes(Cow<'a, [u8]>),
    List(Vec<Id>),
    Tuple(Vec<Id>),
    /// `set` or `frozenset`.
    Set(Vec<Id>),
    /// Keys and values in turn.
    Dict(Vec<Id>),
    /// A `timedelta`, in microseconds.
    Duration(i128),
    /// A `timezone`, in microseconds east of UTC.
    Offset(i128),
    /// A class that Python would call to make a value; not a value itself.
    Class(Class),
}

impl Node<'_> {
    pub(crate) fn children(&self) -> &[Id] {
        match self {
            Self::List(items) | Self::Tuple(items) | Self::Set(items) | Self::Dict(items) => items,
            _ => &[],
        }
    }

    /// The bytes of the node itself.
    pub(crate) fn length(&self) -> usize {
        match self {
            Self::Text(text) => text.len(),
            Self::Bytes(bytes) => bytes.len(),
            _ => 0,
        }
    }
}

/// Every node of one pickle.
#[derive(Debug, Default)]
pub(crate) struct Nodes<'a>(Vec<Node<'a>>);

impl<'a> Nodes<'a> {
    pub(crate) fn push(&mut self, node: Node<'a>) -> Id {
        self.0.push(node);
        Id(self.0.len() - 1)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }
}

// Nodes are never removed, so an `Id` stays valid.
impl<'a> Index<Id> for Nodes<'a> {
    type Output = Node<'a>;

    fn index(&self, id: Id) -> &Node<'a> {
        &self.0[id.0]
    }
}

impl<'a> IndexMut<Id> for Nodes<'a> {
    fn index_mut(&mut self, id: Id) -> &mut Node<'a> {
        &mut self.0[id.0]
    }
}
